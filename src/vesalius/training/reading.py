"""Which cases of a cohort a fit learns from, and which it holds out, read and sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError
from vesalius.scans.split import fitting_split
from vesalius.training.method import Reading

FEWEST_CASES = 8
"""Below this no distribution can be told from its cases."""


def cohort_of(source: str | Path | Cohort, labelled: bool, reading: Reading) -> Cohort:
    """The cohort in a folder, unless it is open already; its faulty cases are told of."""
    cohort = source if isinstance(source, Cohort) else Cohort.open(source, labelled)
    reading.faults += cohort.faults
    return cohort


@dataclass(frozen=True)
class SoundCases:
    """Cases that could be read, the first `fitted` of them to learn from, the others held out."""

    cases: tuple[Case, ...]
    scans: tuple[Any, ...]
    fitted: int

    @property
    def split(self) -> dict[str, Any]:
        """Names of both sides, to be noted in the run."""
        names = [case.name for case in self.cases]
        return {"fitted": names[: self.fitted], "held_out": names[self.fitted :]}


def read_split(
    cohort: Cohort, recipe: Any, reading: Reading, labelled: bool = True,
    fewest: int = FEWEST_CASES, more: tuple[Case, ...] = (),
) -> SoundCases:  # fmt: skip
    """Read the cases that a fit learns from and those that it holds out.

    Cases marked `val` in `cases.csv` are held out; without any, a share of the subjects is. Cases
    marked `test`, and synthetic ones, are not touched.

    Args:
        cohort: to read.
        recipe: tells `held_out` and `seed`.
        reading: who is called, and where the faults of cases that are left out go.
        labelled: read label maps as well.
        fewest: cases to learn from below which the cohort is refused.
        more: cases to learn from besides.

    Raises:
        InputError: for too few sound cases.
    """
    training, held_out = fitting_split(cohort.cases, recipe.held_out, 8, recipe.seed)
    training = [*training, *more]
    read = cohort.read_sound if labelled else cohort.read_sound_images
    sound, faults = read([*training, *held_out], reading.progress)
    reading.faults += faults
    names = {case.name for case in training}
    fitted = sum(case.name in names for case, _ in sound)
    if fitted < fewest:
        fault = f"has {fitted} sound training cases"
        kind = "labelled scans" if labelled else "scans"
        raise InputError(cohort.folder, fault, f"add {kind}: {fewest} is the least")
    return SoundCases(tuple(c for c, _ in sound), tuple(s for _, s in sound), fitted)
