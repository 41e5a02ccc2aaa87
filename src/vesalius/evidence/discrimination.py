"""Area under the receiver's curve, its interval, and that of a difference on the same images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from vesalius.evidence.figure import Figure

RESAMPLES = 10_000


def auc(scores: np.ndarray, targets: np.ndarray) -> float:
    """Area under the curve of one label; NaN if all or none of the known ones have it.

    >>> auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0.0, 0.0, 1.0, 1.0]))
    0.75
    """
    known = ~np.isnan(targets)
    s, y = scores[known], targets[known] > 0.5
    positive, negative = int(y.sum()), int((~y).sum())
    if not positive or not negative:
        return float("nan")
    ranks = stats.rankdata(s)
    return float((ranks[y].sum() - positive * (positive + 1) / 2) / (positive * negative))


def mean_auc(scores: np.ndarray, targets: np.ndarray) -> float:
    """Mean over the labels of `(N, K)`, those without a value left out, and over trainings.

    Args:
        scores: `(N, K)`, or `(S, N, K)` of several trainings.
        targets: `(N, K)`.
    """
    if scores.ndim == 3:
        return float(np.mean([mean_auc(one, targets) for one in scores]))
    each = [auc(s, y) for s, y in zip(scores.T, targets.T, strict=True)]
    return float(np.nanmean(each)) if np.isfinite(each).any() else float("nan")


def auc_figure(
    scores: np.ndarray, targets: np.ndarray, seed: int = 0, resamples: int = RESAMPLES
) -> Figure:
    """Mean area over labels with the interval of a bootstrap over images."""

    def area(rows: np.ndarray) -> float:
        return mean_auc(scores[..., rows, :], targets[rows])

    return _bootstrapped(area, len(targets), seed, resamples)


def auc_difference(
    scores: np.ndarray, others: np.ndarray, targets: np.ndarray, seed: int = 0,
    resamples: int = RESAMPLES,
) -> Figure:  # fmt: skip
    """How much higher the first scores' mean area is on the same images; paired bootstrap.

    >>> targets = (np.arange(40) % 2).astype(float)[:, None]
    >>> noise = np.random.default_rng(0).normal(size=(40, 1))
    >>> found = auc_difference(targets + 0.1 * noise, noise, targets, resamples=200)
    >>> found.value > 0.2, found.ci95[0] > 0
    (True, True)
    """

    def gap(rows: np.ndarray) -> float:
        told = targets[rows]
        return mean_auc(scores[..., rows, :], told) - mean_auc(others[..., rows, :], told)

    return _bootstrapped(gap, len(targets), seed, resamples)


def _bootstrapped(
    statistic: Callable[[np.ndarray], float], count: int, seed: int, resamples: int
) -> Figure:
    chance = np.random.default_rng(seed)
    value = statistic(np.arange(count))
    drawn = np.array([statistic(chance.integers(count, size=count)) for _ in range(resamples)])
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < 0.9 * resamples:
        return Figure(value, "AUC", count, None)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Figure(value, "AUC", count, (float(low), float(high)))
