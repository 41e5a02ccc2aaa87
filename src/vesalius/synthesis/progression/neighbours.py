"""Who is like whom: metrics in which a patient's neighbours are looked for.

The nearest in W share pose, size and exposure before they share a fate. A learnt metric places
patients by what their picture says of the change to come, which follow-up pictures alone teach: no
outcome is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import numpy as np
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict

from vesalius.synthesis.progression.courses import Courses

MetricName = Literal["published", "spread", "learnt"]
METRICS: tuple[MetricName, ...] = ("published", "spread", "learnt")
FOLDS = 5
GRID = {"alpha": (0.1, 1.0, 10.0), "gamma": (0.001, 0.003, 0.01, 0.03)}


class Metric(Protocol):
    """Places styles where distances mean something."""

    def known(self) -> np.ndarray:
        """Where the courses that it was made from lie, `(P, E)`."""

    def placed(self, styles: np.ndarray) -> np.ndarray:
        """Where styles `(N, W)` lie, `(N, E)`."""


class PublishedMetric:
    """Styles brought to unit length, as in the code of Han et al. 2021.

    >>> courses = Courses(("a",), np.array([[3.0, 4.0]]), np.zeros((1, 2)), np.zeros((1, 1)),
    ...                   np.ones(1))
    >>> PublishedMetric(courses).known().tolist()
    [[0.6, 0.8]]
    """

    def __init__(self, courses: Courses) -> None:
        self.begun = courses.begun

    def known(self) -> np.ndarray:
        return self.placed(self.begun)

    def placed(self, styles: np.ndarray) -> np.ndarray:
        unit: np.ndarray = styles / np.linalg.norm(styles, axis=1, keepdims=True)
        return unit


class SpreadMetric:
    """Styles along their principal axes, each in its own spread (Mahalanobis)."""

    def __init__(self, courses: Courses) -> None:
        self.begun, self.mean = courses.begun, courses.begun.mean(axis=0)
        _, values, axes = np.linalg.svd(self.begun - self.mean, full_matrices=False)
        share = values**2 / (values**2).sum()
        kept = share > 1e-3
        self.axes = axes[kept].T / (values[kept] / np.sqrt(max(1, len(self.begun) - 1)))

    def known(self) -> np.ndarray:
        return self.placed(self.begun)

    def placed(self, styles: np.ndarray) -> np.ndarray:
        found: np.ndarray = (styles - self.mean) @ self.axes
        return found


class LearntMetric:
    """The change of read attributes that a style lets expect, by kernel ridge regression.

    Training patients are placed by models that did not see them; strength and width are chosen by
    cross validation over patients.
    """

    def __init__(self, courses: Courses) -> None:
        self.space = SpreadMetric(courses)
        inputs, targets = self.space.known(), courses.reading_drift
        self.scale = targets.std(axis=0) + 1e-9
        folds = GroupKFold(min(FOLDS, len(set(courses.patients))))
        split = list(folds.split(inputs, groups=courses.patients))
        search = GridSearchCV(KernelRidge(kernel="rbf"), GRID, cv=split)
        self.level = (targets / self.scale).mean(axis=0)
        centred = targets / self.scale - self.level
        search.fit(inputs, centred)
        self.model = search.best_estimator_
        self._known = cross_val_predict(self.model, inputs, centred, cv=split) + self.level

    def known(self) -> np.ndarray:
        return self._known

    def placed(self, styles: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.model.predict(self.space.placed(styles)) + self.level
        return found


def metric_of(name: MetricName, courses: Courses) -> Metric:
    """The metric of a name, made from courses."""
    kinds: dict[MetricName, Callable[[Courses], Metric]] = {
        "published": PublishedMetric, "spread": SpreadMetric, "learnt": LearntMetric,
    }  # fmt: skip
    return kinds[name](courses)


def nearest(
    metric: Metric, styles: np.ndarray, count: int, patients: Sequence[str] = (),
    owners: Sequence[str] = (),
) -> np.ndarray:  # fmt: skip
    """Rows of the `count` nearest courses, nearest first, `(N, count)`.

    Args:
        metric: in which distances are taken.
        styles: `(N, W)`.
        count: of neighbours.
        patients: of the courses, and
        owners: of the styles; nobody is a neighbour of their own.
    """
    known, asked = metric.known(), metric.placed(styles)
    apart = ((asked[:, None] - known[None]) ** 2).sum(axis=2)
    if owners:
        apart[np.array(owners)[:, None] == np.array(patients)[None]] = np.inf
    return np.argsort(apart, axis=1, kind="stable")[:, :count]
