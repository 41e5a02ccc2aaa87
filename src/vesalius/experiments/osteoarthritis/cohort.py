"""Patients with what became of them: first and last picture, outcome, and what no picture tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.methods.classification.grading import RISE
from vesalius.scans.visit_layouts import GRADE
from vesalius.scans.visits import Visits

DRIVERS = ("alignment_degrees", "severity")


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Patients at their first visit, and at their last.

    Attributes:
        first, last: visits of the same patients in the same order.
        fast: whether the grade rose by more than one, `(P,)`.
        styles: of the first pictures, `(P, W)`.
    """

    first: Visits
    last: Visits
    fast: np.ndarray
    styles: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    @property
    def years(self) -> np.ndarray:
        """Between both visits."""
        between: np.ndarray = self.last.years - self.first.years
        return between

    @property
    def targets(self) -> np.ndarray:
        """Outcomes as the one label there is, `(P, 1)`."""
        return self.fast.astype(np.float32)[:, None]

    @property
    def images(self) -> np.ndarray:
        """First pictures `(P, C, S, S)`."""
        return self.first.images.astype(np.float32)


def ends_of(visits: Visits) -> tuple[Visits, Visits]:
    """First and last visits of those who came again."""
    rows = visits.followed()
    first, last = (visits.taken([own[end] for own in rows]) for end in (0, -1))
    return first, last


def outcomes_of(first: Visits, last: Visits, styles: np.ndarray) -> Outcomes:
    """Patients with their outcome, which follows from both grades."""
    rise = last.attributes[GRADE] - first.attributes[GRADE]
    return Outcomes(first, last, rise >= RISE, styles)


def joint_spaces(visits: Visits, names: tuple[str, ...]) -> np.ndarray:
    """True attributes of visits, `(N, K)`."""
    return np.stack([visits.attributes[name] for name in names], axis=1)


def drivers(visits: Visits, names: tuple[str, ...]) -> np.ndarray:
    """What truly drives the disease, `(N, D)`: alignment by severity, and the joint spaces."""
    tilt_angle, severity = (visits.attributes[name] for name in DRIVERS)
    return np.column_stack(
        [tilt_angle, severity, tilt_angle * severity, joint_spaces(visits, names)]
    )
