"""Scans of an organ with label maps: brains, spines, breasts, chests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from vesalius.phantoms import brain, breast
from vesalius.phantoms.chest import phantom as chest
from vesalius.phantoms.cohorts.writing import (
    Generated,
    Wanted,
    case_seeds,
    digest,
    numbered,
    require_sound,
    write_cohort,
)
from vesalius.phantoms.spine import phantom as spine
from vesalius.phantoms.spine.findings import PATHOLOGIES, Finding
from vesalius.scans.cohort import Cohort
from vesalius.scans.description import Description
from vesalius.scans.input_error import InputError
from vesalius.scans.output import Made
from vesalius.scans.progress import Progress, no_progress


def write_brains(
    folder: str | Path,
    count: int,
    seed: int = 0,
    spacing_mm: float = 3.0,
    volume_ml: tuple[float, float] | None = None,
    split: str = "",
    workers: int = 1,
    progress: Progress = no_progress,
) -> Cohort:
    """Write phantom brains as a cohort, or complete one that was left unfinished.

    Args:
        folder: of the cohort.
        count: how many cases.
        seed: of the cohort; each case draws its own from it.
        spacing_mm: edge length of a voxel.
        volume_ml: range of ventricular volumes, or `None` for the skewed one of patients.
        split: written to the column `split` of every case.
        workers: processes to share the work.
        progress: called after each case.

    Raises:
        InputError: for a range or a spacing that no phantom can have, before any work.
    """
    low, high = volume_ml or brain.VOLUME_RANGE_ML
    if not brain.VOLUME_RANGE_ML[0] <= low <= high <= brain.VOLUME_RANGE_ML[1]:
        remedy = f"ask within {brain.VOLUME_RANGE_ML[0]:g} to {brain.VOLUME_RANGE_ML[1]:g} mL"
        raise InputError(brain.ATTRIBUTE, f"{low:g} to {high:g} mL cannot be built", remedy)
    if spacing_mm < 1.0:
        raise InputError("spacing", f"{spacing_mm:g} mm is out of reach", "ask for 1 to 8 mm")
    require_sound(count, (spacing_mm,) * 3)
    wanted = numbered("brain", seed, case_seeds(seed, count))
    draw = partial(_draw_brain, spacing_mm=spacing_mm, volume_ml=volume_ml)
    reported = "making phantom brains"
    requested = f"{low:g}:{high:g}" if volume_ml else "skewed"
    made = {"phantom": "brain", "seed": seed, "spacing_mm": spacing_mm, "volume_ml": requested}
    return write_cohort(folder, brain.DESCRIPTION, (brain.ATTRIBUTE,), wanted, draw, made, split,
                        workers, reported, progress)  # fmt: skip


def write_spines(
    folder: str | Path,
    count: int,
    seed: int = 0,
    spacing_mm: tuple[float, float, float] = (4.0, 1.0, 1.0),
    prevalence: Mapping[str, float] | None = None,
    findings: Sequence[Sequence[Finding]] | None = None,
    seeds: Sequence[int] | None = None,
    split: str = "",
    workers: int = 1,
    progress: Progress = no_progress,
) -> Cohort:
    """Write phantom lumbar spines as a cohort with `landmarks.csv`, or complete an unfinished one.

    Args:
        folder: of the cohort.
        count: how many cases.
        seed: of the cohort. Cohorts of one seed hold the same patients under the same names.
        spacing_mm: slice distance, then voxel size in the slice.
        prevalence: probability of each pathology at each level.
        findings: what is wrong with each case instead; an empty one gives the healthy
            counterfactual of the same seed.
        seeds: of the cases instead of those that `seed` gives.
        split: written to the column `split` of every case.
        workers: processes to share the work.
        progress: called after each case.

    Raises:
        InputError: for what no phantom can have, before any work.
    """
    require_sound(count, spacing_mm)
    for name, share in (prevalence or {}).items():
        if name not in PATHOLOGIES or not 0 <= share <= 1:
            fault = f"{share:g} is no probability of {' or '.join(PATHOLOGIES)}"
            raise InputError(name, fault, "write for instance herniation=0.1")
    if findings is not None and len(findings) != count:
        raise InputError("findings", f"are given for {len(findings)} of {count} cases", "give all")
    wanted = numbered("spine", seed, seeds or case_seeds(seed, count), findings)
    draw = partial(_draw_spine, spacing_mm=spacing_mm, prevalence=prevalence)
    names = (*(attribute.name for attribute in spine.ATTRIBUTES), *spine.GRADES)
    made: Made = {
        "phantom": "spine", "seed": seed, "spacing_mm": "x".join(f"{s:g}" for s in spacing_mm),
        **{f"{name}_probability": share for name, share in (prevalence or {}).items()},
        "findings": digest(findings), "seeds": digest(seeds),
    }  # fmt: skip
    return write_cohort(folder, spine.DESCRIPTION, names, wanted, draw, made, split, workers,
                        "making phantom spines", progress,
                        landmarks=bool(prevalence) or any(findings or ()))  # fmt: skip


@dataclass(frozen=True)
class _Organ:
    """A phantom on a grid of any shape: its cohort, what its cases tell, its field, one draw."""

    description: Description
    attributes: tuple[str, ...]
    field_mm: tuple[float, float, float]
    draw: Callable[[int, tuple[int, int, int]], Generated]


def write_gridded(
    organ: Literal["breast", "chest"],
    folder: str | Path,
    count: int,
    seed: int = 0,
    shape: tuple[int, int, int] = (64, 64, 64),
    split: str = "",
    workers: int = 1,
    progress: Progress = no_progress,
) -> Cohort:
    """Write phantom breasts or chests as a cohort, or complete one that was left unfinished.

    Args:
        organ: breasts in T1-weighted MRI, chests in Hounsfield units.
        folder: of the cohort.
        count: how many cases.
        seed: of the cohort. Cohorts of one seed hold the same patients under the same names.
        shape: voxels of the organ's field: 176 × 160 × 160 mm for a breast, 360 × 290 × 288 mm for
            a chest.
        split: written to the column `split` of every case.
        workers: processes to share the work.
        progress: called after each case.

    Raises:
        InputError: for what no phantom can have, before any work.
    """
    kind = _ORGANS[organ]
    require_sound(count, tuple(f / n for f, n in zip(kind.field_mm, shape, strict=True)), 12.0)
    wanted = numbered(organ, seed, case_seeds(seed, count))
    draw = partial(_draw_gridded, organ=organ, shape=shape)
    made = {"phantom": organ, "seed": seed, "grid": "x".join(map(str, shape))}
    return write_cohort(folder, kind.description, kind.attributes, wanted, draw, made, split,
                        workers, f"making phantom {organ}s", progress)  # fmt: skip


def _draw_brain(
    case: Wanted, spacing_mm: float, volume_ml: tuple[float, float] | None
) -> Generated:  # fmt: skip
    phantom = brain.draw_brain(case.seed, spacing_mm, volume_ml)
    return Generated(phantom.scan, {brain.ATTRIBUTE: phantom.volume_ml})


def _draw_spine(
    case: Wanted, spacing_mm: tuple[float, float, float], prevalence: Mapping[str, float] | None
) -> Generated:
    phantom = spine.draw_spine(case.seed, spacing_mm, case.findings, prevalence)
    return Generated(phantom.scan, phantom.attributes, phantom.landmarks)


def _draw_gridded(case: Wanted, organ: str, shape: tuple[int, int, int]) -> Generated:
    return _ORGANS[organ].draw(case.seed, shape)


def _chest(seed: int, shape: tuple[int, int, int]) -> Generated:
    phantom = chest.draw_chest(seed, shape)
    return Generated(phantom.scan, phantom.attributes)


def _breast(seed: int, shape: tuple[int, int, int]) -> Generated:
    phantom = breast.draw_breast(seed, shape)
    return Generated(phantom.scan, phantom.attributes)


_ORGANS = {
    "chest": _Organ(
        chest.DESCRIPTION, (*(a.name for a in chest.ATTRIBUTES), *chest.KNOWN), chest.FIELD_MM,
        _chest,
    ),
    "breast": _Organ(
        breast.DESCRIPTION, tuple(a.name for a in breast.ATTRIBUTES), breast.FIELD_MM, _breast
    ),
}  # fmt: skip
