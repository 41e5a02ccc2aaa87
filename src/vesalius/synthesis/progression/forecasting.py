"""Networks that foretell from one picture how fast its attributes will change.

They learn from pictures that were followed by others, whatever became of the patients otherwise.
Two are fitted, each on every other patient, so that each patient of the courses is told by one that
has not seen them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def completed(visits: Visits, attributes: Sequence[str], reader: AttributeReader) -> Visits:
    """Visits whose unknown attributes are read off their pictures."""
    read = read_attributes(reader, visits.images)
    known = {name: visits.attributes[name] for name in attributes}
    filled = {
        name: np.where(np.isnan(values), read[:, column], values)
        for column, (name, values) in enumerate(known.items())
    }
    return replace(visits, attributes=visits.attributes | filled)


def sides_of(patients: Sequence[str]) -> dict[str, int]:
    """0 or 1 for each patient, every other one: nobody taught both networks of a pair.

    >>> sides_of(["b", "a", "b", "c"])
    {'a': 0, 'b': 1, 'c': 0}
    """
    return {patient: number % 2 for number, patient in enumerate(sorted(set(patients)))}


def foretold_of(
    pair: tuple[AttributeReader, AttributeReader], visits: Visits, sides: Mapping[str, int]
) -> np.ndarray:  # fmt: skip
    """The change a year that is foretold of patients who taught one of a pair, `(N, A)`.

    Each is told by the other one.

    Args:
        pair: of networks.
        visits: of patients who taught them.
        sides: which of both each patient taught, see `sides_of`.
    """
    first, second = (read_attributes(network, visits.images) for network in pair)
    own = np.array([sides[patient] for patient in visits.patients])
    found: np.ndarray = np.where(own[:, None] == 0, second, first)
    return found


def foretell(pair: tuple[AttributeReader, AttributeReader], images: np.ndarray) -> np.ndarray:
    """The change a year that is foretold of others' pictures, the mean of both `(N, A)`."""
    first, second = (read_attributes(network, images) for network in pair)
    found: np.ndarray = (first + second) / 2
    return found
