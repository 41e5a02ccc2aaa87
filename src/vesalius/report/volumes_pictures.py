"""Pictures of whole volumes: three planes of real ones beside generated ones, and gains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas

from vesalius.report.pictures import encoded
from vesalius.report.sources import cohort_if_there
from vesalius.scans.case import Scan

matplotlib.use("Agg")

EACH = 4


def volumes_picture(folder: Path, organs: Sequence[str] | None = None) -> str:
    """Real volumes beside generated ones, the middle slices across three axes, nothing picked."""
    chosen = organs or [path.parent.name for path in sorted(folder.glob("*/real"))]
    rows = []
    for organ in chosen:
        sets = []
        for name, reported in (("unseen", "phantom"), ("generated", "synthetic")):
            cohort = cohort_if_there(folder / organ / name, labelled=False)
            if cohort:
                scans = [cohort.read_images(case) for case in cohort.cases[:EACH]]
                sets.append((f"{organ}, {reported}", scans))
        if sets:
            rows.append(sets)
    return three_planes(rows) if rows else ""


def three_planes(rows: Sequence[Sequence[tuple[str, Sequence[Scan]]]]) -> str:
    """Sets of scans side by side, each as three rows of slices: axial, coronal, sagittal."""
    columns = max(sum(len(scans) for _, scans in sets) for sets in rows)
    heights: list[float] = []
    for sets in rows:
        first = sets[0][1][0].channels[0].oriented("RAS")
        x, y, z = (n * mm for n, mm in zip(first.shape, first.spacing_mm, strict=True))
        heights += [y / x, z / x, z / y]
    canvas = Canvas(figsize=(1.4 * columns, 1.4 * sum(heights) + 0.3 * len(rows)))
    canvas.set_facecolor("black")
    axes = canvas.subplots(
        3 * len(rows), columns, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for ax in axes.flat:
        ax.axis("off")
    for block, sets in enumerate(rows):
        every = [scan for _, scans in sets for scan in scans]
        pooled = np.concatenate([scan.channels[0].voxels.ravel()[::31] for scan in every])
        low, high = np.percentile(pooled, [1, 99.5])
        for column, scan in enumerate(every):
            image = scan.channels[0].oriented("RAS")
            a, b, c = (side // 2 for side in image.shape)
            x, y, z = image.spacing_mm
            planes = (
                (image.voxels[:, :, c], y / x),
                (image.voxels[:, b], z / x),
                (image.voxels[a], z / y),
            )
            for row, (pixels, aspect) in enumerate(planes):
                axes[3 * block + row, column].imshow(
                    pixels.T, cmap="gray", origin="lower", vmin=low, vmax=high, aspect=aspect
                )
        start = 0
        for name, scans in sets:
            axes[3 * block, start].set_title(name, color="white", fontsize=9, loc="left")
            start += len(scans)
    canvas.subplots_adjust(0.002, 0.002, 0.998, 0.95, wspace=0.03, hspace=0.15)
    return encoded(canvas, dpi=100)
