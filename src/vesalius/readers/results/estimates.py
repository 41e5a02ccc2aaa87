"""Estimates over readers and cases as figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.evidence.agreement import Level, alpha, alpha_figure
from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.intervals import proportion
from vesalius.evidence.multireader import (
    Estimate,
    Jackknifed,
    each_condition,
    each_pair,
    share_of,
)

MADE = "Obuchowski and Rockette's, by a jackknife over subjects; for other readers where several"


def conditions(figure: Jackknifed, cases: int) -> list[Figure]:
    """The mean over readers under each condition; of one reader, for other cases alone."""
    return [_figure(one, cases) for one in each_condition(figure)]


def shares(figure: Jackknifed, cases: int, least: int) -> list[Figure]:
    """The same of figures between 0 and 1, shares or AUCs; `least` looks as in `share_of`."""
    most = cases * figure.values.shape[1]
    return [_figure(share_of(one, least, most), cases) for one in each_condition(figure)]


def alone(figure: Jackknifed) -> list[Jackknifed]:
    """The same figure of each reader alone."""
    return [
        Jackknifed(figure.values[:, row : row + 1], figure.without[:, :, row : row + 1])
        for row in range(figure.values.shape[1])
    ]


def pairs(figure: Jackknifed, cases: int) -> dict[tuple[int, int], tuple[Figure, float]]:
    """Differences of pairs of conditions with their p; none for one reader."""
    if figure.values.shape[1] < 2:
        return {}
    return {pair: (_figure(one, cases), one.p) for pair, one in each_pair(figure).items()}


def agreement(
    name: str, ratings: np.ndarray, again: list[tuple[float, float]], level: Level,
    subjects: Sequence[str],
) -> dict[str, Figure]:  # fmt: skip
    """Agreement of readers with each other, of `(R, N)` values, and with themselves."""
    result: dict[str, Figure] = {}
    if len(ratings) > 1:
        result[f"agreement/{name}/alpha"] = alpha_figure(ratings, level, subjects=subjects)
    if again:
        same = sum(first == second for first, second in again)
        result[f"agreement/{name}/same_again"] = proportion(same, len(again), "repeated cases")
        both = np.array(again).T
        result[f"agreement/{name}/alpha_again"] = counted(
            alpha(both, level), "", len(again), "repeated cases", "of a few repeats"
        )
    return result


def _figure(one: Estimate, cases: int) -> Figure:
    """Without an interval where nothing varies, for then there is nothing to tell it from."""
    if not one.high > one.low:
        return counted(one.value, "", cases, "cases", "nothing varies")
    return Figure(one.value, "", cases, (one.low, one.high), counts="cases", interval=MADE)
