"""Splits by subject, so that no patient stands on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from vesalius.scans.case import Case
from vesalius.scans.input_error import InputError


def split_by_subject(
    cases: Sequence[Case], shares: Mapping[str, float], seed: int = 0
) -> tuple[Case, ...]:
    """Give each case the split of its subject. A synthetic case always goes to `train`.

    Args:
        cases: the cases of a cohort.
        shares: share of the subjects for each split, such as `{"train": 0.8, "val": 0.2}`.
        seed: decides which subject goes where.

    Raises:
        InputError: if the shares do not add up to one or leave a split without subjects.

    >>> cases = [Case(f"c{i}", (), None, subject=f"s{i // 2}") for i in range(10)]
    >>> done = split_by_subject(cases, {"train": 0.6, "val": 0.4})
    >>> sorted({(case.subject, case.split) for case in done}) == sorted(
    ...     {case.subject: (case.subject, case.split) for case in done}.values())
    True
    """
    if abs(sum(shares.values()) - 1) > 1e-6 or min(shares.values()) <= 0:
        raise InputError("split", f"shares {dict(shares)} do not add up to 1", "choose others")
    subjects = sorted({case.subject for case in cases if not case.synthetic})
    np.random.default_rng(seed).shuffle(subjects)
    ends = np.round(np.cumsum(list(shares.values())) * len(subjects)).astype(int)
    if np.diff([0, *ends]).min() < 1:
        fault = f"{len(subjects)} subjects do not fill {len(shares)} splits"
        raise InputError("split", fault, "add subjects or ask for fewer splits")
    side = {
        subject: list(shares)[int(np.searchsorted(ends, position, side="right"))]
        for position, subject in enumerate(subjects)
    }
    validation = {subject for subject, split in side.items() if split != "train"}
    placed = []
    for case in cases:
        if case.synthetic and case.subject in validation:
            placed.append(replace(case, split="excluded"))
        else:
            placed.append(replace(case, split="train" if case.synthetic else side[case.subject]))
    return tuple(placed)


def fitting_split(
    cases: Sequence[Case], share: float, fewest: int, seed: int
) -> tuple[list[Case], list[Case]]:
    """Cases to fit on and cases held out; `test` and synthetic ones are in neither.

    Cases marked `val` are held out; where none is, a share of the subjects is, if there are twice
    as many cases as the `fewest` that a fit needs.

    >>> cases = [Case(f"c{i}", (), None, f"s{i}", split="test" if i < 4 else "") for i in range(24)]
    >>> [len(part) for part in fitting_split(cases, 0.1, 8, seed=0)]
    [18, 2]
    """
    real = [case for case in cases if not case.synthetic and case.split != "test"]
    if not any(case.split == "val" for case in real) and len(real) >= 2 * fewest:
        real = list(split_by_subject(real, {"train": 1 - share, "val": share}, seed))
    return (
        [case for case in real if case.split != "val"],
        [case for case in real if case.split == "val"],
    )


def fitting_rows(
    what: str, subjects: Sequence[str], splits: Sequence[str], share: float, seed: int
) -> tuple[list[int], list[int]]:
    """Rows to fit on and rows held out; those of `test` are in neither.

    Rows marked `val` are held out; where none is, a share of the subjects is, one at least.

    Args:
        what: is split, for the message.
        subjects, splits: of each row.
        share: of the subjects.
        seed: decides which.

    Raises:
        InputError: for a single subject, or one who stands on both sides.

    >>> fitting_rows("images", ["anna", "bert", "carl"], ["", "val", "test"], 0.5, seed=0)
    ([0], [1])
    """
    reported = list(splits)
    if "val" not in reported:
        rows = [row for row, split in enumerate(reported) if split != "test"]
        people = sorted({subjects[row] for row in rows})
        if len(people) < 2:
            raise InputError(what, f"are of {len(people)} subjects", "add more patients")
        np.random.default_rng(seed).shuffle(people)
        limit = set(people[: max(1, round(share * len(people)))])
        for row in rows:
            reported[row] = "val" if subjects[row] in limit else "train"
    first, second = (
        [row for row, split in enumerate(reported) if split in side]
        for side in (("train", ""), ("val",))
    )
    shared = sorted({subjects[row] for row in first} & {subjects[row] for row in second})
    if shared:
        fault = f"subject {shared[0]} stands in training and in validation"
        raise InputError(what, fault, "split by subject")
    return first, second


def require_disjoint(training: Sequence[Case], held_out: Sequence[Case]) -> None:
    """Refuse a test set that shares a subject with training or holds a synthetic case.

    >>> require_disjoint([Case("a", (), None, "anna")], [Case("b", (), None, "anna")])
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: split: subject anna stands in training and in the tes...
    """
    generated = next((case.name for case in held_out if case.synthetic), None)
    if generated:
        raise InputError(
            generated, "is synthetic and cannot be tested on", "take it out of the test set"
        )
    shared = sorted({case.subject for case in training} & {case.subject for case in held_out})
    if shared:
        fault = f"subject {shared[0]} stands in training and in the test set"
        raise InputError("split", fault, "split by subject with `vesalius cohort split`")
