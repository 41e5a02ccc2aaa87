"""Power of fine detail: do generated images hold as much of it as real ones, and where?

The upper half of the frequencies is kept, and its mean square is compared: over the whole image,
inside each tissue, where real images have the noise of the scanner and texture, and at the borders
between tissues, where they have structure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import fft, ndimage

from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import ratio_of_means

FADING = (0.35, 0.65)
"""Shares of the highest frequency along an axis between which detail counts more and more. A step
in their middle would ring: a sharp border would look like noise beside it."""

DEEP = 1
"""Voxels from its border at which a tissue's inside begins."""


def fine_detail(image: np.ndarray) -> np.ndarray:
    """An image `(D, H, W)` or `(H, W)` without its lower half of the frequencies, by radius.

    Radius 1 is the highest frequency along an axis. It is a cosine transform, by which the image is
    mirrored at its borders, so that they are no edges.

    >>> x = np.arange(32)
    >>> slow, fast = np.sin(2 * np.pi * x / 16), np.sin(2 * np.pi * x / 2.5)
    >>> found = fine_detail(slow[:, None] + fast[None] + np.zeros((32, 32)))
    >>> bool(abs(np.corrcoef(found[16], fast)[0, 1]) > 0.95)
    True
    """
    waves = fft.dctn(image.astype(np.float32))
    squares = np.zeros(image.shape, np.float32)
    for axis, side in enumerate(image.shape):
        along = [1] * image.ndim
        along[axis] = side
        squares += (np.arange(side, dtype=np.float32) / side).reshape(along) ** 2
    share = np.clip((np.sqrt(squares) - FADING[0]) / (FADING[1] - FADING[0]), 0, 1)
    result: np.ndarray = fft.idctn((3 - 2 * share) * share**2 * waves)
    return result


def detail_power(
    image: np.ndarray, label_map: np.ndarray | None = None, labels: Mapping[str, int] | None = None
) -> dict[str, float]:
    """Mean square of fine detail: `whole`, inside each label, and at `borders` between labels.

    Args:
        image: `(D, H, W)` or `(H, W)`.
        label_map: of its shape, if there is one.
        labels: their numbers by name; NaN for one that is nowhere thick enough.
    """
    power = np.square(fine_detail(image))
    result = {"whole": float(power.mean())}
    if label_map is None:
        return result
    near = np.zeros(label_map.shape, bool)
    for axis in range(label_map.ndim):
        changed = np.diff(label_map, axis=axis) != 0
        for ahead in (0, 1):
            place = [slice(None)] * label_map.ndim
            place[axis] = slice(ahead, label_map.shape[axis] - 1 + ahead)
            near[tuple(place)] |= changed
    result["borders"] = float(power[near].mean()) if near.any() else float("nan")
    for name, number in (labels or {}).items():
        inside = ndimage.binary_erosion(label_map == number, iterations=DEEP)
        result[name] = float(power[inside].mean()) if inside.any() else float("nan")
    return result


def power_ratios(
    real: Sequence[Mapping[str, float]], generated: Sequence[Mapping[str, float]]
) -> dict[str, Figure]:
    """Mean power of generated cases over that of real ones, by place; 1 is as much.

    >>> rows = [{"whole": 1.0 + 0.01 * k} for k in range(8)]
    >>> round(power_ratios(rows, rows)["whole"].value, 6)
    1.0
    """
    result = {}
    for place in dict.fromkeys(name for row in real for name in row):
        columns = []
        for rows in (real, generated):
            own = np.array([row.get(place, np.nan) for row in rows])
            columns.append(own[np.isfinite(own)])
        if min(len(own) for own in columns):
            result[place] = ratio_of_means(columns[1], columns[0], "cases")
    return result
