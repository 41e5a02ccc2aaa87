"""Area under the receiver's curve, its interval, and that of a difference on the same images."""

from __future__ import annotations

import warnings

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
    """Mean area over labels with the interval of a bootstrap over images.

    >>> targets = (np.arange(60) % 2).astype(float)[:, None]
    >>> figure = auc_figure(targets + np.random.default_rng(0).normal(size=(60, 1)), targets)
    >>> figure.ci95[0] < figure.value < figure.ci95[1]
    True
    """
    replicates = resampled(scores, targets, _counts(len(targets), resamples, seed))
    return _figure(mean_auc(scores, targets), replicates, len(targets))


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
    counts = _counts(len(targets), resamples, seed)
    gap = mean_auc(scores, targets) - mean_auc(others, targets)
    replicates = resampled(scores, targets, counts) - resampled(others, targets, counts)
    return _figure(gap, replicates, len(targets))


def resampled(scores: np.ndarray, targets: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean area of each resample `(B,)`, NaN where one shows no label both ways.

    The area is the share of pairs of one image with and one without that are in order, a tie being
    half of one; in a resample a pair counts as often as both its images were taken together.

    Args:
        scores: `(N, K)`, or `(S, N, K)` of several trainings.
        targets: `(N, K)`.
        counts: how often each image was taken `(B, N)`.
    """
    if scores.ndim == 3:
        trainings: np.ndarray = np.mean([resampled(s, targets, counts) for s in scores], axis=0)
        return trainings
    each = []
    for s, y in zip(scores.T, targets.T, strict=True):
        positive, negative = y == 1, y == 0
        order = (np.sign(s[positive][:, None] - s[negative][None]) + 1).astype(np.float32) / 2
        with_it, without = counts[:, positive], counts[:, negative]
        pairs = with_it.sum(axis=1) * without.sum(axis=1)
        inside = np.einsum("bj,bj->b", with_it @ order, without)
        each.append(np.where(pairs > 0, inside / np.maximum(pairs, 1), np.nan))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a resample in which no label is both ways
        mean: np.ndarray = np.nanmean(each, axis=0)
    return mean


def _counts(images: int, resamples: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.multinomial(images, np.full(images, 1 / images), resamples).astype(np.float32)


def _figure(value: float, replicates: np.ndarray, count: int) -> Figure:
    sound = replicates[np.isfinite(replicates)]
    if len(sound) < 0.9 * len(replicates):
        return Figure(value, "AUC", count, None)
    low, high = np.percentile(sound, [2.5, 97.5])
    return Figure(value, "AUC", count, (float(low), float(high)))
