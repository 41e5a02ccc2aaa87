"""Area under the receiver's curve, its interval, and that of a difference on the same images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from vesalius.evidence.figure import Figure, counted

RESAMPLES = 10_000

INDIFFERENCE = 0.01
"""Of an AUC: a loss of at most this is no loss to a reader."""


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


@dataclass(frozen=True)
class Resampling:
    """What a bootstrap of areas takes anew: whom the images are of, and trainings where several.

    Attributes:
        subjects: of each image, all of whose images are taken together; without them each image is
            a subject of its own.
        counts: what subjects are called.
        seed: of the resamples.
        resamples: how many.
    """

    subjects: Sequence[str] = ()
    counts: str = "patients"
    seed: int = 0
    resamples: int = RESAMPLES

    def taken(self, images: int, trainings: int) -> tuple[int, np.ndarray, np.ndarray]:
        """Number of subjects, and how often images `(B, N)` and trainings `(B, S)` are taken."""
        rng = np.random.default_rng(self.seed)
        _, number = np.unique(np.array(self.subjects or range(images)), return_inverse=True)
        count = int(number.max()) + 1
        own = rng.multinomial(count, np.full(count, 1 / count), self.resamples)
        fits = rng.multinomial(trainings, np.full(trainings, 1 / trainings), self.resamples)
        return count, own[:, number].astype(np.float32), fits / trainings

    def figure(
        self, value: float, replicates: np.ndarray, subjects: int, trainings: int
    ) -> Figure:  # fmt: skip
        """The value with the interval of its resamples, as far as these are sound."""
        sound = replicates[np.isfinite(replicates)]
        if len(sound) < 0.9 * len(replicates):
            return counted(value, "AUC", subjects, self.counts, "undefined in many resamples")
        low, high = np.percentile(sound, [2.5, 97.5])
        crossed = f", crossed with {trainings} trainings" if trainings > 1 else ""
        made = f"percentile bootstrap over {self.counts}{crossed}, {self.resamples} resamples"
        ends = (float(low), float(high))
        return Figure(value, "AUC", subjects, ends, counts=self.counts, interval=made)


BY_PATIENT = Resampling()


def auc_figure(
    scores: np.ndarray, targets: np.ndarray, resampling: Resampling = BY_PATIENT
) -> Figure:  # fmt: skip
    """Mean area over labels, and over trainings, with the interval of a bootstrap.

    Args:
        scores: `(N, K)`, or `(S, N, K)` of several trainings, which are then taken anew as well.
        targets: `(N, K)`.
        resampling: over whom.

    >>> targets = (np.arange(60) % 2).astype(float)[:, None]
    >>> figure = auc_figure(targets + np.random.default_rng(0).normal(size=(60, 1)), targets)
    >>> figure.ci95[0] < figure.value < figure.ci95[1], figure.size
    (True, 'n = 60 patients')
    """
    every = scores if scores.ndim == 3 else scores[None]
    subjects, images, trainings = resampling.taken(len(targets), len(every))
    replicates = _crossed(every, targets, images, trainings)
    return resampling.figure(mean_auc(every, targets), replicates, subjects, len(every))


def auc_difference(
    scores: np.ndarray, others: np.ndarray, targets: np.ndarray,
    resampling: Resampling = BY_PATIENT,
) -> Figure:  # fmt: skip
    """How much higher the first scores' mean area is on the same images; paired bootstrap.

    Where both have as many trainings, the n-th of one is paired with the n-th of the other.

    >>> targets = (np.arange(40) % 2).astype(float)[:, None]
    >>> noise = np.random.default_rng(0).normal(size=(40, 1))
    >>> found = auc_difference(targets + 0.1 * noise, noise, targets, Resampling(resamples=200))
    >>> found.value > 0.2, found.ci95[0] > 0
    (True, True)
    """
    ours, theirs = (one if one.ndim == 3 else one[None] for one in (scores, others))
    subjects, images, own = resampling.taken(len(targets), len(ours))
    paired = len(theirs) == len(ours)
    _, _, other = resampling.taken(len(targets), len(theirs))
    replicates = _crossed(ours, targets, images, own) - _crossed(
        theirs, targets, images, own if paired else other
    )
    gap = mean_auc(ours, targets) - mean_auc(theirs, targets)
    return resampling.figure(gap, replicates, subjects, len(ours))


def _crossed(
    scores: np.ndarray, targets: np.ndarray, images: np.ndarray, trainings: np.ndarray
) -> np.ndarray:
    """Mean area `(B,)` of resampled images and trainings."""
    each = np.stack([resampled(one, targets, images) for one in scores], axis=1)
    mean: np.ndarray = (each * trainings).sum(axis=1)
    return mean


def resampled(scores: np.ndarray, targets: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean area of each resample `(B,)`, NaN where one shows no label both ways.

    The area is the share of pairs of one image with and one without that are in order, a tie being
    half of one; in a resample a pair counts as often as both its images were taken together.

    Args:
        scores: `(N, K)`.
        targets: `(N, K)`.
        counts: how often each image was taken `(B, N)`.
    """
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
