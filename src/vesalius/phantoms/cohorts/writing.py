"""How a cohort of phantoms is written: case by case, in processes, and completed if unfinished."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from vesalius.phantoms.spine.findings import Finding
from vesalius.scans.case import LabelledScan, Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.description import Description
from vesalius.scans.executor import each
from vesalius.scans.input_error import InputError
from vesalius.scans.landmarks import Landmark, append_landmarks, begin_landmarks, sort_landmarks
from vesalius.scans.masks import write_masks
from vesalius.scans.output import Made
from vesalius.scans.progress import Progress
from vesalius.scans.volume import Volume


@dataclass(frozen=True)
class Generated:
    """What a phantom brings into a cohort."""

    scan: Scan
    attributes: Mapping[str, float]
    landmarks: tuple[Landmark, ...] = ()
    masks: Mapping[str, Volume] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """One case to be written.

    Attributes:
        seed: of the patient.
        findings: what is wrong with a spine, drawn from the seed if `None`.
        visit, years: of a patient who comes again.
    """

    name: str
    subject: str
    seed: int
    findings: tuple[Finding, ...] | None = None
    visit: str = ""
    years: float = 0.0


def write_cohort(
    folder: str | Path, description: Description, attributes: Sequence[str],
    wanted: Sequence[Wanted], draw: Callable[[Wanted], Generated], made: Made, split: str,
    workers: int, reported: str, progress: Progress, landmarks: bool = False,
) -> Cohort:  # fmt: skip
    """Write the cases that are missing, in any number of processes, and open the cohort."""
    with CohortWriter(folder, description, attributes, made) as writer:
        if landmarks:
            begin_landmarks(writer.folder)
        missing = [case for case in wanted if case.name not in writer.done]
        write = partial(
            _write_one, folder=str(folder), description=description, made=dict(made),
            attributes=tuple(attributes), draw=draw, split=split,
        )  # fmt: skip
        for _ in each(write, missing, reported, progress, workers):
            pass
        sort_landmarks(writer.folder)
        return writer.finish()


def _write_one(
    case: Wanted, folder: str, description: Description, attributes: tuple[str, ...],
    draw: Callable[[Wanted], Generated], made: Made, split: str,
) -> None:  # fmt: skip
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        generated = draw(case)
    finally:
        torch.set_num_threads(threads)
    if generated.landmarks:
        append_landmarks(Path(folder), case.name, generated.landmarks)
    write_masks(folder, case.name, generated.masks)
    whole = isinstance(generated.scan, LabelledScan)
    CohortWriter(folder, description, attributes, made, alone=False).add(
        case.name, generated.scan, case.subject, generated.attributes, case.visit, split,
        dtype=np.int16 if whole else np.float32,
    )  # fmt: skip


def digest(chosen: object) -> str:
    """A few digits of what was chosen case by case; empty where the seed decided.

    >>> digest(None), len(digest([1, 2]))
    ('', 12)
    """
    return "" if chosen is None else hashlib.sha256(repr(chosen).encode()).hexdigest()[:12]


def case_seeds(seed: int, count: int) -> list[int]:
    """The seed of each case of a cohort; the first ones stay the same in a larger cohort.

    >>> case_seeds(0, 5)[:3] == case_seeds(0, 3)
    True
    """
    return [int(s) for s in np.random.SeedSequence(seed).generate_state(count, dtype=np.uint32)]


def numbered(
    organ: str, seed: int, seeds: Sequence[int],
    findings: Sequence[Sequence[Finding]] | None = None,
) -> list[Wanted]:  # fmt: skip
    """Cases and subjects by number; cohorts of one seed hold the same subjects."""
    return [
        Wanted(
            f"{organ}_{index:04d}", f"phantom-{seed}-{organ}_{index:04d}", own,
            None if findings is None else tuple(findings[index]),
        )
        for index, own in enumerate(seeds)
    ]  # fmt: skip


def require_sound(count: int, spacing_mm: tuple[float, ...], largest_mm: float = 8.0) -> None:
    """Refuse an empty cohort, and voxels that no phantom can have."""
    if not all(0.5 <= size <= largest_mm for size in spacing_mm):
        shown = " × ".join(f"{size:.3g}" for size in spacing_mm)
        fault = f"of {shown} mm is out of reach"
        raise InputError("spacing", fault, f"ask for 0.5 to {largest_mm:g} mm")
    if count < 1:
        raise InputError("n", f"{count} cases are none", "ask for at least 1")
