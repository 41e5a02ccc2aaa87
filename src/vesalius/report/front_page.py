"""Bring the figures and the picture of a finished demo into the README.

    python -m vesalius.report.front_page demo/ README.md docs/

copies `results.json` to `docs/results/`, draws `docs/pictures/montage.png`, and fills the README
between its two markers, so that no figure there is typed by hand.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.report.pictures import montage
from vesalius.report.rendering import shown
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.description import write_text

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
ATTRIBUTE = "ventricle_volume_ml"
EACH = 7
STAGES = ("phantoms", "unseen_phantoms", "fit", "control", "balance", "strip", "proof")


def table(results: dict[str, Any]) -> str:
    """The figures of the ventricles protocol as Markdown."""
    figures = results["figures"]
    arms = [key.split("/")[1] for key in figures if key.startswith("utility/") and
            key.endswith("/dice") and "_minus_" not in key]  # fmt: skip
    count = figures["utility/real/dice"]["n"]
    lines = [
        f"| the same segmenter trained on | Dice, {count} unseen large ventricles "
        "| volume MAE ± SD (mL) | MAE minus real (mL) |",
        "|---|---|---|---|",
    ]
    for arm in arms:
        difference = figures.get(f"utility/{arm}_minus_real/volume_mae_ml")
        lines.append(
            f"| {arm.replace('_', ' ')} | {shown(figures[f'utility/{arm}/dice'])} "
            f"| {shown(figures[f'utility/{arm}/volume_mae_ml'])} | {shown(difference)} |"
        )
    control = ", ".join(
        f"{name} {shown(figures[f'control/{key}'])}"
        for name, key in (("slope", "slope"), ("R²", "r2"), ("acceptance", "acceptance"))
    )
    copies = figures["memorisation/copies"]
    seconds = sum(figures[f"seconds/{stage}"]["value"] for stage in STAGES)
    return "\n".join(
        [
            *lines,
            "",
            f"Requested against measured volume, {figures['control/slope']['n']} cases: {control}. "
            f"Copies of training cases: {copies['value']:.0f} of {copies['n']}. In brackets 95 % "
            f"bootstrap intervals over cases; one training each, seed {results['seed']}. The demo "
            f"took {seconds / 60:.0f} minutes on {results['machine']['cores']} cores.",
        ]
    )


def filled(readme: str, results: dict[str, Any]) -> str:
    """The README with the figures between its markers.

    >>> filled("no markers", {})
    Traceback (most recent call last):
    ValueError: the README has no markers for figures
    """
    if BEGIN not in readme or END not in readme:
        raise ValueError("the README has no markers for figures")
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(results)}\n{END}{after}"


def picture(demo: Path) -> bytes:
    """Real cases beside synthetic ones, from small to large ventricles, as PNG."""
    scans: list[tuple[str, LabelledScan]] = []
    for folder, name in (("real", "phantom"), ("balanced", "synthetic")):
        cohort = Cohort.open(demo / folder)
        values = cohort.values(ATTRIBUTE)
        order = np.argsort(values)
        picked = order[np.linspace(0, len(order) - 1, EACH).round().astype(int)]
        scans += [
            (f"{name}, {values[row]:.0f} mL", cohort.read(cohort.cases[row])) for row in picked
        ]
    focus = [cohort.description.labels["lateral_ventricles"]]
    return base64.b64decode(montage(scans, focus).partition(",")[2])


def main(demo: Path, readme: Path, docs: Path) -> None:
    """Write the results, the picture and the README."""
    results = json.loads((demo / "results.json").read_text())
    for folder in ("results", "pictures"):
        (docs / folder).mkdir(parents=True, exist_ok=True)
    write_text(docs / "results/ventricles-demo.json", (demo / "results.json").read_text())
    (docs / "pictures/montage.png").write_bytes(picture(demo))
    write_text(readme, filled(readme.read_text(), results))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
