"""The volumes experiment at its smallest: every named figure, and a second run that only reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from vesalius.evidence.figure import Figure
from vesalius.evidence.results import Results
from vesalius.experiments.volumes.experiment import run_volumes
from vesalius.experiments.volumes.prespecified import prespecified
from vesalius.experiments.volumes.recipe import CONTROLS, PRESETS, VolumesExperimentRecipe
from vesalius.experiments.volumes.transfer import COLUMNS, noise_like, scrambled, transfer_figures
from vesalius.report.volumes_page import write_volumes_report
from vesalius.report.volumes_table import volumes_table
from vesalius.scans.input_error import InputError


def test_the_experiment_writes_every_figure_and_resumes(
    tmp_path: Path, accounted: Callable[[Mapping[str, Figure]], None]
) -> None:
    recipe = PRESETS["smallest"]
    stages: list[str] = []
    results = run_volumes(tmp_path / "out", recipe, finished=stages.append)
    accounted(results.figures)
    primary = {f"breast/{one.name}" for one in prespecified("breast", recipe).primary}
    assert primary <= results.figures.keys()
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    written = content["figures"]
    named = ["diversity/ms_ssim/real", "diversity/ms_ssim/synthetic", "reconstruction/psnr",
             "reconstruction/ssim", "fidelity/fid", "fidelity/fid_real_vs_real",
             "fidelity/fid_gaussian", "fidelity/fid_reconstructed", "fidelity/fid_codes",
             "fidelity/fid_ddpm_2", "slices/ssim/real", "slices/ssim/synthetic",
             "memorisation/copies", "memorisation/membership_auc", "control/unseen/slope",
             "pretraining/primary/dice_gain", "seconds/fit", "seconds/transfer"]  # fmt: skip
    named += [f"pretraining/{fraction:g}/{arm}/dice" for fraction in recipe.fractions
              for arm in ("scratch", "synthetic", "real")]  # fmt: skip
    named += [f"pretraining/primary/{arm}_gain" for arm in CONTROLS]
    for name in named:
        assert f"breast/{name}" in written, name
    assert "breast transfer" in stages and results.rests_on_phantoms
    page = write_volumes_report(tmp_path / "out").read_text()
    assert "rests on phantoms" in page and page.count("<img") >= 2
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert "MS-SSIM" in volumes_table(Results.read(tmp_path / "out"))

    again: list[str] = []
    second = run_volumes(tmp_path / "out", recipe, finished=again.append)
    assert not again and second.figures.keys() == results.figures.keys()
    both = run_volumes(
        tmp_path / "out", recipe.changed(organs=("breast", "chest")),
        finished=again.append,
    )  # fmt: skip
    assert all(stage.startswith("chest") for stage in again)
    assert both.figures["breast/fidelity/fid"] == results.figures["breast/fidelity/fid"]
    assert {name.replace("breast/", "chest/") for name in results.figures} <= both.figures.keys()
    with pytest.raises(InputError, match="other settings"):
        run_volumes(tmp_path / "out", recipe.changed(seed=9))


def test_gains_are_paired_by_seed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [",".join(COLUMNS)]
    for seed in range(12):
        luck = rng.normal(0, 0.2)
        for arm, mean in (("scratch", 0.6), ("synthetic", 0.63), ("noise", 0.6)):
            for case in range(4):
                dice = mean + luck + rng.normal(0, 0.005)
                lines.append(f"0.05,{arm},{seed},case_{case},{dice}")
    (tmp_path / "dice.csv").write_text("\n".join(lines) + "\n")
    found = transfer_figures(
        tmp_path / "dice.csv", VolumesExperimentRecipe(primary_seeds=12, pretrainings=12)
    )
    gain = found["pretraining/primary/dice_gain"]
    assert gain.n == 12 and gain.ci95 is not None
    assert gain.ci95[0] < 0.03 < gain.ci95[1] and gain.ci95[1] - gain.ci95[0] < 0.01
    wide = found["pretraining/0.05/scratch/dice"].ci95
    assert wide is not None and wide[1] - wide[0] > 0.05
    assert found["pretraining/primary/noise_gain"].value == pytest.approx(0, abs=0.005)
    assert found["pretraining/primary/synthetic_minus_noise"].value == pytest.approx(0.03, abs=0.01)
    assert found["pretraining/primary/dice_gain/median"].value == pytest.approx(0.03, abs=0.005)
    shared = transfer_figures(
        tmp_path / "dice.csv", VolumesExperimentRecipe(primary_seeds=12, pretrainings=4)
    )["pretraining/primary/dice_gain"]
    assert shared.n == 4 and shared.value == pytest.approx(gain.value)


def test_controls_keep_the_values_and_lose_the_anatomy() -> None:
    x = torch.linspace(-1, 1, 16)
    ball = (x[:, None, None] ** 2 + x[:, None] ** 2 + x**2).sqrt()[None, None].repeat(2, 1, 1, 1, 1)
    for control in (scrambled(ball, 0), noise_like(ball, 0)):
        assert torch.allclose(control.flatten(1).sort().values, ball.flatten(1).sort().values)
        both = torch.stack([control[0].flatten(), ball[0].flatten()])
        assert abs(float(torch.corrcoef(both)[0, 1])) < 0.5
