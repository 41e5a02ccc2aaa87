"""What two normalisation paths cost: a clean forward pass, and a step of each training.

    python benchmarks/classifiers.py forward
    python benchmarks/classifiers.py step

Times alternate between the networks within one run and are told as ratios of medians.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
import torch
from cyclopts import App

from vesalius.methods.classification.training import PRESETS, Training, TrainingObjective
from vesalius.networks.classifier import Depth, residual_classifier
from vesalius.networks.dual_norm import to_dual_bn
from vesalius.scans.classified import Classified

app = App(help=__doc__)


def alternating(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each work, one after the other in every round."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 2):
        for name, work in works.items():
            start = perf_counter()
            work()
            seconds[name].append(perf_counter() - start)
    return {name: np.array(own[2:]) for name, own in seconds.items()}


@app.command
def forward(
    *, depth: Depth = 18, width: int = 64, side: int = 64, batch: int = 16, rounds: int = 40
) -> None:
    """A clean forward pass of the doubled network against the plain one."""
    plain = residual_classifier(1, 5, 2, depth, width, "fine").eval()
    dual = to_dual_bn(plain).eval()
    images = torch.rand(batch, 1, side, side)
    with torch.no_grad():
        found = alternating({"plain": lambda: plain(images), "dual": lambda: dual(images)}, rounds)
    ratios = found["dual"] / found["plain"]
    low, high = np.percentile(
        [np.median(np.random.default_rng(i).choice(ratios, len(ratios))) for i in range(2000)],
        [2.5, 97.5],
    )
    print(f"dual / plain {np.median(ratios):.3f} [{low:.3f}, {high:.3f}]  (n = {rounds} passes)")


@app.command
def step(*, side: int = 64, rounds: int = 10) -> None:
    """A step of adversarial and of dual training against a standard one, at the demo's size."""
    recipe = PRESETS["demo"]
    batch = recipe.second.batch_size
    rng = np.random.default_rng(0)
    names = tuple(map(str, range(batch)))
    images = Classified(
        rng.random((batch, 1, side, side)).astype(np.float16),
        (rng.random((batch, 5)) < 0.3).astype(np.float32), tuple("abcde"), names, names,
        ("",) * batch,
    )  # fmt: skip

    def stepper(training: Training) -> Callable[[], object]:
        network = residual_classifier(1, 5, 2, recipe.depth, recipe.width, recipe.stem)
        network = to_dual_bn(network) if training == "dual" else network
        objective = TrainingObjective(network, images, images, recipe, training).train()
        rows = torch.arange(batch)

        def work() -> None:
            objective.loss_of(rows, torch.Generator().manual_seed(0)).backward()

        return work

    ways: tuple[Training, ...] = ("standard", "adversarial", "dual")
    found = alternating({way: stepper(way) for way in ways}, rounds)
    for way in ways[1:]:
        ratio = np.median(found[way] / found["standard"])
        print(
            f"{way} / standard {ratio:.2f}  ({recipe.attack.steps} attack steps, n = {rounds}; "
            f"standard {np.median(found['standard']):.3f} s)"
        )


if __name__ == "__main__":
    app()
