"""Look at a cohort, measure it, split it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from vesalius.anatomy.attributes import attribute_of, attribute_value, attribute_values
from vesalius.api.cohorts import Given, opened
from vesalius.api.console import bars
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import Case
from vesalius.scans.check import CohortCheck, check_cohort
from vesalius.scans.cohort import Cohort, update_table
from vesalius.scans.computing import chosen_workers
from vesalius.scans.description import declare
from vesalius.scans.executor import each
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.output import sole_writer
from vesalius.scans.progress import Progress
from vesalius.scans.split import split_by_subject


def check(
    cohort: Given, attributes: Sequence[str] = (), *, progress: Progress | None = None
) -> CohortCheck:  # fmt: skip
    """Read every case: counts, geometry, labels, attributes, what is rare, and all faults.

    Parameters
    ----------
    cohort
        in nnU-Net v2 raw format.
    attributes
        to be measured beside those in `cases.csv`, such as `tumour_volume_ml`.
    progress
        called after each case; bars if `None`.

    Raises
    ------
    InputError
        for a folder that is no cohort, or an attribute that its labels do not carry.
    """
    given = opened(cohort, True)
    wanted = [attribute_of(given.description, name) for name in attributes]
    measures = {
        one.name: partial(attribute_value, one, label_values=given.description.labels)
        for one in wanted
    }
    with bars(progress) as report:
        return check_cohort(given, measures, report)


@dataclass(frozen=True)
class Measured:
    """Attributes in mL or mm by name and case, and what is wrong with cases left out."""

    values: Mapping[str, Mapping[str, float]]
    faults: tuple[InputProblem, ...]


def measure(
    cohort: Given, attributes: Sequence[str], *, progress: Progress | None = None
) -> Measured:  # fmt: skip
    """Measure attributes on all label maps and write them to `cases.csv`.

    Parameters
    ----------
    cohort
        in nnU-Net v2 raw format.
    attributes
        known ones (`ventricle_volume_ml`), `<label>_volume_ml`, `<label>_height_mm`, or
        declarations such as `organ_volume_ml=liver+tumour`.
    progress
        called after each case; bars if `None`.

    Raises
    ------
    InputError
        for an attribute that the labels do not carry, or where no case can be measured.
    """
    if not attributes:
        raise InputError("--attribute", "is missing", "name one, such as tumour_volume_ml")
    given = opened(cohort, True)
    description = given.description
    wanted = [attribute_of(description, name) for name in attributes]
    values: dict[str, dict[str, float]] = {one.name: {} for one in wanted}
    faults = list(given.faults)
    with bars(progress) as report:
        work = partial(_measured, given.alone(), wanted)
        rows = each(work, given.cases, "measuring", report, chosen_workers(1))
        for case, row in zip(given.cases, rows, strict=True):
            if isinstance(row, InputProblem):
                faults.append(row)
                continue
            for name, value in row.items():
                values[name][case.name] = value
    if not any(values.values()):
        raise InputError(given.folder, f"has no case to measure ({faults[0]})", "mend the cases")
    cells = {n: {case: f"{x:.6g}" for case, x in own.items()} for n, own in values.items()}
    with sole_writer(given.folder):
        update_table(given, cells)
        declare(given.folder, wanted)
    return Measured(values, tuple(faults))


def _measured(
    cohort: Cohort, wanted: Sequence[Attribute], case: Case
) -> dict[str, float] | InputProblem:
    """Attributes of one case."""
    try:
        label_map = cohort.read(case).label_map
    except InputError as refusal:
        return refusal.fault
    return attribute_values(wanted, label_map, cohort.description.labels)


def split(
    cohort: Given, train: float = 0.8, val: float = 0.1, test: float = 0.1, *, seed: int = 0
) -> dict[str, tuple[Case, ...]]:
    """Split a cohort by subject, never by case, and write the split to `cases.csv`.

    Parameters
    ----------
    cohort
        in nnU-Net v2 raw format.
    train, val, test
        shares of the subjects, which add up to 1; 0 leaves a split out.
    seed
        decides which subject goes where.

    Returns
    -------
    The cases of each split.

    Raises
    ------
    InputError
        for faulty cases, or shares that cannot be met.
    """
    given = opened(cohort, True)
    if given.faults:
        fault = f"has {len(given.faults)} faulty cases ({given.faults[0]})"
        remedy = "mend them, so that the table stays whole; vesalius cohort check lists them"
        raise InputError(given.folder, fault, remedy)
    shares = {name: x for name, x in (("train", train), ("val", val), ("test", test)) if x > 0}
    placed = split_by_subject(given.cases, shares, seed)
    with sole_writer(given.folder):
        update_table(given, {"split": {case.name: case.split for case in placed}})
    return {name: tuple(case for case in placed if case.split == name) for name in shares}
