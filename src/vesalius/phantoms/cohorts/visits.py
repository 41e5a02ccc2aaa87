"""Patients who come again: knees over the years."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from vesalius.phantoms.cohorts.writing import (
    Generated,
    Wanted,
    case_seeds,
    require_sound,
    write_cohort,
)
from vesalius.phantoms.knee.patient import ATTRIBUTES, DESCRIPTION, YEARS, KneePatient
from vesalius.phantoms.knee.phantom import FIELD_MM
from vesalius.scans.case import Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress


def write_knees(
    folder: str | Path,
    patients: int,
    seed: int = 0,
    side: int = 64,
    years: Sequence[float] = YEARS,
    split: str = "",
    workers: int = 1,
    progress: Progress = no_progress,
) -> Cohort:
    """Write radiographs of phantom knees as a cohort, or complete one that was left unfinished.

    Every patient comes at every one of `years`; a case a visit, `knee_0007_v2` the third of the
    eighth patient.

    Args:
        folder: of the cohort.
        patients: how many.
        seed: of the cohort. Cohorts of one seed hold the same patients under the same names.
        side: pixels of the square of 96 mm.
        years: of the visits, from the first one on.
        split: written to the column `split` of every case.
        workers: processes to share the work.
        progress: called after each case.

    Raises:
        InputError: for what no phantom can have, before any work.
    """
    require_sound(patients, (FIELD_MM / side,))
    if not years or sorted(set(years)) != list(years) or years[0] < 0 or years[-1] > 30:
        shown = ", ".join(f"{one:g}" for one in years)
        raise InputError("years", f"{shown} are no visits", "give rising numbers from 0 to 30")
    wanted = [
        Wanted(f"knee_{index:04d}_v{visit}", f"phantom-{seed}-knee_{index:04d}", own,
               visit=f"v{visit}", years=one)
        for index, own in enumerate(case_seeds(seed, patients))
        for visit, one in enumerate(years)
    ]  # fmt: skip
    draw = partial(_draw, side=side)
    made = {"phantom": "knee", "seed": seed, "side": side,
            "years": ",".join(f"{year:g}" for year in years)}  # fmt: skip
    return write_cohort(folder, DESCRIPTION, ATTRIBUTES, wanted, draw, made, split, workers,
                        "making phantom knees", progress)  # fmt: skip


def _draw(case: Wanted, side: int) -> Generated:
    patient = KneePatient.generated(case.seed)
    return Generated(Scan((patient.radiograph(case.years, side),)), patient.attributes(case.years))
