"""Unseen and generated knees in an order that only the notes of the experiment give away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Canvas

from vesalius.methods.progression.futures import Forecaster
from vesalius.scans.visits import Visits
from vesalius.scans.writing import replacing

EACH, ACROSS = 12, 6


def write_shuffled(path: Path, forecaster: Forecaster, visits: Visits, seed: int) -> list[int]:
    """Numbered pictures without labels; the places of the real ones, counted from 1.

    Args:
        path: of the PNG.
        forecaster: of a run with a fine stage.
        visits: of patients whom no network has seen.
        seed: of the generated ones and of the order.
    """
    rows = visits.first()[:EACH]
    real = visits.images[rows, 0].astype(np.float32)
    both = np.concatenate([real, forecaster.new_pictures(len(real), seed)[:, 0]])
    order = np.random.default_rng(seed).permutation(len(both))
    down = -(-len(both) // ACROSS)
    canvas = Canvas(figsize=(1.5 * ACROSS, 1.5 * down), facecolor="black")
    axes = canvas.subplots(down, ACROSS, squeeze=False).ravel()
    for axis in axes:
        axis.axis("off")
    for place, (axis, row) in enumerate(zip(axes, order, strict=False), 1):
        axis.imshow(both[row], cmap="gray", vmin=0, vmax=1)
        axis.text(0.03, 0.97, f"{place}", color="white", fontsize=7, va="top",
                  transform=axis.transAxes)  # fmt: skip
    canvas.subplots_adjust(0.002, 0.002, 0.998, 0.998, wspace=0.02, hspace=0.02)
    with replacing(path) as partial:
        canvas.savefig(partial, format="png", dpi=110, facecolor="black")
    return [place for place, row in enumerate(order.tolist(), 1) if row < len(real)]
