"""Trajectories and neighbours: time is scaled rightly, nobody is their own neighbour, metrics
matter.
"""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.methods.progression.neighbours import METRICS, MetricName, metric_of, nearest
from vesalius.methods.progression.trajectories import Baseline, Trajectories, along, trajectories_of


def _patients(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Styles of many directions of which the product of two decides the annual change."""
    rng = np.random.default_rng(seed)
    styles = rng.standard_normal((count, 10)) * np.array([1, 1, *[2.5] * 8])
    annual_change = np.zeros((count, 10))
    annual_change[:, 9] = styles[:, 0] * np.maximum(styles[:, 1], 0)
    return styles, annual_change


def _trajectories(count: int, seed: int) -> Trajectories:
    styles, annual_change = _patients(count, seed)
    rng = np.random.default_rng(seed + 1)
    noisy, predicted = (
        annual_change[:, 9:] + s * rng.standard_normal((count, 1)) for s in (0.1, 0.2)
    )
    baseline = Baseline(styles, predicted)
    seen = np.stack([noisy.min(axis=0), noisy.max(axis=0)])
    return Trajectories(
        tuple(map(str, range(count))), baseline, annual_change, noisy, np.full(count, 4.0), seen
    )


@pytest.mark.parametrize("name", METRICS)
def test_neighbours_are_the_nearest_and_never_oneself(name: MetricName) -> None:
    trajectories = _trajectories(40, 0)
    metric = metric_of(name, trajectories)
    found = nearest(metric, trajectories, trajectories.baseline, 3, trajectories.patients)
    assert found.shape == (40, 3)
    assert not (found == np.arange(40)[:, None]).any()
    alone = nearest(metric, trajectories, trajectories.baseline, 1)
    assert alone[:, 0].tolist() == list(range(40))


def test_those_of_whom_alike_is_foretold_share_a_fate() -> None:
    trajectories, requested = _trajectories(400, 0), _trajectories(200, 7)
    error = {}
    for name in METRICS:
        rows = nearest(metric_of(name, trajectories), trajectories, requested.baseline, 10)
        found = along(requested.baseline.styles, 1.0, trajectories, rows).mean(axis=1)
        gap = found - requested.baseline.styles - requested.annual_change
        error[name] = float(np.abs(gap[:, 9]).mean())
    nothing = float(np.abs(requested.annual_change[:, 9]).mean())
    assert error["foretold"] < 0.85 * min(error["published"], error["spread"], nothing)


def test_visits_at_any_years_give_the_same_drift_a_year() -> None:
    years = np.array([0.0, 1.0, 8.0, 0.0, 4.0])
    styles = np.outer(years, [0.5, -1.0])
    rows = {"a": np.array([0, 1, 2]), "b": np.array([3, 4]), "c": np.array([3])}
    for all_visits in (False, True):
        found = trajectories_of(
            rows, list("aaabb"), years, styles, styles[:, :1], styles, all_visits
        )
        assert found.patients == ("a", "b") and found.years.tolist() == [8.0, 4.0]
        assert np.allclose(found.annual_change, [[0.5, -1.0]] * 2)
        one, two = (along(np.zeros((1, 2)), 3.0, found, np.array([[k]])) for k in (0, 1))
        assert np.allclose(one, two) and np.allclose(one, [[1.5, -3.0]])
