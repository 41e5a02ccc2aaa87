"""Who is like whom: metrics in which a patient's neighbours are looked for.

The nearest in W share pose, size and exposure before they share a fate. Where networks that have
seen follow-up pictures alone foretell the change to come, patients of whom alike is foretold are
neighbours: no outcome is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import numpy as np

from vesalius.methods.progression.courses import Baseline, Courses

MetricName = Literal["published", "spread", "foretold"]
METRICS: tuple[MetricName, ...] = ("published", "spread", "foretold")


class Metric(Protocol):
    """Places patients where distances mean something."""

    def placed(self, baseline: Baseline) -> np.ndarray:
        """Where N patients lie, `(N, E)`."""


class PublishedMetric:
    """Styles brought to unit length, as in the code of Han et al. 2021.

    >>> baseline = Baseline(np.array([[3.0, 4.0]]), np.zeros((1, 1)))
    >>> PublishedMetric().placed(baseline).tolist()
    [[0.6, 0.8]]
    """

    def placed(self, baseline: Baseline) -> np.ndarray:
        styles = baseline.styles
        unit: np.ndarray = styles / np.linalg.norm(styles, axis=1, keepdims=True)
        return unit


class SpreadMetric:
    """Styles along their principal axes, each in its own spread (Mahalanobis)."""

    def __init__(self, courses: Courses) -> None:
        begun = courses.baseline.styles
        self.mean = begun.mean(axis=0)
        _, values, axes = np.linalg.svd(begun - self.mean, full_matrices=False)
        share = values**2 / (values**2).sum()
        kept = share > 1e-3
        self.axes = axes[kept].T / (values[kept] / np.sqrt(max(1, len(begun) - 1)))

    def placed(self, baseline: Baseline) -> np.ndarray:
        found: np.ndarray = (baseline.styles - self.mean) @ self.axes
        return found


class ForetoldMetric:
    """What is foretold of patients, each attribute's change in its own spread."""

    def __init__(self, courses: Courses) -> None:
        self.spread = courses.baseline.foretold.std(axis=0) + 1e-9

    def placed(self, baseline: Baseline) -> np.ndarray:
        found: np.ndarray = baseline.foretold / self.spread
        return found


def metric_of(name: MetricName, courses: Courses) -> Metric:
    """The metric of a name, made from courses."""
    kinds: dict[MetricName, Callable[[], Metric]] = {
        "published": PublishedMetric, "spread": lambda: SpreadMetric(courses),
        "foretold": lambda: ForetoldMetric(courses),
    }  # fmt: skip
    return kinds[name]()


def nearest(
    metric: Metric, courses: Courses, baseline: Baseline, count: int, owners: Sequence[str] = ()
) -> np.ndarray:  # fmt: skip
    """Rows of the `count` nearest courses, nearest first, `(N, count)`.

    Args:
        metric: in which distances are taken.
        courses: of others.
        baseline: of N patients.
        count: of neighbours.
        owners: patients whose baselines they are; nobody is a neighbour of their own.
    """
    known, asked = metric.placed(courses.baseline), metric.placed(baseline)
    apart = ((asked[:, None] - known[None]) ** 2).sum(axis=2)
    if owners:
        apart[np.array(owners)[:, None] == np.array(courses.patients)[None]] = np.inf
    return np.argsort(apart, axis=1, kind="stable")[:, :count]


def extents(changes: np.ndarray) -> np.ndarray:
    """How large changes `(…, A)` are: their length, each attribute in its own root mean square.

    >>> extents(np.array([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]])).round(3).tolist()
    [1.732, 1.732, 0.0]
    """
    flat = changes.reshape(-1, changes.shape[-1])
    found: np.ndarray = np.linalg.norm(changes / (np.sqrt((flat**2).mean(axis=0)) + 1e-9), axis=-1)
    return found


def thinned(rows: np.ndarray, courses: Courses, drawn: int) -> np.ndarray:
    """At most `drawn` of each patient's neighbours `(N, K)`, evenly by how much they changed.

    Sorted by what their readings lost or gained, the middle one of each of `drawn` equal shares:
    few pictures tell of many neighbours.

    >>> drift = np.arange(6.0)[:, None]
    >>> baseline = Baseline(drift, drift)
    >>> courses = Courses(("",) * 6, baseline, drift, drift, np.ones(6), drift[[0, 5]])
    >>> thinned(np.array([[5, 0, 3, 1, 2, 4]]), courses, 2).tolist()
    [[1, 4]]
    """
    count = rows.shape[1]
    if count <= drawn:
        return rows
    order = np.argsort(extents(courses.reading_drift)[rows], axis=1, kind="stable")
    middles = ((np.arange(drawn) + 0.5) * count / drawn).astype(int)
    return np.take_along_axis(rows, order[:, middles], axis=1)
