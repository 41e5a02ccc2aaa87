"""The robustness experiment at its smallest: every figure, and a second run that only reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vesalius.evidence.figure import Figure
from vesalius.evidence.results import Results
from vesalius.experiments.robustness.experiment import run_robustness
from vesalius.experiments.robustness.prespecified import prespecified
from vesalius.experiments.robustness.recipe import ARMS, PRESETS
from vesalius.experiments.robustness.routing import (
    clean_path_scores,
    published_scores,
    strongest_scores,
)
from vesalius.networks.dual_norm import route, to_dual_bn
from vesalius.report.robustness_page import robustness_table, write_robustness_report
from vesalius.report.sources import table_if_there
from vesalius.scans.classified import Classified
from vesalius.training.attacks import Attack


def test_the_experiment_writes_every_figure_and_resumes(
    tmp_path: Path, accounted: Callable[[Mapping[str, Figure]], None]
) -> None:
    recipe = PRESETS["smallest"]
    stages: list[str] = []
    results = run_robustness(tmp_path / "out", recipe, finished=stages.append)
    accounted(results.figures)
    primary = {f"radiograph/{one.name}" for one in prespecified("radiograph", recipe).primary}
    assert primary <= results.figures.keys()
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    named = [f"{arm}/{name}" for arm in ARMS for name in (
        "auc", "external_auc", "robust_auc_published", "robust_auc_clean_path", "pointing_game",
        "saliency_in_mask", "calibration_error", "auc/nodule", "randomised_likeness",
        "robust_auc_own_budget", "robust_auc_full_budget",
    )]  # fmt: skip
    named += ["dual_minus_standard/auc", "dual_minus_standard/external_auc", "dual/cost",
              "mean_mask/pixel_precision", "standard_smoothgrad/pointing_game",
              "dual_clean/saliency_in_mask",
              "dual_adversarial/pointing_game", "seconds/dual"]  # fmt: skip
    for name in named:
        assert f"radiograph/{name}" in written["figures"], name
    curve = table_if_there(tmp_path / "out" / "radiograph" / "curve.csv")
    assert len(curve) == (len(ARMS) + 1) * recipe.epsilons  # dual both ways
    page = write_robustness_report(tmp_path / "out").read_text()
    assert "rests on phantoms" in page and page.count("<img") == 2
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert (tmp_path / "out/radiograph/maps.png").stat().st_size > 1000
    assert "robust AUC, clean-path routing" in robustness_table(Results.read(tmp_path / "out"))
    again: list[str] = []
    second = run_robustness(tmp_path / "out", recipe, finished=again.append)
    assert not again and second.figures == results.figures
    both = run_robustness(
        tmp_path / "out", recipe.changed(data=("radiograph", "ct")),
        finished=again.append,
    )  # fmt: skip
    assert all(stage.startswith("ct") for stage in again)
    assert "ct/dual/pointing_game" in both.figures


class _Two(nn.Module):
    """The clean path looks at the first voxel, the adversarial one at the second."""

    def __init__(self) -> None:
        super().__init__()
        self.pick = nn.Conv1d(1, 2, 1, bias=False)
        self.norm = nn.BatchNorm1d(2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.norm(self.pick(images.flatten(2)))
        return maps[:, 0, :1] + maps[:, 1, 1:]


def test_each_routing_attacks_the_path_it_is_about() -> None:
    network = to_dual_bn(_Two()).eval()
    for path, channel in (("clean", 0), ("adversarial", 1)):
        norm = getattr(network.norm, path)
        with torch.no_grad():
            norm.weight.zero_()
            norm.weight[channel] = 10.0
    with torch.no_grad():
        network.pick.weight.fill_(1.0)
    rng = np.random.default_rng(0)
    targets = (np.arange(40) % 2).astype(np.float32)[:, None]
    images = 0.45 + 0.1 * targets[..., None] * np.ones((1, 1, 2)) + 0.01 * rng.random((40, 1, 2))
    names = tuple(map(str, range(40)))
    data = Classified(images.astype(np.float32), targets, ("x",), names, names, ("",) * 40)
    attack = Attack(epsilon=0.2, steps=5)
    with torch.no_grad():
        given = torch.from_numpy(data.images)
        clean = network(given).numpy()
        with route(network, "adversarial"):
            adversarial = network(given).numpy()
    for scores, before in (
        (published_scores, adversarial), (clean_path_scores, clean), (strongest_scores, clean)
    ):  # fmt: skip
        after = scores(network, data, attack)
        moved = (after - before) * (1 - 2 * targets)
        assert np.allclose(moved, 10 * 0.2, atol=0.05), scores.__name__


class _Shared(nn.Module):
    """Two labels that read one voxel, the first much more strongly and the other way."""

    def __init__(self) -> None:
        super().__init__()
        self.slopes = nn.Parameter(torch.tensor([[5.0, -1.0]]))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) @ self.slopes


def test_each_label_is_attacked_alone_for_its_own_area() -> None:
    targets = np.stack([np.arange(40) % 2, np.arange(40) % 2], axis=1).astype(np.float32)
    images = np.full((40, 1, 1), 0.5, dtype=np.float32)
    names = tuple(map(str, range(40)))
    data = Classified(images, targets, ("x", "y"), names, names, ("",) * 40)
    attack = Attack(epsilon=0.1, steps=3)
    network = _Shared().eval()
    alone = strongest_scores(network, data, attack)
    together = clean_path_scores(network, data, attack)
    sides = 1 - 2 * targets
    assert np.allclose(sides * (alone - [2.5, -0.5]), [0.5, 0.1], atol=1e-4)
    assert (sides * (together - [2.5, -0.5])).min(axis=1).max() < 0, "a change serves one alone"
