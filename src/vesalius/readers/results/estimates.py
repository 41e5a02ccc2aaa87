"""Estimates over readers and cases as figures."""

from __future__ import annotations

import numpy as np
from scipy import stats

from vesalius.evidence.agreement import Level, alpha, alpha_figure, share
from vesalius.evidence.figure import Figure
from vesalius.evidence.multireader import Estimate, Jackknifed, each_condition, each_pair


def conditions(figure: Jackknifed, unit: str, cases: int) -> list[Figure]:
    """The mean over readers under each condition; of one reader, for other cases alone."""
    if figure.values.shape[1] < 2:
        return [_alone(figure, row, unit, cases) for row in range(len(figure.values))]
    return [_figure(one, unit, cases) for one in each_condition(figure)]


def pairs(figure: Jackknifed, unit: str, cases: int) -> dict[tuple[int, int], tuple[Figure, float]]:
    """Differences of pairs of conditions with their p; none for one reader."""
    if figure.values.shape[1] < 2:
        return {}
    return {pair: (_figure(one, unit, cases), one.p) for pair, one in each_pair(figure).items()}


def agreement(
    name: str, ratings: np.ndarray, again: list[tuple[float, float]], level: Level
) -> dict[str, Figure]:  # fmt: skip
    """Agreement of readers with each other, of `(R, N)` values, and with themselves."""
    found: dict[str, Figure] = {}
    if len(ratings) > 1:
        found[f"agreement/{name}/alpha"] = alpha_figure(ratings, level)
    if again:
        same = sum(first == second for first, second in again)
        found[f"agreement/{name}/same_again"] = share(same, len(again))
        both = np.array(again).T
        found[f"agreement/{name}/alpha_again"] = Figure(
            alpha(both, level), "alpha", len(again), None
        )
    return found


def _figure(one: Estimate, unit: str, cases: int) -> Figure:
    return Figure(one.value, unit, cases, (one.low, one.high))


def _alone(figure: Jackknifed, row: int, unit: str, cases: int) -> Figure:
    value = float(figure.values[row, 0])
    error = float(np.sqrt(max(figure.covariances()[row, 0, row, 0], 0.0)))
    reach = float(stats.norm.ppf(0.975)) * error
    return Figure(value, unit, cases, (value - reach, value + reach))
