"""Cohorts as they are given: opened, a folder, or what a generation returned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress

if TYPE_CHECKING:
    from vesalius.evidence.copies import CopySearch
    from vesalius.sampling.cohort import GeneratedCohort

Given: TypeAlias = "str | Path | Cohort | GeneratedCohort"


def opened(cohort: Given, labelled: bool = False) -> Cohort:
    """A cohort, read from its folder if need be.

    Raises
    ------
    InputError
        for a folder that holds none, or lacks label maps that are needed.
    """
    given: Any = getattr(cohort, "cohort", cohort)
    return given if isinstance(given, Cohort) else Cohort.open(given, labelled)


def place_of(cohort: Given | None) -> Path | None:
    """The folder of a cohort, if one is given."""
    return None if cohort is None else Path(cohort)


def copy_gate(
    pipeline: Any, cohort: Given | None, labels: Mapping[str, int], allow_copies: bool,
    progress: Progress,
) -> Callable[[], CopySearch] | None:  # fmt: skip
    """What reads the training cases that nothing may be a copy of, if they are at hand.

    Raises
    ------
    InputError
        for a cohort of other channels than the run was fitted on, or of too few training cases.
    """
    from vesalius.evidence.copies import CopySearch, require_training_cases

    if cohort is None or allow_copies:
        return None
    real = opened(cohort)
    if real.description.channels != pipeline.fingerprint.channels:
        where = real.folder / "dataset.json"
        raise InputError(where, "has other channels than the run", "name the training cohort")
    require_training_cases(real)
    same = dict(labels) == dict(real.description.labels)
    labelled = same and all(case.label_map for case in real.cases)
    return partial(CopySearch.of, real, labelled, progress)
