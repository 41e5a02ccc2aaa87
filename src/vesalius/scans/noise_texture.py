"""Noise texture: the spread of an image's noise, measured on the image itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def noise_texture(image: np.ndarray, inside: np.ndarray, axes: Sequence[int] = (0, 1, 2)) -> float:
    """Standard deviation of the noise of an image; NaN where there is too little to tell.

    From the difference of each voxel to the mean of its neighbours along some axes, robustly
    (Immerkaer 1996, "Fast noise variance estimation", carried to 3D).

    Args:
        image: `(D, H, W)`.
        inside: where to measure `(D, H, W)`, away from the ends of these axes.
        axes: along which neighbours are taken; in thick slices only those of the slice.

    >>> noise = np.random.default_rng(0).normal(0, 2.0, (20, 20, 20))
    >>> inner = np.zeros((20, 20, 20), dtype=bool); inner[1:-1, 1:-1, 1:-1] = True
    >>> [round(noise_texture(100 + noise, inner, axes), 1) for axes in ((0, 1, 2), (1, 2))]
    [2.0, 2.0]
    """
    neighbours = 2 * len(axes)
    around = np.zeros(image.shape, dtype=np.float64)
    for axis in axes:
        for step in (1, -1):
            around += np.roll(image, step, axis=axis) / neighbours
    rest = (image - around)[inside]
    if rest.size < 20:
        return float("nan")
    std = 1.4826 * np.median(np.abs(rest - np.median(rest)))
    return float(std / np.sqrt(1 + 1 / neighbours))


def interior(labels: np.ndarray) -> np.ndarray:
    """Where a voxel of a label map `(D, H, W)` and its six neighbours share a label.

    >>> labels = np.zeros((5, 5, 5), dtype=int); labels[1:4, 1:4, 1:4] = 1
    >>> np.argwhere(interior(labels) & (labels == 1)).tolist()
    [[2, 2, 2]]
    """
    inside = np.zeros(labels.shape, dtype=bool)
    inner = (slice(1, -1),) * 3
    inside[inner] = True
    for axis in range(3):
        for step in (1, -1):
            inside &= labels == np.roll(labels, step, axis=axis)
    return inside


def matching_scale(real: float, smooth: float, full: float) -> float:
    """The factor on the spread at which generated images have the noise texture of real ones.

    Args:
        real: noise texture of real images.
        smooth, full: noise texture of images generated with none and with all of the spread.

    >>> matching_scale(real=3.0, smooth=0.0, full=6.0)
    0.5
    """
    if not np.isfinite([real, smooth, full]).all():
        return 1.0
    if full <= smooth or real <= smooth:
        return 0.0 if real <= smooth else 1.0
    return float(np.sqrt((real**2 - smooth**2) / (full**2 - smooth**2)))
