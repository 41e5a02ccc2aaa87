"""What is shown of a cohort: its cases, what is rare, its faults, a small picture of each case."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from vesalius.scans.case import Case, Scan
from vesalius.scans.check import Histogram
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputProblem
from vesalius.scans.volume import Volume

SIDE = 128
"""Pixels of a small picture."""
DARK, BRIGHT = 1.0, 99.7
"""Percentiles that are shown black and white."""


def summary(cohort: Cohort) -> dict[str, Any]:
    """A cohort as its tables say it; no voxel is read."""
    names = list(dict.fromkeys(name for case in cohort.cases for name in case.attributes))
    histograms = []
    for name in names:
        values = [case.attributes[name] for case in cohort.cases if name in case.attributes]
        one = Histogram.of(name, np.array(values))
        histograms.append(
            {"attribute": name, "edges": one.edges.tolist(), "counts": one.counts.tolist(),
             "rare": [list(pair) for pair in one.rare]}
        )  # fmt: skip
    return {
        "name": cohort.folder.resolve().name, "folder": str(cohort.folder),
        "channels": list(cohort.description.channels), "labels": cohort.description.labels,
        "origin": cohort.description.origin, "attributes": names, "histograms": histograms,
        "cases": [_entry(case) for case in cohort.cases],
        "faults": [fault_entry(fault) for fault in cohort.faults],
    }  # fmt: skip


def fault_entry(fault: InputProblem) -> dict[str, str]:
    """File, fault and remedy."""
    return {"file": str(fault.file), "fault": fault.fault, "remedy": fault.remedy}


def _entry(case: Case) -> dict[str, Any]:
    return {
        "name": case.name, "subject": case.subject, "visit": case.visit, "split": case.split,
        "synthetic": case.synthetic, "labelled": case.label_map is not None,
        "attributes": dict(case.attributes), "categories": dict(case.categories),
        "channels": len(case.images),
    }  # fmt: skip


def small_picture(scan: Scan) -> bytes:
    """The middle slice across the axis of the fewest voxels, or of the largest step, as PNG.

    >>> volume = Volume(np.zeros((8, 8, 4), np.float32), np.eye(4))
    >>> small_picture(Scan((volume,)))[:4]
    b'\\x89PNG'
    """
    return picture_of(scan.channels[0])


def picture_of(
    image: Volume, across: int | None = None, labels: Volume | None = None, side: int = SIDE
) -> bytes:
    """One slice as PNG, upright as radiologists hang it, with labels in colour over it.

    Args:
        image: to show.
        across: the axis (of RAS) that is cut; the one with the largest voxels if `None`.
        labels: in the space of the image.
        side: pixels of the longer one.
    """
    upright = image.oriented("RAS")
    cut = int(np.argmax(upright.spacing_mm)) if across is None else across
    if across is None and np.allclose(upright.spacing_mm, upright.spacing_mm[0]):
        cut = int(np.argmin(upright.shape)) if min(upright.shape) == 1 else 2
    voxels = np.asarray(upright.voxels, dtype=np.float32)
    low, high = np.percentile(voxels, [DARK, BRIGHT])
    place = voxels.shape[cut] // 2
    grey = np.clip((voxels.take(place, axis=cut) - low) / max(high - low, 1e-6), 0, 1)
    shown = np.repeat((255 * grey[..., None]), 3, axis=-1)
    if labels is not None:
        marks = labels.oriented("RAS").voxels.take(place, axis=cut)
        shown = np.where(marks[..., None] > 0, 0.45 * shown + 0.55 * colours(marks), shown)
    step = np.delete(np.asarray(upright.spacing_mm), cut)
    flipped = shown.astype(np.uint8).transpose(1, 0, 2)[::-1, ::-1]
    picture = Image.fromarray(np.ascontiguousarray(flipped))
    wide, tall = picture.width * step[0], picture.height * step[1]
    factor = side / max(wide, tall)
    size = (max(1, round(wide * factor)), max(1, round(tall * factor)))
    kept = io.BytesIO()
    picture.resize(size, Image.Resampling.BILINEAR).save(kept, "PNG")
    return kept.getvalue()


PALETTE = np.array(
    [[0, 0, 0], [88, 166, 255], [242, 204, 96], [86, 211, 100], [255, 123, 114], [210, 168, 255],
     [255, 166, 87], [121, 192, 255]], dtype=np.float32,
)  # fmt: skip


def colours(labels: np.ndarray) -> np.ndarray:
    """A colour for each label `(..., 3)`; labels above the palette begin it again.

    >>> colours(np.array([0, 1, 8])).tolist()
    [[0.0, 0.0, 0.0], [88.0, 166.0, 255.0], [88.0, 166.0, 255.0]]
    """
    numbers = labels.astype(int)
    rows = np.where(numbers > 0, (numbers - 1) % (len(PALETTE) - 1) + 1, 0)
    result: np.ndarray = PALETTE[rows]
    return result
