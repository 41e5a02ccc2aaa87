"""Grades as labels, and the risk that a grade rises by more than one.

A grade of K steps is learnt as K labels, `kl_grade_at_least_1` and so on, by the same robust
classifier as any others. Risk follows Han et al. 2021 ("Predicting osteoarthritis progression in
radiographs via unsupervised representation learning"): the sum of P(i today) P(j then) over all
j > i + 1.
"""

from __future__ import annotations

import numpy as np

from vesalius.scans.classified import Classified
from vesalius.scans.visits import Visits

RISE = 2


def graded(visits: Visits, attribute: str, grades: int) -> Classified:
    """Visits with a label for each grade from 1 to `grades`; unknown grades stay unknown.

    >>> visits = Visits(np.zeros((2, 1, 4, 4)), ("a", "b"), ("s", "t"), np.zeros(2),
    ...                 np.zeros(2, bool), {"kl_grade": np.array([2.0, np.nan])}, ("", ""),
    ...                 ("s", "t"))
    >>> graded(visits, "kl_grade", 3).targets.tolist()
    [[1.0, 1.0, 0.0], [nan, nan, nan]]
    """
    known = visits.attributes[attribute]
    steps = np.arange(1, grades + 1)
    targets = (known[:, None] >= steps).astype(np.float32)
    targets[np.isnan(known)] = np.nan
    return Classified(
        visits.images, targets, tuple(f"{attribute}_at_least_{step}" for step in steps),
        visits.names, visits.patients, visits.splits, origin=visits.origin,
    )  # fmt: skip


def grade_probabilities(at_least: np.ndarray) -> np.ndarray:
    """From probabilities of being at least 1, 2, … `(N, K)` to those of each grade `(N, K + 1)`.

    No grade is more probable to be reached than a lower one.

    >>> grade_probabilities(np.array([[0.75, 0.25]])).tolist()
    [[0.25, 0.5, 0.25]]
    """
    falling = np.minimum.accumulate(at_least, axis=1)
    ends = np.pad(falling, ((0, 0), (1, 1)), constant_values=((0.0, 0.0), (1.0, 0.0)))
    result: np.ndarray = ends[:, :-1] - ends[:, 1:]
    return result


def rise_risk(today: np.ndarray, then: np.ndarray, rise: int = RISE) -> np.ndarray:
    """Probability that a grade rises by `rise` or more, `(N,)`.

    Args:
        today, then: of each grade, `(N, G)`.
        rise: steps; two is fast progression.

    >>> rise_risk(np.array([[0.5, 0.5, 0.0]]), np.array([[0.0, 0.2, 0.8]])).tolist()
    [0.4]
    """
    steps = np.arange(today.shape[1])
    counts = steps[None] - steps[:, None] >= rise
    result: np.ndarray = np.einsum("ni,nj,ij->n", today, then, counts.astype(float))
    return result
