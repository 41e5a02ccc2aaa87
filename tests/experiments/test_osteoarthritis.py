"""The progression experiment at its smallest: every named figure; measures against closed forms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from vesalius.evidence.discrimination import Resampling
from vesalius.evidence.figure import Figure
from vesalius.experiments.osteoarthritis.experiment import run_osteoarthritis
from vesalius.experiments.osteoarthritis.future import recognised, ssim_in_joint
from vesalius.experiments.osteoarthritis.prespecified import prespecified
from vesalius.experiments.osteoarthritis.recipe import PRESETS
from vesalius.experiments.osteoarthritis.risk import risk_figures, youden_point
from vesalius.report.osteoarthritis_page import write_osteoarthritis_report

METHODS = (
    "extrapolation", "extrapolation_published", "diffusion", "end_to_end_24", "end_to_end_30",
    "forecast_only", "baseline_only", "reconstruction_only", "neighbour_labels", "no_change",
    "mean_difference", "random_neighbour", "oracle_neighbours", "true_hazard",
)  # fmt: skip
DRAWING = (
    "extrapolation", "extrapolation_published", "diffusion", "reconstruction_only", "no_change",
    "mean_difference", "random_neighbour", "oracle_neighbours",
)  # fmt: skip


def test_the_experiment_writes_every_figure_and_resumes(
    tmp_path: Path, accounted: Callable[[Mapping[str, Figure]], None]
) -> None:
    stages: list[str] = []
    results = run_osteoarthritis(tmp_path / "out", PRESETS["smallest"], finished=stages.append)
    accounted(results.figures)
    primary = {one.name for one in prespecified(PRESETS["smallest"]).primary}
    assert primary <= results.figures.keys()
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    named = [f"risk/{m}/{key}" for m in METHODS for key in ("auc", "sensitivity", "specificity")]
    named += [f"future/{m}/{key}" for m in DRAWING
              for key in ("joint_space_mae_mm", "ssim", "identity_rank1")]  # fmt: skip
    named += [f"projection/{way}/{key}" for way in ("encoder", "optimisation")
              for key in ("lpips_or_l2", "seconds", "joint_space_mae_mm")]  # fmt: skip
    named += [
        "generator/fid", "generator/fid_real_vs_real", "future/neighbour_labels/joint_space_mae_mm",
        "risk/extrapolation_minus_end_to_end_30/auc", "neighbours/3/auc", "seconds/prognoses",
        "future/extrapolation_minus_no_change/joint_space_mae_mm",
    ]  # fmt: skip
    for name in named:
        assert name in written["figures"], name
    assert len(stages) == 8 and written["rests_on_phantoms"]
    assert written["figures"]["future/no_change/ssim"]["n"] == 30
    page = write_osteoarthritis_report(tmp_path / "out").read_text()
    assert "oracle neighbours" in page and "data:image/png" in page
    again: list[str] = []
    repeated = run_osteoarthritis(tmp_path / "out", PRESETS["smallest"], finished=again.append)
    assert again == [] and repeated.figures.keys() == results.figures.keys()


def test_decisions_are_taken_at_the_point_of_held_out_patients() -> None:
    fast = np.array([True, True, False, False] * 5)
    good = np.where(fast, 0.8, 0.2) + np.linspace(0, 0.05, 20)
    random = np.linspace(0, 1, 20)
    scores = {"end_to_end_50": random, "extrapolation": good}
    found = risk_figures(scores, scores, fast, fast, Resampling(resamples=100))
    shares = [found[f"risk/extrapolation/{name}"].value for name in ("sensitivity", "specificity")]
    assert shares == [1, 1]
    assert found["risk/extrapolation_minus_end_to_end_50/auc"].value > 0.3
    assert youden_point(good, fast) == pytest.approx(good[fast].min())


def test_identity_is_recognised_under_noise_and_not_among_strangers() -> None:
    rng = np.random.default_rng(0)
    true = rng.random((20, 24, 24))
    assert recognised(true + 0.2 * rng.standard_normal(true.shape), true).mean() > 0.9
    assert recognised(rng.random(true.shape), true).mean() < 0.3


def test_likeness_in_the_joint_looks_at_the_joint_alone() -> None:
    picture = np.random.default_rng(0).random((1, 32, 32))
    outside, inside = picture.copy(), picture.copy()
    outside[:, :8] = 0
    inside[:, 14:16] = 0
    assert ssim_in_joint(outside, picture)[0] == pytest.approx(1)
    assert ssim_in_joint(inside, picture)[0] < 0.9
