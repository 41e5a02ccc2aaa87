"""Make cohorts of phantoms, whose truth is known exactly."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from vesalius.anatomy.spine import PATHOLOGIES, levels_of
from vesalius.api.console import bars
from vesalius.phantoms.cohorts.findings import write_findings
from vesalius.phantoms.cohorts.organs import write_brains, write_gridded, write_spines
from vesalius.phantoms.cohorts.visits import write_knees
from vesalius.scans.cohort import Cohort
from vesalius.scans.computing import chosen_workers
from vesalius.scans.input_error import InputError
from vesalius.scans.landmarks import FILE_NAME as LANDMARKS
from vesalius.scans.landmarks import Landmark, read_landmarks
from vesalius.scans.progress import Progress

KINDS: dict[str, Callable[..., Cohort]] = {
    "brain": write_brains, "spine": write_spines, "knee": write_knees,
    **{organ: partial(write_gridded, organ) for organ in ("chest", "breast")},
    **{kind: partial(write_findings, kind) for kind in ("radiograph", "spine_slice", "nodule")},
}  # fmt: skip

SHARED = ("organ", "kind", "folder", "count", "patients", "seed", "workers", "progress")


def phantom(
    kind: str, out: str | Path, count: int = 100, *, seed: int = 0, workers: int | None = None,
    progress: Progress | None = None, **settings: Any,
) -> Cohort:  # fmt: skip
    """Make a cohort of phantoms. Killed at any point, the same call completes it.

    Parameters
    ----------
    kind
        `brain`, `spine`, `knee`, `chest`, `breast`; to be classified `radiograph`,
        `spine_slice`, `nodule`.
    out
        folder of the cohort.
    count
        of cases; of knees, of patients, who come at every visit.
    seed
        the same seed gives the same bytes.
    workers
        processes that share the work.
    progress
        called after each case; bars if `None`.
    settings
        of the kind: of brains `spacing_mm` (a number) and `volume_ml` (a range), of spines
        `spacing_mm` (across and within slices, three numbers) and `prevalence` by pathology, of
        chests and breasts `shape`, of knees `side` and `years`, of those to be classified
        `side` and `scanner`.

    Raises
    ------
    InputError
        for an unknown kind or setting, or a folder of other content.

    >>> phantom("unicorn", "out")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: unicorn: is no phantom; choose one of brain, spine, ...
    """
    if kind not in KINDS:
        raise InputError(kind, "is no phantom", f"choose one of {', '.join(KINDS)}")
    known = inspect.signature(KINDS[kind]).parameters
    unknown = next((name for name in settings if name not in known), None)
    if unknown is not None:
        remedy = f"choose of {', '.join(name for name in known if name not in SHARED)}"
        raise InputError(unknown, f"is no setting of phantoms of kind {kind}", remedy)
    with bars(progress) as report:
        own = chosen_workers(2) if workers is None else workers
        return KINDS[kind](out, count, seed, workers=own, progress=report, **settings)


def finding_counts(cohort: Cohort) -> dict[str, int]:
    """How many cases have each finding: by columns of 0 and 1, or by landmarks."""
    if levels_of(cohort.description.labels):
        marks: dict[str, list[Landmark]] = {}
        if (cohort.folder / LANDMARKS).exists():
            marks, _ = read_landmarks(cohort.folder, {case.name: case for case in cohort.cases})
        marked = [mark.pathology for own in marks.values() for mark in own]
        return {name: marked.count(name) for name in PATHOLOGIES}
    columns = {
        name: [case.attributes[name] for case in cohort.cases]
        for name in cohort.cases[0].attributes
    }
    binary = {name: own for name, own in columns.items() if set(own) <= {0.0, 1.0}}
    return {name: int(sum(own)) for name, own in binary.items()}
