"""Cases generated while a segmenter trains, against as many an epoch that are made once.

    python -m benchmarks.on_the_fly RUN OUT

RUN is of `vesalius fit guided` on phantom brains. Every epoch of either arm shows as many cases:
the same ones each time (40 in all), or new ones each time (480 in all, over 12 epochs). Weights,
order, steps and learning rate are alike, and so are the cases of the first epoch. Writes
`docs/results/on_the_fly.json`.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
from cyclopts import App
from torch.utils.data import Dataset

import vesalius as vs
from examples.on_the_fly import CASES, EPOCHS, dice, on_grid, train
from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.intervals import crossed_mean, mean_figure
from vesalius.evidence.provenance import Code
from vesalius.evidence.results import Results
from vesalius.scans.writing import make_folder

HERE = Path(__file__).resolve().parents[1]
TARGETS = {"ventricle_volume_ml": (20.0, 160.0)}
SEEDS = (2026, 2027, 2028)
UNSEEN, UNSEEN_SEED, SPACING_MM = 48, 4052, 6.0
app = App(help=__doc__)


class Kept(Dataset[Any]):
    """Cases that are made once and shown again."""

    def __init__(self, cases: vs.SyntheticDataset) -> None:
        self.cases = [cases[index] for index in range(len(cases))]

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> Any:
        return self.cases[index]


@app.default
def measure(run: Path, out: Path, *, epochs: int = EPOCHS, cases: int = CASES) -> None:
    """Train both arms with every seed, and keep the figures with the documents."""
    model = vs.load(run)
    unseen = vs.phantom(
        "brain", out / "unseen", UNSEEN, seed=UNSEEN_SEED, spacing_mm=SPACING_MM,
        volume_ml=TARGETS["ventricle_volume_ml"],
    )  # fmt: skip
    labels = unseen.description.labels
    numbers, tested = sorted(labels.values()), on_grid(model, unseen)
    found: dict[str, list[list[float]]] = {"in_advance": [], "on_the_fly": []}
    seconds: list[float] = []
    for seed in SEEDS:

        def fresh(epoch: int, seed: int = seed) -> vs.SyntheticDataset:
            return vs.SyntheticDataset(
                model, TARGETS, length=cases, seed=10_000 * seed + epoch, tries=20
            )

        start = time.perf_counter()
        kept = Kept(fresh(0))
        seconds.append((time.perf_counter() - start) / cases)
        arms = {"in_advance": lambda _, kept=kept: kept, "on_the_fly": fresh}
        for name, cases_of in arms.items():
            network = train(cases_of, numbers, epochs, seed)
            scores = dice(network, tested, numbers, labels["lateral_ventricles"])
            found[name].append(scores)
            print(seed, name, f"{np.mean(scores):.4f}", flush=True)
    tables = {name: np.array(own) for name, own in found.items()}
    figures: dict[str, Figure] = {
        f"{name}/dice": crossed_mean(own, "", "cases") for name, own in tables.items()
    }
    gap = tables["on_the_fly"] - tables["in_advance"]
    figures |= {
        "on_the_fly_minus_in_advance/dice": crossed_mean(gap, "", "cases"),
        "seconds_a_case": mean_figure(np.array(seconds), "s", "trainings"),
        "cases_an_epoch": counted(cases, "cases", epochs, "epochs", "a setting"),
    }
    notes = {"run": model.run.name, "seeds": list(SEEDS), "epochs": epochs, "cases": cases}
    code = Code.of("vesalius.api.dataset")
    Results("on_the_fly", "", SEEDS[0], True, figures, notes, code=code).write(make_folder(out))
    shutil.copyfile(out / "results.json", HERE / "docs/results/on_the_fly.json")
    for name, figure in figures.items():
        print(f"{name:<40}{figure}")


if __name__ == "__main__":
    app()
