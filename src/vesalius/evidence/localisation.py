"""Do maps point at what they should? Against masks that are known."""

from __future__ import annotations

import numpy as np
from scipy import stats
from sklearn.metrics import average_precision_score


def pointing_game(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Whether the strongest voxel of each map `(N, …)` lies in its mask, `(N,)`.

    Zhang et al. 2018, "Top-down neural attention by excitation backprop", section 4.2, without
    tolerance.

    >>> maps = np.zeros((2, 2, 2)); maps[:, 0, 1] = 1
    >>> masks = np.zeros((2, 2, 2), dtype=bool); masks[0, 0, 1] = True
    >>> pointing_game(maps, masks).tolist()
    [1.0, 0.0]
    """
    rows = maps.reshape(len(maps), -1).argmax(axis=1)
    hit: np.ndarray = masks.reshape(len(masks), -1)[np.arange(len(maps)), rows].astype(float)
    return hit


def share_inside(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Share of each map `(N, …)` that lies in its mask, `(N,)`.

    >>> share_inside(np.ones((1, 2, 2)), np.eye(2, dtype=bool)[None]).tolist()
    [0.5]
    """
    flat, inside = maps.reshape(len(maps), -1), masks.reshape(len(masks), -1)
    share: np.ndarray = (flat * inside).sum(axis=1) / np.maximum(flat.sum(axis=1), 1e-12)
    return share


def pixel_precision(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Average precision of each map's voxels as guesses at its mask, `(N,)`.

    By chance it is the mask's share of the image.

    >>> pixel_precision(np.array([[0.9, 0.8, 0.1, 0.2]]), np.array([[1, 1, 0, 0]])).tolist()
    [1.0]
    """
    return np.array([
        average_precision_score(mask.ravel(), one.ravel())
        for one, mask in zip(maps, masks, strict=True)
    ])  # fmt: skip


def rank_similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's correlation of two maps of each image, `(N,)`: how much of one the other keeps.

    >>> one = np.array([[0.1, 0.2, 0.3]])
    >>> [rank_similarity(one, other).round(6).tolist() for other in (5 * one, -one)]
    [[1.0], [-1.0]]
    """
    return np.array([
        float(stats.spearmanr(a.ravel(), b.ravel()).statistic)
        for a, b in zip(first, second, strict=True)
    ])  # fmt: skip
