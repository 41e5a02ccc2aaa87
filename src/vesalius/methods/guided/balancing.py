"""Balancing: which values of an attribute a cohort lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vesalius.anatomy.attributes import case_values
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress
from vesalius.training.requests import Request, missing_values, subsample

if TYPE_CHECKING:
    from vesalius.methods.guided.pipeline import GuidedPipeline


def missing_targets(
    pipeline: GuidedPipeline, cohort: Cohort, ranges: Mapping[str, tuple[float, float]],
    count: int | None, seed: int, progress: Progress, faults: list[InputProblem],
) -> list[Request]:  # fmt: skip
    """Targets that bring the histogram of one attribute of the training cases up to uniform.

    Args:
        pipeline: that shall generate them.
        cohort: to be balanced.
        ranges: one attribute with its range.
        count: how many, picked at random; all that are missing if `None`.
        seed: of the choice.
        progress: called after each case.
        faults: those of cases that are left out are added.

    Raises:
        InputError: for another cohort than the run was fitted on, or one that lacks nothing.
    """
    if not ranges:
        raise InputError("--attribute", "is missing", pipeline.example)
    if len(ranges) != 1:
        raise InputError(
            "attribute", f"{len(ranges)} were given", "balance one attribute at a time"
        )
    cases = [case for case in cohort.cases if case.split in ("", "train")]
    if not cases:
        raise InputError(cohort.folder, "has no training case", "mark some as train in cases.csv")
    ((name, (low, high)),) = ranges.items()
    known = pipeline.fingerprint
    sound, wrong = cohort.sound(
        cases, progress, lambda case, scan: known.require_match(cohort, scan, case.name)
    )
    faults += [*cohort.faults, *wrong]
    if not sound:
        raise InputError(cohort.folder, "has no sound training case", "mend the cases")
    present = case_values(cohort, name, sound)
    targets = subsample(missing_values(present, name, low, high, seed), count, seed)
    if not targets:
        raise InputError(
            name, f"is uniform from {low:g} to {high:g} already", "choose another range"
        )
    return targets
