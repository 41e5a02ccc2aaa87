"""Formats come in as they are kept: nnU-Net, the Decathlon's form, BIDS, files by pattern."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import vesalius as vs
from vesalius.scans.formats.nifti import read_nifti

AFFINE = np.array(
    [[-0.9, 0.1, 0.0, 12.0], [-0.1, -0.9, 0.0, 30.0], [0.0, 0.0, 4.0, -7.0], [0, 0, 0, 1.0]]
)
"""Oblique, LPS, thick slices."""


def image(seed: int = 0, shape: tuple[int, ...] = (7, 8, 5)) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 500, shape).astype(np.int16)


def labelled(*values: int, shape: tuple[int, ...] = (7, 8, 5)) -> np.ndarray:
    result = np.zeros(shape, np.uint8)
    for row, value in enumerate(values):
        result[row + 1, 2:5, 1:3] = value
    return result


def save(path: Path, voxels: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    """As NIfTI, or by SimpleITK where the ending says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith((".nii", ".nii.gz", ".img")):
        kind = nib.Spm99AnalyzeImage if path.suffix == ".img" else nib.Nifti1Image
        kind(voxels, affine).to_filename(path)
        return path
    itk = pytest.importorskip("SimpleITK")
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    sizes = np.linalg.norm(lps[:3, :3], axis=0)
    content = itk.GetImageFromArray(voxels.transpose(2, 1, 0))
    content.SetSpacing(sizes.tolist())
    content.SetOrigin(lps[:3, 3].tolist())
    content.SetDirection((lps[:3, :3] / sizes).ravel().tolist())
    itk.WriteImage(content, str(path))
    return path


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha", ".nii"])
def test_nnunet_comes_in_with_regions_test_images_and_splits(ending: str, tmp_path: Path) -> None:
    source = tmp_path / "Dataset001_Brain"
    for number, name in enumerate(("a", "b", "c")):
        part = ("imagesTs", "labelsTs") if name == "c" else ("imagesTr", "labelsTr")
        for channel in range(2):
            save(source / part[0] / f"{name}_{channel:04d}{ending}", image(2 * number + channel))
        save(source / part[1] / f"{name}{ending}", labelled(1, 2, 3))
    save(source / "imagesTr" / f"d_0000{ending}", image())
    (source / "dataset.json").write_text(
        json.dumps({
            "channel_names": {"0": "T1", "1": "FLAIR"}, "file_ending": ending, "numTraining": 2,
            "labels": {"background": 0, "whole tumor": [1, 2, 3], "core": [2, 3], "enhancing": 3},
            "regions_class_order": [1, 2, 3],
        })
    )  # fmt: skip
    (source / "splits_final.json").write_text(
        json.dumps([{"train": ["a"], "val": ["b"]}, {"train": ["b"], "val": ["a"]}])
    )
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    imported = vs.import_cohort(source, tmp_path / "out", fold=1)
    cohort = imported.cohort
    assert {case.name: case.split for case in cohort.cases} == {
        "a": "val",
        "b": "train",
        "c": "test",
    }
    assert cohort.description.labels == {
        "background": 0,
        "label_1": 1,
        "label_2": 2,
        "enhancing": 3,
    }
    assert {a.name: a.labels for a in cohort.description.attributes} == {
        "whole_tumor_volume_ml": ("label_1", "label_2", "enhancing"),
        "core_volume_ml": ("label_2", "enhancing"),
    }
    assert [fault.fault for fault in imported.left_out] == ["has 1 of 2 channels"]
    for number, case in enumerate(cohort.cases):
        scan = cohort.read(case)
        for channel, volume in enumerate(scan.channels):
            np.testing.assert_array_equal(volume.voxels, image(2 * number + channel))
            np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)
        np.testing.assert_array_equal(scan.label_map.voxels, labelled(1, 2, 3))
    assert all(path.read_bytes() == content for path, content in before.items())
    linked = {path.is_symlink() for case in cohort.cases for path in case.images}
    assert linked == {ending.startswith(".nii")}


def test_the_decathlon_comes_in_a_channel_a_frame(tmp_path: Path) -> None:
    source = tmp_path / "Task01_BrainTumour"
    save(source / "imagesTr" / "BRATS_001.nii.gz", image(1, (7, 8, 5, 2)))
    save(source / "labelsTr" / "BRATS_001.nii.gz", labelled(1, 2))
    save(source / "imagesTs" / "BRATS_002.nii.gz", image(2, (7, 8, 5, 2)))
    save(source / "imagesTr" / "BRATS_003.nii.gz", image(3, (7, 8, 5, 3)))
    save(source / "labelsTr" / "BRATS_003.nii.gz", labelled(1, 2))
    pairs = [{"image": f"./imagesTr/BRATS_00{n}.nii.gz", "label": f"./labelsTr/BRATS_00{n}.nii.gz"}
             for n in (1, 3)]  # fmt: skip
    (source / "dataset.json").write_text(
        json.dumps({
            "modality": {"0": "FLAIR", "1": "T1w"}, "numTraining": 2,
            "labels": {"0": "background", "1": "edema", "2": "enhancing tumour"},
            "training": pairs, "test": ["./imagesTs/BRATS_002.nii.gz"],
        })
    )  # fmt: skip
    imported = vs.import_cohort(source, tmp_path / "out")
    assert imported.cohort.description.labels == {
        "background": 0, "edema": 1, "enhancing_tumour": 2,
    }  # fmt: skip
    assert imported.left_out[0].fault == "holds 3 volumes, dataset.json names 2 modalities"
    (case,) = imported.cohort.cases  # the test image has no label map, and is told as a fault
    assert "BRATS_002" in str(imported.cohort.faults[0])
    for channel, path in enumerate(case.images):
        np.testing.assert_array_equal(read_nifti(path).voxels, image(1, (7, 8, 5, 2))[..., channel])


def test_a_decathlon_file_may_not_lead_out_of_its_folder(tmp_path: Path) -> None:
    save(tmp_path / "secret.nii.gz", image())
    source = tmp_path / "data"
    source.mkdir()
    (source / "dataset.json").write_text(
        json.dumps({"modality": {"0": "CT"}, "labels": {"0": "background", "1": "a"},
                    "training": [{"image": "../secret.nii.gz", "label": "../secret.nii.gz"}]})
    )  # fmt: skip
    with pytest.raises(vs.InputError, match="outside its folder"):
        vs.import_cohort(source, tmp_path / "out")


def bids(source: Path) -> Path:
    """Three subjects; one without a T2w, one with two runs and two sessions."""
    for subject, session in (("01", "pre"), ("01", "post"), ("02", "pre"), ("03", "pre")):
        stem = f"sub-{subject}_ses-{session}"
        folder = source / f"sub-{subject}" / f"ses-{session}" / "anat"
        save(folder / f"{stem}_run-1_T1w.nii.gz", image(int(subject)))
        if subject == "01":
            save(folder / f"{stem}_run-2_T1w.nii.gz", image(9))
        if subject != "03":
            save(folder / f"{stem}_T2w.nii.gz", image(10 + int(subject)))
        segmented = source / "derivatives" / "seg" / f"sub-{subject}" / f"ses-{session}" / "anat"
        save(segmented / f"{stem}_space-orig_dseg.nii.gz", labelled(17, 53))
        save(segmented / f"{stem}_space-MNI_dseg.nii.gz", labelled(1, shape=(4, 4, 4)))
    (source / "derivatives" / "seg" / "dseg.tsv").write_text(
        "index\tname\n17\tLeft Hippocampus\n53\tRight Hippocampus\n"
    )
    (source / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')
    (source / "participants.tsv").write_text(
        "participant_id\tage\tsex\nsub-01\t61\tF\nsub-02\tn/a\tM\nsub-03\t50\tF\n"
    )
    return source


def test_bids_comes_in_a_case_a_session(tmp_path: Path) -> None:
    imported = vs.import_cohort(bids(tmp_path / "in"), tmp_path / "out", channels=["T1w", "T2w"])
    cohort = imported.cohort
    assert [case.name for case in cohort.cases] == [
        "sub-01_ses-post", "sub-01_ses-pre", "sub-02_ses-pre",
    ]  # fmt: skip
    assert [case.subject for case in cohort.cases] == ["sub-01", "sub-01", "sub-02"]
    assert cohort.description.labels == {
        "background": 0, "Left_Hippocampus": 17, "Right_Hippocampus": 53,
    }  # fmt: skip
    assert cohort.cases[0].attributes == {"age": 61} and cohort.cases[2].categories["sex"] == "M"
    said = [fault.fault for fault in imported.left_out]
    assert said.count("is a further T1w") == 2 and said.count("has no T2w") == 1
    scan = cohort.read(cohort.cases[2])
    np.testing.assert_array_equal(scan.channels[1].voxels, image(12))


def test_bids_masks_become_labels_by_their_name(tmp_path: Path) -> None:
    source = tmp_path / "in"
    save(source / "sub-a" / "anat" / "sub-a_T1w.nii.gz", image())
    for name, row in (("lesion", 1), ("ventricle", 2)):
        mask = np.zeros((7, 8, 5), np.uint8)
        mask[row, 2:5, 1:3] = 1
        place = source / "derivatives" / "manual" / "sub-a" / "anat"
        save(place / f"sub-a_label-{name}_mask.nii.gz", mask)
    cohort = vs.import_cohort(source, tmp_path / "out").cohort
    assert cohort.description.labels == {"background": 0, "lesion": 1, "ventricle": 2}
    np.testing.assert_array_equal(cohort.read(cohort.cases[0]).label_map.voxels, labelled(1, 2))


def test_files_by_pattern_come_in_and_what_lacks_a_part_is_told(tmp_path: Path) -> None:
    source = tmp_path / "in"
    for subject in ("s1", "s2", "s3"):
        save(source / subject / "v1" / "t1.nii.gz", image(1))
        if subject != "s3":
            save(source / subject / "v1" / "seg.nii.gz", labelled(4, 7))
    with pytest.raises(vs.InputError, match="say where they lie: --channel"):
        vs.find_cohort(source)
    imported = vs.import_cohort(
        source, tmp_path / "out", channels=["T1={subject}/{visit}/t1.nii.gz"],
        labels="{subject}/{visit}/seg.nii.gz",
    )  # fmt: skip
    assert [case.name for case in imported.cohort.cases] == ["s1_v1", "s2_v1"]
    assert imported.cohort.description.labels == {"background": 0, "label_4": 4, "label_7": 7}
    assert [fault.fault for fault in imported.left_out] == ["has no label map"]


def test_a_label_map_in_another_space_is_left_out_and_told(tmp_path: Path) -> None:
    source = tmp_path / "in"
    save(source / "s1_t1.nii.gz", image(1))
    save(source / "s1_seg.nii.gz", labelled(1), AFFINE + np.eye(4) * 0.5)
    save(source / "s2_t1.nii.gz", image(1))
    save(source / "s2_seg.nii.gz", labelled(1))
    imported = vs.import_cohort(source, tmp_path / "out", channels=["T1={subject}_t1.nii.gz"],
                                labels="{subject}_seg.nii.gz")  # fmt: skip
    assert [fault.fault for fault in imported.left_out] == ["has another affine than its image"]
    assert [path.name for path in sorted((tmp_path / "out" / "imagesTr").iterdir())] == [
        "s2_0000.nii.gz"
    ]


def test_the_source_is_never_written_to(tmp_path: Path) -> None:
    source = tmp_path / "in"
    save(source / "s1_t1.nii.gz", image(1))
    with pytest.raises(vs.InputError):
        vs.import_cohort(source, source / "out", channels=["T1={subject}_t1.nii.gz"])
    copied = vs.import_cohort(source, tmp_path / "out", channels=["T1={subject}_t1.nii.gz"],
                              copy=True)  # fmt: skip
    assert not copied.cohort.cases[0].images[0].is_symlink()
    assert copied.cohort.cases[0].images[0].read_bytes() == (source / "s1_t1.nii.gz").read_bytes()
