"""Balancing: which findings a cohort lacks, and which healthy levels can take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from vesalius.methods.inpainting.sampling import (
    LEAST_NARROWING_MM,
    EditRequest,
    FindingRequest,
    edit_request,
)
from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.landmarks import Landmark
from vesalius.scans.progress import Progress, no_progress, track

if TYPE_CHECKING:
    from vesalius.methods.inpainting.pipeline import InpaintingPipeline

Cell = tuple[str, str]


def missing_findings(
    cohort: Cohort, marks: Mapping[str, Sequence[Landmark]], pipeline: InpaintingPipeline,
    count: int | None, seed: int, progress: Progress = no_progress,
    faults: list[InputProblem] | None = None,
) -> list[EditRequest]:  # fmt: skip
    """Requests that fill each cell of pathology × level up to the fullest, from healthy levels.

    Donors are the real cases that are no `val` or `test`; each cell takes them in turn at random,
    sizes evenly over what was seen.

    Args:
        cohort: to be balanced.
        marks: its landmarks by case.
        pipeline: that will carry out the requests.
        count: how many, the emptiest cells first; as many as are missing if `None`.
        seed: of the choice.
        faults: those of cases that cannot be donors are added.
    """
    rng = np.random.default_rng(seed)
    donors = [c for c in cohort.cases if c.split not in ("val", "test") and not c.synthetic]
    names = {case.name for case in donors}
    training_range = pipeline.training_range
    cells = {
        (p.name, level): 0 for p in training_range.pathologies for level in training_range.levels
    }
    for name, own in marks.items():
        for mark in own:
            if name in names and (mark.pathology, mark.level) in cells:
                cells[mark.pathology, mark.level] += 1
    wanted = fill(cells, count)
    free, wrong = _healthy_levels(cohort, donors, marks, pipeline, progress)
    if faults is not None:
        faults += wrong
    requests = []
    for (pathology, level), number in wanted.items():
        able = [case for case in donors if level in free[case.name]]
        if not able or not number:
            continue
        picked = rng.permutation(len(able))
        sizes = (np.arange(number) + rng.random(number)) / number
        for index, severity in enumerate(sizes):
            parent = able[picked[index % len(able)]]
            size = training_range.pathology(pathology).size_at(float(severity))
            if pathology == "stenosis":
                size = min(size, free[parent.name][level] - 1.5 * LEAST_NARROWING_MM)
            name = f"{parent.name}_{pathology}_{level}_{index:03d}"
            requests.append(
                edit_request(name, parent, FindingRequest(pathology, level, size),
                      int(rng.integers(2**31)), tuple(marks.get(parent.name, ())))
            )  # fmt: skip
    return requests


def fill(cells: Mapping[Cell, int], count: int | None) -> dict[Cell, int]:
    """How many to add to each cell: to the emptiest first, until all are as full as the fullest.

    Args:
        cells: how many there are.
        count: to add in all; beyond what is missing, all cells grow alike.

    >>> fill({("a", "x"): 5, ("a", "y"): 1, ("a", "z"): 3}, None)
    {('a', 'x'): 0, ('a', 'y'): 4, ('a', 'z'): 2}
    >>> fill({("a", "x"): 5, ("a", "y"): 1, ("a", "z"): 3}, 3)
    {('a', 'x'): 0, ('a', 'y'): 3, ('a', 'z'): 0}
    """
    total = dict(cells)
    fullest = max(cells.values())
    missing = sum(fullest - present for present in cells.values())
    for _ in range(missing if count is None else count):
        emptiest = min(total, key=lambda cell: total[cell])
        total[emptiest] += 1
    return {cell: total[cell] - present for cell, present in cells.items()}


def _healthy_levels(
    cohort: Cohort, donors: Sequence[Case], marks: Mapping[str, Sequence[Landmark]],
    pipeline: InpaintingPipeline, progress: Progress,
) -> tuple[dict[str, dict[str, float]], list[InputProblem]]:  # fmt: skip
    """For each donor its levels without a finding, with the canal's diameter; and first faults."""
    result: dict[str, dict[str, float]] = {}
    faults: list[InputProblem] = []
    training_range = pipeline.training_range.pathologies[0]
    for case in track(donors, "looking for healthy levels", len(donors), progress):
        result[case.name] = {}
        try:
            scan = cohort.read(case)
            pipeline.require_match(scan, case.name)
        except InputError as refusal:
            faults.append(refusal.fault)
            continue
        reported = {mark.level for mark in marks.get(case.name, ())}
        for level in pipeline.training_range.levels:
            request = FindingRequest(training_range.name, level, training_range.size_at(0.9))
            try:
                pipeline.require_healthy(scan, request, case.name)
            except InputError:
                continue
            if level not in reported:
                result[case.name][level] = pipeline.measured(scan, "stenosis", level)
    return result, faults
