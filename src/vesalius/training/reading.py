"""Which cases of a cohort a fit learns from, and which it holds out; each is read and measured."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.computing import chosen_workers
from vesalius.scans.executor import each
from vesalius.scans.grid import Grid, grid_around, grid_of_fields
from vesalius.scans.input_error import InputError
from vesalius.scans.reading import Scans
from vesalius.scans.split import fitting_split
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.measures import Measuring, ScanMeasures
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

    cohort: Cohort
    cases: tuple[Case, ...]
    measures: tuple[ScanMeasures, ...]
    fitted: int
    labelled: bool

    @property
    def scans(self) -> Scans:
        """Of all cases, read again when they are asked for."""
        return Scans([(self.cohort, case) for case in self.cases], self.labelled)

    @property
    def split(self) -> dict[str, Any]:
        """Names of both sides, to be noted in the run."""
        names = [case.name for case in self.cases]
        return {"fitted": names[: self.fitted], "held_out": names[self.fitted :]}

    def grid(self, spacing_mm: float | None = None, multiple: int = 4) -> Grid:
        """Around the labels of all cases, or of their fields of view where none are read."""
        labels = [one.labels for one in self.measures if one.labels]
        if self.labelled:
            return grid_around(labels, spacing_mm, multiple)
        return grid_of_fields([one.field for one in self.measures], spacing_mm, multiple)

    def fingerprint(self, grid: Grid, attributes: Sequence[str] = (), beside: str = "") -> Any:
        """Of the cases that are learnt from; see `Fingerprint.of`."""
        some = slice(0, self.fitted)
        own = self.cases[some], self.measures[some]
        return Fingerprint.of(self.cohort, *own, grid, attributes, self.labelled, beside)

    def values(self, names: Sequence[str]) -> np.ndarray:
        """Attributes of all cases `(N, A)`."""
        rows = [[one.attributes[name] for name in names] for one in self.measures]
        return np.array(rows).reshape(len(self.measures), len(names))


def read_sound(
    measuring: Measuring, cases: Sequence[Case], fitted: Collection[str], reading: Reading
) -> SoundCases:
    """Read cases one after the other and measure them; those with a fault are left out.

    Args:
        measuring: of their cohort.
        cases: those that are learnt from first.
        fitted: names of those that are learnt from.
        reading: who is called, and where the faults of cases that are left out go.
    """
    sound, measures = [], []
    results = each(
        measuring.alone().read, cases, "reading cases", reading.progress, chosen_workers(1)
    )  # fmt: skip
    for case, (result, faults) in zip(cases, results, strict=True):
        reading.faults += faults
        if result is not None:
            measures.append(result)
            sound.append(case)
    count = sum(case.name in fitted for case in sound)
    cohort, labelled = measuring.cohort, measuring.labelled
    return SoundCases(cohort, tuple(sound), tuple(measures), count, labelled)


def read_split(
    measuring: Measuring, recipe: Any, reading: Reading, fewest: int = FEWEST_CASES,
    more: tuple[Case, ...] = (),
) -> SoundCases:  # fmt: skip
    """Read and measure the cases that a fit learns from and those that it holds out.

    Cases marked `val` in `cases.csv` are held out; without any, a share of the subjects is. Cases
    marked `test`, and synthetic ones, are not touched.

    Args:
        measuring: of the cohort.
        recipe: tells `held_out` and `seed`.
        reading: who is called, and where the faults of cases that are left out go.
        fewest: cases to learn from below which the cohort is refused.
        more: cases to learn from besides.

    Raises:
        InputError: for too few sound cases.
    """
    cohort = measuring.cohort
    training, held_out = fitting_split(cohort.cases, recipe.held_out, 8, recipe.seed)
    training = [*training, *more]
    names = {case.name for case in training}
    sound = read_sound(measuring, [*training, *held_out], names, reading)
    if sound.fitted < fewest:
        fault = f"has {sound.fitted} sound training cases"
        kind = "labelled scans" if measuring.labelled else "scans"
        raise InputError(cohort.folder, fault, f"add {kind}: {fewest} is the least")
    return sound
