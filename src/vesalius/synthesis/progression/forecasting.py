"""Networks that foretell from one picture how fast its attributes will change.

They learn from pictures that were followed by others, whatever became of the patients otherwise.
Two are fitted, each on every other patient, so that each patient of the courses is told by one that
has not seen them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vesalius.scans.visits import Visits
from vesalius.synthesis.progression.courses import fitted_drift
from vesalius.synthesis.progression.reader import AttributeReader, read_attributes


def yearly(attributes: Sequence[str]) -> tuple[str, ...]:
    """Names of the attributes' changes a year.

    >>> yearly(["joint_space_mm_medial"])
    ('joint_space_mm_medial_a_year',)
    """
    return tuple(f"{name}_a_year" for name in attributes)


def followed_by(visits: Visits, attributes: Sequence[str]) -> Visits:
    """Visits after which others came, with the drift of attributes from then on, see `yearly`."""
    known = np.stack([visits.attributes[name] for name in attributes], axis=1)
    rows, drifts = [], []
    for own in visits.courses().values():
        for at, row in enumerate(own):
            later = own[at:]
            later = later[~np.isnan(known[later]).any(axis=1)]
            if len(later) > 1 and later[0] == row and visits.years[later[-1]] > visits.years[row]:
                rows.append(int(row))
                drifts.append(fitted_drift(known[later], visits.years[later]))
    columns = np.reshape(drifts, (len(rows), len(attributes))).T
    names = yearly(attributes)
    return replace(visits.taken(rows), attributes=dict(zip(names, columns, strict=True)))


def sides_of(visits: Visits) -> np.ndarray:
    """0 or 1 for each visit, every other patient: nobody taught both networks of a pair."""
    order = {patient: number for number, patient in enumerate(sorted(set(visits.patients)))}
    return np.array([order[patient] % 2 for patient in visits.patients])


def foretold_of(
    pair: tuple[AttributeReader, AttributeReader], visits: Visits
) -> np.ndarray:  # fmt: skip
    """The change a year that is foretold of patients who taught one of a pair, `(N, A)`.

    Each is told by the other one.
    """
    first, second = (read_attributes(network, visits.images) for network in pair)
    found: np.ndarray = np.where(sides_of(visits)[:, None] == 0, second, first)
    return found


def foretell(pair: tuple[AttributeReader, AttributeReader], images: np.ndarray) -> np.ndarray:
    """The change a year that is foretold of others' pictures, the mean of both `(N, A)`."""
    first, second = (read_attributes(network, images) for network in pair)
    found: np.ndarray = (first + second) / 2
    return found
