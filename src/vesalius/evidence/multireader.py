"""Many readers, many cases: intervals that hold for other readers and other cases.

The method of Obuchowski and Rockette (1995, "Hypothesis testing of diagnostic accuracy for multiple
readers and multiple tests") with the degrees of freedom of Hillis (2007, "A comparison of
denominator degrees of freedom methods for multiple observer ROC analysis"): a figure of each reader
under each condition, whose covariances over cases come from a jackknife.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over readers.

    Attributes:
        value: of it.
        low, high: 95 % interval for other readers and cases.
        error: standard error.
        degrees: of freedom of Student's t.
        p: of the value being zero; NaN where nothing varies that it could be told from.
    """

    value: float
    low: float
    high: float
    error: float
    degrees: float
    p: float


@dataclass(frozen=True, eq=False)
class Jackknifed:
    """A figure of each reader under each condition, and the same without each subject.

    Cases of one subject are alike, so they are left out together.

    Attributes:
        values: `(T, R)`.
        without: without each of G subjects, `(G, T, R)`.
    """

    values: np.ndarray
    without: np.ndarray

    def covariances(self) -> np.ndarray:
        """Over subjects, between conditions and readers `(T, R, T, R)`."""
        subjects = len(self.without)
        apart = self.without - self.without.mean(axis=0)
        result: np.ndarray = (subjects - 1) / subjects * np.einsum("nij,nkl->ijkl", apart, apart)
        return result


@dataclass(frozen=True)
class Components:
    """Covariances of figures over cases, averaged over what is exchangeable.

    Attributes:
        one: of one reader under two conditions.
        two: of two readers under one condition.
        three: of two readers under two conditions.
    """

    one: float
    two: float
    three: float

    @classmethod
    def of(cls, covariances: np.ndarray) -> Components:
        """From `(T, R, T, R)`; zero where there is but one reader or condition."""
        conditions, readers = covariances.shape[:2]
        pairs = [(i, j) for i in range(conditions) for j in range(conditions)]
        groups: dict[str, list[float]] = {"one": [], "two": [], "three": []}
        for i, j in pairs:
            block = covariances[i, :, j, :]
            apart = block[~np.eye(readers, dtype=bool)].tolist()
            if i == j:
                groups["two"] += apart
            else:
                groups["one"] += np.diag(block).tolist()
                groups["three"] += apart
        return cls(*(float(np.mean(one)) if one else 0.0 for one in groups.values()))


def difference(values: np.ndarray, components: Components) -> Estimate:
    """How much higher the second of two conditions is, of a figure `(2, R)` of R readers.

    >>> auc = np.array([[0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
    ...                 [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169]])
    >>> found = difference(auc, Components(0.000351, 0.000346, 0.000241))
    >>> round(found.value, 4), round(found.degrees, 1), round(found.p, 3)
    (0.0438, 15.3, 0.052)
    """
    readers = values.shape[1]
    if readers < 2:
        raise ValueError("intervals for other readers need two readers")
    means = values.mean(axis=1)
    apart = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    mixed = float((apart**2).sum() / (readers - 1))
    error = mixed + max(readers * (components.two - components.three), 0.0)
    degrees = error**2 / (mixed**2 / (readers - 1)) if mixed > 0 else np.inf
    return _estimate(float(means[1] - means[0]), 2 / readers * error, degrees)


def mean_of(values: np.ndarray, components: Components) -> Estimate:
    """The mean over R readers of a figure `(R,)` under one condition.

    >>> found = mean_of(np.array([0.8, 0.9, 0.7]), Components(0.0, 0.001, 0.0))
    >>> round(found.value, 2), found.low < 0.8 < found.high
    (0.8, True)
    """
    readers = len(values)
    if readers < 2:
        raise ValueError("intervals for other readers need two readers")
    between = float(values.var(ddof=1))
    error = between + max(readers * components.two, 0.0)
    degrees = error**2 / (between**2 / (readers - 1)) if between > 0 else np.inf
    return _estimate(float(values.mean()), error / readers, degrees)


def share_of(found: Estimate, least: int, most: int) -> Estimate:
    """The same of a share or an AUC, with an interval that stays within 0 and 1.

    Wilson's for as many independent looks as the error tells: the effective size of Korn and
    Graubard (1998, "Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data"), who put it into another interval.

    Args:
        found: from `mean_of`.
        least: looks where all readers were right or wrong throughout and no error tells them: cases
            of a share, those of the smaller class of an AUC (whose variance is at most A(1 − A)
            over their number, Birnbaum and Klose 1957).
        most: all looks of all readers.

    >>> sure = mean_of(np.array([1.0, 1.0, 1.0]), Components(0.0, 0.0, 0.0))
    >>> found = share_of(sure, least=20, most=60)
    >>> sure.low, round(found.low, 2), found.high
    (1.0, 0.84, 1.0)
    """
    std = found.value * (1 - found.value)
    evaluations = min(std / found.error**2, most) if std and found.error else least
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, found.degrees))
    low, high = proportion_confint(
        found.value * evaluations, evaluations, alpha=2 * stats.norm.sf(reach), method="wilson"
    )
    return replace(found, low=float(low), high=float(high))


def each_condition(figure: Jackknifed) -> list[Estimate]:
    """The mean over readers under each condition; of a single reader, for other cases alone."""
    covariances = figure.covariances()
    if figure.values.shape[1] < 2:
        return [
            _estimate(float(value), float(covariances[i, 0, i, 0]), np.inf)
            for i, value in enumerate(figure.values[:, 0])
        ]
    return [
        mean_of(figure.values[i], Components.of(covariances[i : i + 1, :, i : i + 1, :]))
        for i in range(len(figure.values))
    ]


def each_pair(figure: Jackknifed) -> dict[tuple[int, int], Estimate]:
    """The difference of each pair of conditions, the later one minus the earlier one."""
    covariances, result = figure.covariances(), {}
    for i, j in combinations(range(len(figure.values)), 2):
        both = np.ix_([i, j], range(figure.values.shape[1]))
        rows = covariances[both][:, :, [i, j]]
        result[i, j] = difference(figure.values[[i, j]], Components.of(rows))
    return result


def jackknifed_means(values: np.ndarray, subjects: Sequence[str] | None = None) -> Jackknifed:
    """Means over N cases of ratings or right answers `(T, R, N)`.

    Args:
        values: of all cases.
        subjects: of each case; each its own without them.

    >>> jackknifed_means(np.array([[[0.0, 1.0, 1.0, 0.0]]])).without.ravel().round(2).tolist()
    [0.67, 0.33, 0.33, 0.67]
    >>> two = jackknifed_means(np.array([[[0.0, 1.0, 1.0, 0.0]]]), ["a", "b", "b", "c"])
    >>> two.without.ravel().round(2).tolist()
    [0.67, 0.0, 0.67]
    """
    member = _members(values.shape[2], subjects)
    total, own = values.sum(axis=2), np.einsum("trn,gn->gtr", values, member)
    left = values.shape[2] - member.sum(axis=1)
    without = (total - own) / np.maximum(left, 1)[:, None, None]
    return Jackknifed(total / values.shape[2], without)


def jackknifed_auc(
    scores: np.ndarray, truth: np.ndarray, subjects: Sequence[str] | None = None
) -> Jackknifed:
    """Areas under the receiver's curve of scores `(T, R, N)`, the truth `(N,)` being 0 or 1.

    >>> found = jackknifed_auc(np.array([[[1.0, 2.0, 3.0, 4.0]]]), np.array([0, 1, 0, 1]))
    >>> found.values.tolist(), found.without.ravel().tolist()
    ([[0.75]], [0.5, 1.0, 1.0, 0.5])
    """
    positive, negative = np.flatnonzero(truth == 1), np.flatnonzero(truth == 0)
    member = _members(scores.shape[2], subjects)
    of_positive, of_negative = member[:, positive], member[:, negative]
    gap = scores[:, :, positive, None] - scores[:, :, None, negative]
    order = (np.sign(gap) + 1) / 2
    total = order.sum(axis=(2, 3))
    kept = (
        total
        - np.einsum("gi,tri->gtr", of_positive, order.sum(axis=3))
        - np.einsum("gw,trw->gtr", of_negative, order.sum(axis=2))
        + np.einsum("gi,triw,gw->gtr", of_positive, order, of_negative, optimize=True)
    )
    pairs = (len(positive) - of_positive.sum(axis=1)) * (len(negative) - of_negative.sum(axis=1))
    return Jackknifed(
        total / (len(positive) * len(negative)), kept / np.maximum(pairs, 1)[:, None, None]
    )


def jackknifed_gap(
    values: np.ndarray, second: np.ndarray, subjects: Sequence[str] | None = None
) -> Jackknifed:
    """Mean of the cases of a second group minus that of the first, of ratings `(T, R, N)`.

    >>> gap = jackknifed_gap(np.array([[[1.0, 2.0, 4.0]]]), np.array([False, False, True]))
    >>> gap.values.tolist()
    [[2.5]]
    """
    member = _members(values.shape[2], subjects)
    sides = []
    for own in (~second, second):
        chosen, mine = values[:, :, own], member[:, own]
        total = chosen.sum(axis=2)
        left = np.maximum(own.sum() - mine.sum(axis=1), 1)[:, None, None]
        without = (total - np.einsum("trn,gn->gtr", chosen, mine)) / left
        sides.append((total / own.sum(), without))
    (first, first_without), (other, other_without) = sides
    return Jackknifed(other - first, other_without - first_without)


def _members(cases: int, subjects: Sequence[str] | None) -> np.ndarray:
    """Which cases belong to each subject, 0 or 1 `(G, N)`, subjects in order of appearance."""
    if subjects is None:
        return np.eye(cases)
    places = {subject: place for place, subject in enumerate(dict.fromkeys(subjects))}
    result = np.zeros((len(places), cases))
    result[[places[subject] for subject in subjects], np.arange(cases)] = 1
    return result


def _estimate(value: float, variance: float, degrees: float) -> Estimate:
    error = float(np.sqrt(max(variance, 0.0)))
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, degrees)) * error
    p = float(2 * stats.t.sf(abs(value) / error, degrees)) if error > 0 else float("nan")
    return Estimate(value, value - reach, value + reach, error, float(degrees), p)
