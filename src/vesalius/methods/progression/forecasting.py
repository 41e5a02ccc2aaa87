"""Networks that predict from one picture how fast its attributes will change.

They learn from pictures that were followed by others, whatever became of the patients otherwise.
Several are fitted, each without its share of the patients, so that each patient of the trajectories
is told by the one that has not seen them, and others by the mean of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from vesalius.methods.progression.evaluator import AttributeEvaluator, read_attributes
from vesalius.methods.progression.trajectories import fitted_annual_change
from vesalius.scans.visits import Visits


def annual_change_names(attributes: Sequence[str]) -> tuple[str, ...]:
    """Names of the attributes' changes a year.

    >>> annual_change_names(["joint_space_mm_medial"])
    ('joint_space_mm_medial_a_year',)
    """
    return tuple(f"{name}_a_year" for name in attributes)


def followed_by(visits: Visits, attributes: Sequence[str]) -> Visits:
    """Visits that others followed, with the annual change of attributes from then on."""
    known = np.stack([visits.attributes[name] for name in attributes], axis=1)
    rows, annual_changes = [], []
    for own in visits.trajectories().values():
        for at, row in enumerate(own):
            later = own[at:]
            later = later[~np.isnan(known[later]).any(axis=1)]
            if len(later) > 1 and later[0] == row and visits.years[later[-1]] > visits.years[row]:
                rows.append(int(row))
                annual_changes.append(fitted_annual_change(known[later], visits.years[later]))
    columns = np.reshape(annual_changes, (len(rows), len(attributes))).T
    names = annual_change_names(attributes)
    return replace(visits.taken(rows), attributes=dict(zip(names, columns, strict=True)))


def completed(visits: Visits, attributes: Sequence[str], evaluator: AttributeEvaluator) -> Visits:
    """Visits whose unknown attributes are read off their pictures."""
    read = read_attributes(evaluator, visits.images)
    known = {name: visits.attributes[name] for name in attributes}
    filled = {
        name: np.where(np.isnan(values), read[:, column], values)
        for column, (name, values) in enumerate(known.items())
    }
    return replace(visits, attributes=visits.attributes | filled)


def folds_of(patients: Sequence[str], folds: int) -> dict[str, int]:
    """The fold of each patient, by turns in order of their names.

    >>> folds_of(["b", "a", "b", "c"], 2)
    {'a': 0, 'b': 1, 'c': 0}
    """
    return {patient: number % folds for number, patient in enumerate(sorted(set(patients)))}


def predicted_of(
    networks: Sequence[AttributeEvaluator], visits: Visits, folds: Mapping[str, int]
) -> np.ndarray:  # fmt: skip
    """The change a year that is predicted of patients who taught all but one network, `(N, A)`.

    Each is told by that one.

    Args:
        networks: each fitted without the fold of its number.
        visits: of patients who taught them.
        folds: of each patient, see `folds_of`.
    """
    each = np.stack([read_attributes(network, visits.images) for network in networks])
    own = np.array([folds[patient] for patient in visits.patients])
    result: np.ndarray = each[own, np.arange(len(visits))]
    return result


def predict_changes(networks: Sequence[AttributeEvaluator], images: np.ndarray) -> np.ndarray:
    """The change a year that is predicted of others' pictures, the mean of all networks `(N,
    A)`.
    """
    result: np.ndarray = np.mean([read_attributes(one, images) for one in networks], axis=0)
    return result
