"""Consistency between slices: how alike neighbouring slices of a volume are, as real ones are.

A volume generated slice by slice flickers, one that is too smooth repeats itself: so the similarity
of neighbours has no best value of its own, it should be that of real volumes.
"""

from __future__ import annotations

import numpy as np
import torch
from monai.metrics import SSIMMetric


def neighbour_similarity(volume: np.ndarray, axis: int) -> float:
    """Mean structural similarity of neighbouring slices across an axis.

    Args:
        volume: `(D, H, W)` in [0, 1], each side at least 7.
        axis: across the slices.

    >>> rng = np.random.default_rng(0)
    >>> same = np.repeat(rng.random((16, 16, 1)), 8, axis=2)
    >>> round(neighbour_similarity(same, 2), 3)
    1.0
    >>> neighbour_similarity(rng.random((16, 16, 8)), 2) < 0.1
    True
    """
    slices = torch.from_numpy(np.moveaxis(volume, axis, 0)[:, None].astype(np.float32))
    metric = SSIMMetric(spatial_dims=2, data_range=1.0, win_size=7)
    return float(torch.as_tensor(metric(slices[1:], slices[:-1])).mean())


def planes(volume: np.ndarray) -> list[np.ndarray]:
    """The middle slice across each of the three axes.

    >>> [plane.shape for plane in planes(np.zeros((4, 6, 8)))]
    [(6, 8), (4, 8), (4, 6)]
    """
    return [np.take(volume, side // 2, axis=axis) for axis, side in enumerate(volume.shape)]
