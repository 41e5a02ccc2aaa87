"""Balancing: which findings a cohort lacks, and which sites can take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from vesalius.methods.inpainting.sampling import (
    EditRequest,
    FindingRequest,
    edit_request,
)
from vesalius.methods.inpainting.sites.site import FreeSites
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
    """Requests that fill each cell of pathology × site up to the fullest, in sites free for it.

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
        (p.name, level): 0
        for p in training_range.pathologies
        for level in training_range.levels_of(p.name)
    }
    free, known, wrong = _looked_at(cohort, donors, marks, pipeline, progress)
    for name, own in known.items():
        for mark in own:
            if name in names and (mark.pathology, mark.level) in cells:
                cells[mark.pathology, mark.level] += 1
    wanted = fill(cells, count)
    if faults is not None:
        faults += wrong
    requests = []
    for (pathology, level), number in wanted.items():
        able = [case for case in donors if pathology in free[case.name].get(level, {})]
        if not able or not number:
            continue
        picked = rng.permutation(len(able))
        sizes = (np.arange(number) + rng.random(number)) / number
        for index, severity in enumerate(sizes):
            parent = able[picked[index % len(able)]]
            size = training_range.pathology(pathology).size_at(float(severity))
            least, most = free[parent.name][level][pathology]
            size = min(max(size, least), most)
            name = f"{parent.name}_{pathology}_{level}_{index:03d}"
            requests.append(
                edit_request(name, parent, FindingRequest(pathology, level, size),
                      int(rng.integers(2**31)), tuple(known.get(parent.name, ())))
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


def _looked_at(
    cohort: Cohort, donors: Sequence[Case], marks: Mapping[str, Sequence[Landmark]],
    pipeline: InpaintingPipeline, progress: Progress,
) -> tuple[dict[str, FreeSites], dict[str, Sequence[Landmark]], list[InputProblem]]:  # fmt: skip
    """For each donor its free sites, with the sizes that each can take, and its findings; faults.

    A donor that cannot be read has the findings that its cohort tells.
    """
    result: dict[str, FreeSites] = {}
    known: dict[str, Sequence[Landmark]] = dict(marks)
    faults: list[InputProblem] = []
    for case in track(donors, "looking for places of findings", len(donors), progress):
        result[case.name] = {}
        try:
            scan = cohort.read(case)
            pipeline.require_match(scan, case.name)
        except InputError as refusal:
            faults.append(refusal.fault)
            continue
        reported = marks.get(case.name, ())
        result[case.name] = pipeline.sites.free(scan, reported, pipeline.training_range)
        known[case.name] = pipeline.sites.known(scan, case.name, reported)
    return result, known, faults
