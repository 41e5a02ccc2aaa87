"""Who is like whom: metrics in which a patient's neighbours are looked for.

The nearest in W share pose, size and exposure before they share a outcome. Where networks that have
seen follow-up pictures alone predict the change to come, patients of whom alike is predicted are
neighbours: no outcome is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import numpy as np

from vesalius.methods.progression.trajectories import Baseline, Trajectories

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


class StdMetric:
    """Styles along their principal axes, each in its own spread (Mahalanobis)."""

    def __init__(self, trajectories: Trajectories) -> None:
        styles = trajectories.baseline.styles
        self.mean = styles.mean(axis=0)
        _, values, axes = np.linalg.svd(styles - self.mean, full_matrices=False)
        share = values**2 / (values**2).sum()
        kept = share > 1e-3
        self.axes = axes[kept].T / (values[kept] / np.sqrt(max(1, len(styles) - 1)))

    def placed(self, baseline: Baseline) -> np.ndarray:
        result: np.ndarray = (baseline.styles - self.mean) @ self.axes
        return result


class PredictedMetric:
    """What is predicted of patients, each attribute's change in its own spread."""

    def __init__(self, trajectories: Trajectories) -> None:
        self.std = trajectories.baseline.predicted.std(axis=0) + 1e-9

    def placed(self, baseline: Baseline) -> np.ndarray:
        result: np.ndarray = baseline.predicted / self.std
        return result


def metric_of(name: MetricName, trajectories: Trajectories) -> Metric:
    """The metric of a name, made from trajectories."""
    kinds: dict[MetricName, Callable[[], Metric]] = {
        "published": PublishedMetric, "spread": lambda: StdMetric(trajectories),
        "foretold": lambda: PredictedMetric(trajectories),
    }  # fmt: skip
    return kinds[name]()


def nearest(
    metric: Metric,
    trajectories: Trajectories,
    baseline: Baseline,
    count: int,
    owners: Sequence[str] = (),
) -> np.ndarray:
    """Rows of the `count` nearest trajectories, nearest first, `(N, count)`.

    Args:
        metric: in which distances are taken.
        trajectories: of others.
        baseline: of N patients.
        count: of neighbours.
        owners: patients whose baselines they are; nobody is a neighbour of their own.
    """
    known, requested = metric.placed(trajectories.baseline), metric.placed(baseline)
    apart = ((requested[:, None] - known[None]) ** 2).sum(axis=2)
    if owners:
        apart[np.array(owners)[:, None] == np.array(trajectories.patients)[None]] = np.inf
    return np.argsort(apart, axis=1, kind="stable")[:, :count]


def extents(changes: np.ndarray) -> np.ndarray:
    """How large changes `(…, A)` are: their length, each attribute in its own root mean square.

    >>> extents(np.array([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]])).round(3).tolist()
    [1.732, 1.732, 0.0]
    """
    flat = changes.reshape(-1, changes.shape[-1])
    result: np.ndarray = np.linalg.norm(changes / (np.sqrt((flat**2).mean(axis=0)) + 1e-9), axis=-1)
    return result


def subsample(rows: np.ndarray, trajectories: Trajectories, generated: int) -> np.ndarray:
    """At most `generated` of each patient's neighbours `(N, K)`, evenly by how much they changed.

    Sorted by what their readings lost or gained, the middle one of each of `generated` equal
    shares: few pictures tell of many neighbours.

    >>> change = np.arange(6.0)[:, None]
    >>> known = change, change, np.ones(6), change[[0, 5]]
    >>> trajectories = Trajectories(("",) * 6, Baseline(change, change), *known)
    >>> subsample(np.array([[5, 0, 3, 1, 2, 4]]), trajectories, 2).tolist()
    [[1, 4]]
    """
    count = rows.shape[1]
    if count <= generated:
        return rows
    order = np.argsort(extents(trajectories.reading_annual_change)[rows], axis=1, kind="stable")
    middles = ((np.arange(generated) + 0.5) * count / generated).astype(int)
    return np.take_along_axis(rows, order[:, middles], axis=1)
