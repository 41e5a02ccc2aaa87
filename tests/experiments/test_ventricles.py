"""The whole experiment at its smallest, killed and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from vesalius.evidence.figure import Figure
from vesalius.evidence.results import Results
from vesalius.experiments.prove import ProveRecipe, prove
from vesalius.experiments.ventricles.prespecified import prespecified
from vesalius.experiments.ventricles.recipe import PRESETS as VENTRICLES
from vesalius.methods.segmentation.training import PRESETS
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError

PROMISED = [
    "published/guidance_1/mae_ml", "curve/real/0.5/dice",
    "control/slope", "control/r2", "control/mae_ml", "control/acceptance",
    "utility/augmented_minus_real/volume_mae_ml", "memorisation/copies", "diversity/real",
    "diversity/synthetic", "seconds/fit", "seconds/phantoms", "control/images_unseen/slope",
    "brain/realism/two_sample_auc", "brain/realism/frechet_ratio", "brain/realism/power_ratio",
    "brain/realism/radiomics_ratio", "brain/realism/from_real_labels/frechet_ratio",
] + [
    f"utility/{arm}/{what}" for what in ("dice", "volume_mae_ml")
    for arm in ("real", "resampled", "synthseg_style", "synthetic", "augmented")
]  # fmt: skip


def command(out: Path) -> list[str]:
    program = "from vesalius.cli import main; main()"
    return [
        sys.executable, "-c", program, "experiment", "ventricles", "--preset", "smallest",
        "--out", str(out),
    ]  # fmt: skip


def test_killed_in_its_midst_it_goes_on_to_the_promised_figures(
    tmp_path: Path, accounted: Callable[[Mapping[str, Figure]], None]
) -> None:
    out = tmp_path / "demo"
    process = subprocess.Popen(command(out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        for _ in range(1200):
            if (out / "control.csv").exists() or process.poll() is not None:
                break
            time.sleep(0.1)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    before = json.loads((out / "stages.json").read_text())["done"]
    assert "fit" in before and "proof" not in before
    assert (out / "report.html").exists()
    weights = (out / "run/image_denoiser.safetensors").stat().st_mtime_ns

    done = subprocess.run(command(out), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (out / "run/image_denoiser.safetensors").stat().st_mtime_ns == weights
    results = json.loads((out / "results.json").read_text())
    for name in PROMISED:
        figure = results["figures"][name]
        assert set(figure) >= {"value", "unit", "n", "ci95"}, name
    assert results["rests_on_phantoms"] is True
    read = Results.read(out)
    accounted(read.figures)
    document = prespecified(VENTRICLES["smallest"])
    assert read.notes["prespecified"] == {
        "question": document.question, "digest": document.digest, "changed": "",
    }  # fmt: skip
    assert {one.name for one in document.primary} <= read.figures.keys()
    page = (out / "report.html").read_text()
    assert "rests on phantoms, not on patients" in page
    assert page.index("rests on phantoms") < page.index("<h2>")
    assert "http" not in page.replace("http-equiv", "")


def test_a_patient_on_both_sides_is_refused_before_any_training(
    brains: Cohort, small_cohort: Cohort, tmp_path: Path
) -> None:
    recipe = ProveRecipe(segmenter=PRESETS["smallest"], attribute="ventricle_volume_ml")
    with pytest.raises(InputError, match="stands in training and in the test set"):
        prove(brains, small_cohort, brains, tmp_path / "out", recipe)
    with pytest.raises(InputError, match="is synthetic and cannot be tested on"):
        prove(brains, small_cohort, small_cohort, tmp_path / "out", recipe)
    assert not (tmp_path / "out").exists()


def test_guidance_as_published_is_fitted_on_label_maps_of_its_own() -> None:
    study = VENTRICLES["study"]
    assert study.published_cases >= 2000
    assert study.published.chosen_label_autoencoder(study.published_cases) == "vae"
    document = prespecified(study).markdown
    assert "2000 patients, of guidance as published" in document
    demo = VENTRICLES["demo"]
    assert demo.published_cases == 0 and demo.nnunet is None
    assert demo.digest == demo.changed(nnunet_arms=demo.nnunet_arms).digest
