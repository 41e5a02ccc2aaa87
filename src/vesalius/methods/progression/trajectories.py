"""What patients' styles did over the years, and where others' are expected to go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TRAJECTORIES = "courses.safetensors"


@dataclass(frozen=True, eq=False)
class Baseline:
    """What is known of patients at their first visit.

    Attributes:
        styles: of their pictures, `(P, W)`.
        predicted: change of read attributes a year that networks expect, `(P, A)`.
    """

    styles: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True, eq=False)
class Trajectories:
    """One trajectory for each subject that came twice or more.

    Attributes:
        patients: whose they are.
        baseline: of each.
        annual_change: change of style a year, `(P, W)`.
        reading_annual_change: change of read attributes a year, `(P, A)`.
        years: between first and last visit, `(P,)`.
        seen: lowest and highest readings at any visit, `(2, A)`.
    """

    patients: tuple[str, ...]
    baseline: Baseline
    annual_change: np.ndarray
    reading_annual_change: np.ndarray
    years: np.ndarray
    seen: np.ndarray

    def __len__(self) -> int:
        return len(self.annual_change)


def ends_annual_change(values: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Last minus first over the time between, as published, `(W,)` of values `(V, W)`.

    >>> ends_annual_change(np.array([[0.0], [5.0], [4.0]]), np.array([0.0, 1.0, 8.0])).tolist()
    [0.5]
    """
    slope: np.ndarray = (values[-1] - values[0]) / (years[-1] - years[0])
    return slope


def fitted_annual_change(values: np.ndarray, years: np.ndarray) -> np.ndarray:
    """The slope of a straight line through all visits: one badly taken picture says less.

    >>> values, years = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 2.0, 4.0])
    >>> fitted_annual_change(values, years).round(6).tolist()
    [0.5]
    """
    apart = years - years.mean()
    slope: np.ndarray = apart @ (values - values.mean(axis=0)) / (apart @ apart)
    return slope


def trajectories_of(
    rows: dict[str, np.ndarray], patients: Sequence[str], years: np.ndarray, styles: np.ndarray,
    readings: np.ndarray, predicted: np.ndarray, all_visits: bool = True,
) -> Trajectories:  # fmt: skip
    """Trajectories of subjects by their rows in time, see `Visits.trajectories`.

    Args:
        rows: of each subject.
        patients: of each row.
        years: of each row.
        styles: of each row, `(N, W)`.
        readings: of each row, `(N, A)`.
        predicted: of each row, `(N, A)`.
        all_visits: fit the annual change over all visits; first and last alone otherwise, as
            published.
    """
    annual_change = fitted_annual_change if all_visits else ends_annual_change
    usable = [own for own in rows.values() if years[own[-1]] > years[own[0]]]
    return Trajectories(
        tuple(patients[own[0]] for own in usable),
        Baseline(*(np.array([one[own[0]] for own in usable]) for one in (styles, predicted))),
        np.array([annual_change(styles[own], years[own]) for own in usable]),
        np.array([annual_change(readings[own], years[own]) for own in usable]),
        np.array([years[own[-1]] - years[own[0]] for own in usable]),
        np.stack([readings.min(axis=0), readings.max(axis=0)]),
    )


def along(
    styles: np.ndarray,
    years: np.ndarray | float,
    trajectories: Trajectories,
    neighbours: np.ndarray,
) -> np.ndarray:
    """Styles after some years along the annual change of each neighbour, `(N, K, W)`.

    Extrapolation in W: every neighbour's change is brought to one year first, and then to the years
    asked for, so neighbours of other follow-ups count alike.

    Args:
        styles: of today, `(N, W)`.
        years: from today, one number or `(N,)`.
        trajectories: of others.
        neighbours: rows of `trajectories`, `(N, K)`.

    >>> baseline = Baseline(np.zeros((2, 1)), np.zeros((2, 1)))
    >>> known = np.array([[1.0], [3.0]]), np.zeros((2, 1)), np.array([2.0, 4.0]), np.zeros((2, 1))
    >>> trajectories = Trajectories(("a", "b"), baseline, *known)
    >>> along(np.zeros((1, 1)), 4.0, trajectories, np.array([[0, 1]])).tolist()
    [[[4.0], [12.0]]]
    """
    ahead = np.broadcast_to(np.asarray(years, dtype=float), len(styles))
    result: np.ndarray = (
        styles[:, None] + ahead[:, None, None] * trajectories.annual_change[neighbours]
    )
    return result
