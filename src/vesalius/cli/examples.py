"""An example of every command, shown at the end of its help and on the page of commands."""

from __future__ import annotations

from cyclopts import App

EXAMPLES = {
    "cohort check": "my-scans/ --attribute ventricle_volume_ml",
    "cohort measure": "my-scans/ --attribute organ_volume_ml=liver+tumour",
    "cohort split": "my-scans/ --train 0.85 --val 0.15 --test 0",
    "phantom brain": "my-scans/ -n 180 --spacing 3",
    "phantom spine": "spines/ -n 240 --slice-mm 4.4 --pixel-mm 1.25",
    "phantom chest": "chests/ -n 90 --grid 128x128x128",
    "phantom breast": "breasts/ -n 200 --grid 64x64x32",
    "phantom radiograph": "radiographs/ -n 1500",
    "phantom spine-slice": "slices/ -n 600 --scanner external",
    "phantom nodule": "nodules/ -n 600",
    "phantom knee": "knees/ -n 300 --years 0,2,4,8",
    "experiment ventricles": "--preset demo --out demo/",
    "experiment lumbar": "--preset demo --out demo-lumbar/",
    "experiment volumes": "--organ chest --out demo-volumes/",
    "experiment robustness": "--data radiograph --out demo-robustness/",
    "experiment osteoarthritis": "--out demo-osteoarthritis/",
    "readers create": "design.yaml --out study/",
    "readers serve": "study/",
    "readers results": "study/",
    "readers export": "study/ --out pages/",
    "readers collect": "study/ answers-1.json",
    "import": "dicom/ my-scans/ --channel 'T2=*t2*sag*'",
    "export": "my-scans/ nnUNet_raw/Dataset101_Brain --as nnunet --add more/",
    "info": "runs/brain",
    "doctor": "",
    "open": "my-scans/ more/ runs/brain",
    "generate": "runs/brain --out generated/ -n 16 --attribute ventricle_volume_ml=20:160",
    "balance": "my-scans/ --run runs/brain --out more/ --attribute ventricle_volume_ml=20:160",
    "inpaint": "runs/spine scan.nii.gz --pathology herniation --level L4-L5 --out edited/",
    "segment": "runs/segmenter my-scans/ --out labelled/",
    "classify": "runs/radiographs images/ --out probabilities.csv",
    "explain": "runs/radiographs images/ --out explained/",
    "forecast": "runs/knees knee.png --years 1,2,4,8 --out forecasts/",
    "prove": "my-scans/ more/ --test unseen/ --out proof/",
    "audit": "my-scans/ more/ --holdout unseen/ --out audited/ --fail-on-copies",
    "fit guided": "my-scans/ --out runs/brain --attribute ventricle_volume_ml",
    "fit inpainting": "chests/ --lesion nodule --out runs/nodules",
    "fit volumes": "breasts/ --out runs/breast --attribute fibroglandular_volume_ml",
    "fit segmentation": "my-scans/ --out runs/segmenter --pretrained runs/pretrained",
    "fit classification": "radiographs/ --out runs/radiographs --training dual",
    "fit progression": "knees/ --out runs/knees",
    "fit pretraining": "my-scans/ --out runs/pretrained",
    "pretrain": "my-scans/ --out runs/pretrained",
}


def show_examples(app: App) -> None:
    """Put its example at the end of the help of each command that is there."""
    for path, words in EXAMPLES.items():
        command = app
        for name in path.split():
            if name not in command:
                break
            command = command[name]
        else:
            command.help_epilogue = f"Example: `{f'vesalius {path} {words}'.rstrip()}`"
