"""Knees of today, their predicted futures and what they became, as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Canvas

from vesalius.methods.progression.futures import Forecaster
from vesalius.scans.visits import Visits
from vesalius.scans.writing import replacing

PATIENTS, SIDES = 6, ("medial", "lateral")


def write_strip(path: Path, forecaster: Forecaster, visits: Visits) -> None:
    """The first patients who progress fast: today, predicted, and what it truly became.

    Args:
        path: of the PNG; none is written where nobody progresses fast.
        forecaster: of a run.
        visits: of patients whose end is known.
    """
    pairs = _fast(visits)[:PATIENTS]
    if not pairs:
        return
    first = visits.taken([a for a, _ in pairs])
    horizon = float(visits.years[pairs[0][1]] - visits.years[pairs[0][0]])
    times = [horizon / 2, horizon]
    images = first.images.astype(np.float32)
    result = forecaster.futures(images, forecaster.projected(images).styles, times, first.patients)
    rows = [
        "today", "today, generated", *(f"{one:g} years, typical" for one in times),
        f"{horizon:g} years, 90th percentile", f"true, {horizon:g} years",
    ]  # fmt: skip
    canvas = Canvas(figsize=(1.7 * len(pairs), 1.75 * len(rows)), facecolor="black")
    axes = canvas.subplots(len(rows), len(pairs), squeeze=False)
    names = [f"joint_space_mm_{side}" for side in SIDES]
    spaces = np.stack([visits.attributes[name] for name in names], axis=1)
    for column, (before, after) in enumerate(pairs):
        each = [
            visits.images[before, 0], result.generated_now[column, 0],
            *result.usual.pictures[column, :, 0], result.fast.pictures[column, -1, 0],
            visits.images[after, 0],
        ]  # fmt: skip
        for place, picture in enumerate(each):
            axes[place, column].imshow(picture.astype(float), cmap="gray", vmin=0, vmax=1)
            axes[place, column].axis("off")
            if column == 0:
                axes[place, 0].text(
                    0.02, 0.97, rows[place], color="white", fontsize=8, va="top",
                    transform=axes[place, 0].transAxes,
                )  # fmt: skip
        reported = {
            0: spaces[before], 3: result.usual.readings[column, -1],
            4: result.fast.readings[column, -1], len(rows) - 1: spaces[after],
        }  # fmt: skip
        for place, both in reported.items():
            line = ", ".join(f"{name} {space:.1f}" for name, space in zip(SIDES, both, strict=True))
            axes[place, column].set_title(f"{line} mm", color="white", fontsize=7, pad=2)
    canvas.subplots_adjust(0.002, 0.002, 0.998, 0.98, wspace=0.03, hspace=0.12)
    with replacing(path) as partial:
        canvas.savefig(partial, format="png", dpi=110, facecolor="black")


def _fast(visits: Visits) -> list[tuple[int, int]]:
    """First and last rows of those whose grade rose by more than one, in order of their names."""
    grades = visits.attributes["kl_grade"]
    ends = [(int(rows[0]), int(rows[-1])) for rows in visits.followed()]
    return [(a, b) for a, b in ends if grades[b] - grades[a] > 1]
