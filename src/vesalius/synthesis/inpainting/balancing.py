"""Balancing: which findings a cohort lacks, and which healthy levels can take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.fault import Refused
from vesalius.scans.landmarks import Landmark
from vesalius.scans.progress import Progress, followed, silent
from vesalius.synthesis.inpainting.closed_loop import Order
from vesalius.synthesis.inpainting.inpainter import (
    LEAST_NARROWING_MM,
    FindingRequest,
    Inpainter,
)


def balancing_orders(
    cohort: Cohort, marks: Mapping[str, Sequence[Landmark]], inpainter: Inpainter,
    count: int | None, seed: int, progress: Progress = silent,
) -> list[Order]:  # fmt: skip
    """Orders that fill each cell of pathology × level up to the fullest, from healthy levels.

    Donors are the real cases that are no `val` or `test`; each cell takes them in turn by chance,
    sizes evenly over what was seen.

    Args:
        cohort: to be balanced.
        marks: its landmarks by case.
        inpainter: that will carry out the orders.
        count: at most so many, spread evenly over the cells.
        seed: of the choice.
    """
    chance = np.random.default_rng(seed)
    donors = [c for c in cohort.cases if c.split not in ("val", "test") and not c.synthetic]
    names = {case.name for case in donors}
    seen = inpainter.seen
    cells = {(p.name, level): 0 for p in seen.pathologies for level in seen.levels}
    for name, own in marks.items():
        for mark in own:
            if name in names and (mark.pathology, mark.level) in cells:
                cells[mark.pathology, mark.level] += 1
    fullest = max(cells.values())
    wanted = {cell: fullest - present for cell, present in cells.items()}
    if count is not None:
        total = max(cells.values()) + max(0, count - sum(wanted.values())) // len(cells) + 1
        wanted = {cell: max(0, total - present) for cell, present in cells.items()}
        wanted = _at_most(wanted, count)
    free = _healthy_levels(cohort, donors, inpainter, progress)
    orders = []
    for (pathology, level), number in wanted.items():
        able = [case for case in donors if level in free[case.name]]
        if not able or not number:
            continue
        picked = chance.permutation(len(able))
        sizes = (np.arange(number) + chance.random(number)) / number
        for index, severity in enumerate(sizes):
            parent = able[picked[index % len(able)]]
            size = seen.pathology(pathology).size_at(float(severity))
            if pathology == "stenosis":
                size = min(size, free[parent.name][level] - 1.5 * LEAST_NARROWING_MM)
            name = f"{parent.name}_{pathology}_{level}_{index:03d}"
            orders.append(
                Order(name, parent, FindingRequest(pathology, level, size),
                      int(chance.integers(2**31)))
            )  # fmt: skip
    return orders


def _healthy_levels(
    cohort: Cohort, donors: Sequence[Case], inpainter: Inpainter, progress: Progress
) -> dict[str, dict[str, float]]:
    """For each donor its levels without a finding, with the diameter of the canal there."""
    found: dict[str, dict[str, float]] = {}
    for case in followed(donors, "looking for healthy levels", len(donors), progress):
        try:
            scan = cohort.read(case)
        except Refused:
            found[case.name] = {}
            continue
        levels = {}
        for level in inpainter.seen.levels:
            request = FindingRequest(
                "herniation" if "herniation" in inpainter.seen_names else "stenosis", level,
                inpainter.seen.pathologies[0].size_at(0.5),
            )  # fmt: skip
            try:
                inpainter.require_possible(scan, request, case.name)
            except Refused:
                continue
            levels[level] = inpainter.measured(scan, "stenosis", level)
        found[case.name] = levels
    return found


def _at_most(wanted: Mapping[tuple[str, str], int], count: int) -> dict[tuple[str, str], int]:
    """Numbers cut down evenly to a total of `count`.

    >>> _at_most({("a", "x"): 9, ("a", "y"): 1}, 4)
    {('a', 'x'): 3, ('a', 'y'): 1}
    """
    kept = dict.fromkeys(wanted, 0)
    while sum(kept.values()) < count:
        open_ = [cell for cell in wanted if kept[cell] < wanted[cell]]
        if not open_:
            break
        for cell in open_[: count - sum(kept.values())]:
            kept[cell] += 1
    return kept
