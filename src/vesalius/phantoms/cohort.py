"""A cohort of phantoms on disk: the same seed gives the same bytes, in any number of processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from vesalius.phantoms import brain, breast
from vesalius.phantoms.chest import drawing as chest
from vesalius.phantoms.chest import nodule_crops, radiograph
from vesalius.phantoms.elsewhere import PLACES, Place
from vesalius.phantoms.spine import drawing as spine
from vesalius.phantoms.spine import slices
from vesalius.phantoms.spine.findings import PATHOLOGIES, Finding
from vesalius.phantoms.xray import SCANNERS
from vesalius.scans.case import LabelledScan, Scan
from vesalius.scans.cohort import Cohort, CohortWriter
from vesalius.scans.description import Description
from vesalius.scans.fault import Refused, make_folder
from vesalius.scans.landmarks import Landmark, append_landmarks, begin_landmarks, sort_landmarks
from vesalius.scans.masks import write_masks
from vesalius.scans.progress import Progress, followed, silent
from vesalius.scans.volume import Volume


@dataclass(frozen=True)
class Drawn:
    """What a phantom brings into a cohort."""

    scan: Scan
    attributes: Mapping[str, float]
    landmarks: tuple[Landmark, ...] = ()
    masks: Mapping[str, Volume] = field(default_factory=dict)


@dataclass(frozen=True)
class _Wanted:
    """One case to be written."""

    name: str
    subject: str
    seed: int
    findings: tuple[Finding, ...] | None = None


def write_brains(
    folder: str | Path,
    count: int,
    seed: int = 0,
    spacing_mm: float = 3.0,
    volume_ml: tuple[float, float] | None = None,
    split: str = "",
    workers: int = 1,
    progress: Progress = silent,
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
        progress: told after each case.

    Raises:
        Refused: for a range or a spacing that no phantom can have, before any work.
    """
    low, high = volume_ml or brain.VOLUME_RANGE_ML
    if not brain.VOLUME_RANGE_ML[0] <= low <= high <= brain.VOLUME_RANGE_ML[1]:
        remedy = f"ask within {brain.VOLUME_RANGE_ML[0]:g} to {brain.VOLUME_RANGE_ML[1]:g} mL"
        raise Refused(brain.ATTRIBUTE, f"{low:g} to {high:g} mL cannot be built", remedy)
    if spacing_mm < 1.0:
        raise Refused("spacing", f"{spacing_mm:g} mm is out of reach", "ask for 1 to 8 mm")
    _require_sound(count, (spacing_mm,) * 3)
    wanted = _numbered("brain", seed, case_seeds(seed, count))
    draw = partial(_draw_brain, spacing_mm=spacing_mm, volume_ml=volume_ml)
    told = "drawing phantom brains"
    return _write(folder, brain.DESCRIPTION, (brain.ATTRIBUTE,), wanted, draw, split, workers,
                  told, progress)  # fmt: skip


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
    progress: Progress = silent,
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
        progress: told after each case.

    Raises:
        Refused: for what no phantom can have, before any work.
    """
    _require_sound(count, spacing_mm)
    for name, share in (prevalence or {}).items():
        if name not in PATHOLOGIES or not 0 <= share <= 1:
            fault = f"{share:g} is no probability of {' or '.join(PATHOLOGIES)}"
            raise Refused(name, fault, "write for instance herniation=0.1")
    if findings is not None and len(findings) != count:
        raise Refused("findings", f"are given for {len(findings)} of {count} cases", "give all")
    wanted = _numbered("spine", seed, seeds or case_seeds(seed, count), findings)
    draw = partial(_draw_spine, spacing_mm=spacing_mm, prevalence=prevalence)
    if prevalence or any(findings or ()):
        begin_landmarks(make_folder(folder))
    names = (*(attribute.name for attribute in spine.ATTRIBUTES), *spine.GRADES)
    return _write(folder, spine.DESCRIPTION, names, wanted, draw, split, workers,
                  "drawing phantom spines", progress)  # fmt: skip


@dataclass(frozen=True)
class _Organ:
    """A phantom on a grid of any shape: its cohort, what its cases tell, its field, one draw."""

    description: Description
    attributes: tuple[str, ...]
    field_mm: tuple[float, float, float]
    draw: Callable[[int, tuple[int, int, int]], Drawn]


def write_gridded(
    organ: Literal["breast", "chest"],
    folder: str | Path,
    count: int,
    seed: int = 0,
    shape: tuple[int, int, int] = (64, 64, 64),
    split: str = "",
    workers: int = 1,
    progress: Progress = silent,
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
        progress: told after each case.

    Raises:
        Refused: for what no phantom can have, before any work.
    """
    kind = _ORGANS[organ]
    _require_sound(count, tuple(f / n for f, n in zip(kind.field_mm, shape, strict=True)), 12.0)
    wanted = _numbered(organ, seed, case_seeds(seed, count))
    draw = partial(_draw_gridded, organ=organ, shape=shape)
    return _write(folder, kind.description, kind.attributes, wanted, draw, split, workers,
                  f"drawing phantom {organ}s", progress)  # fmt: skip


@dataclass(frozen=True)
class _Shown:
    """A phantom with findings and their masks: its cohort, its labels, its field, one draw."""

    description: Description
    labels: tuple[str, ...]
    field_mm: float
    draw: Callable[[int, int, Place], Drawn]


def write_findings(
    kind: Literal["radiograph", "spine_slice", "nodule"],
    folder: str | Path,
    count: int,
    seed: int = 0,
    side: int = 64,
    scanner: Place = "home",
    split: str = "",
    workers: int = 1,
    progress: Progress = silent,
) -> Cohort:
    """Write phantoms to be classified as a cohort, or complete one that was left unfinished.

    Every finding is a column of `cases.csv`, 0 or 1, and has its masks in `masks/<finding>/`.

    Args:
        kind: radiographs of the chest with five findings, sagittal slices about a level of the
            spine with herniation or stenosis, or CT about a nodule that is malignant or not.
        folder: of the cohort.
        count: how many cases.
        seed: of the cohort. Cohorts of one seed hold the same patients under the same names.
        side: pixels or voxels along each axis.
        scanner: `other` is noisier and softer; of radiographs it sees a wider field.
        split: written to the column `split` of every case.
        workers: processes to share the work.
        progress: told after each case.

    Raises:
        Refused: for what no phantom can have, before any work.
    """
    if scanner not in PLACES:
        raise Refused(scanner, "is no scanner", f"choose {' or '.join(PLACES)}")
    own = _SHOWN[kind]
    _require_sound(count, (own.field_mm / side,), 12.0)
    wanted = _numbered(kind, seed, case_seeds(seed, count))
    draw = partial(_draw_shown, kind=kind, side=side, scanner=scanner)
    return _write(folder, own.description, own.labels, wanted, draw, split, workers,
                  f"drawing phantom {kind.replace('_', ' ')}s", progress)  # fmt: skip


def case_seeds(seed: int, count: int) -> list[int]:
    """The seed of each case of a cohort; the first ones stay the same in a larger cohort.

    >>> case_seeds(0, 5)[:3] == case_seeds(0, 3)
    True
    """
    return [int(s) for s in np.random.SeedSequence(seed).generate_state(count, dtype=np.uint32)]


def _numbered(
    organ: str, seed: int, seeds: Sequence[int],
    findings: Sequence[Sequence[Finding]] | None = None,
) -> list[_Wanted]:  # fmt: skip
    """Cases and subjects by number; cohorts of one seed hold the same subjects."""
    return [
        _Wanted(
            f"{organ}_{index:04d}", f"phantom-{seed}-{organ}_{index:04d}", own,
            None if findings is None else tuple(findings[index]),
        )
        for index, own in enumerate(seeds)
    ]  # fmt: skip


def _require_sound(count: int, spacing_mm: tuple[float, ...], largest_mm: float = 8.0) -> None:
    if not all(0.5 <= size <= largest_mm for size in spacing_mm):
        shown = " × ".join(f"{size:.3g}" for size in spacing_mm)
        fault = f"of {shown} mm is out of reach"
        raise Refused("spacing", fault, f"ask for 0.5 to {largest_mm:g} mm")
    if count < 1:
        raise Refused("n", f"{count} cases are none", "ask for at least 1")


def _write(
    folder: str | Path, description: Description, attributes: Sequence[str],
    wanted: Sequence[_Wanted], draw: Callable[[_Wanted], Drawn], split: str, workers: int,
    told: str, progress: Progress,
) -> Cohort:  # fmt: skip
    writer = CohortWriter(folder, description, attributes)
    missing = [case for case in wanted if case.name not in writer.done]
    write = partial(
        _write_one, folder=str(folder), description=description, attributes=tuple(attributes),
        draw=draw, split=split,
    )  # fmt: skip
    if workers > 1 and len(missing) > 3:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for _ in followed(pool.map(write, missing), told, len(missing), progress):
                pass
    else:
        for item in followed(missing, told, len(missing), progress):
            write(item)
    sort_landmarks(Path(folder))
    return CohortWriter(folder, description, attributes).finish()


def _write_one(
    case: _Wanted, folder: str, description: Description, attributes: tuple[str, ...],
    draw: Callable[[_Wanted], Drawn], split: str,
) -> None:  # fmt: skip
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        drawn = draw(case)
    finally:
        torch.set_num_threads(threads)
    if drawn.landmarks:
        append_landmarks(Path(folder), case.name, drawn.landmarks)
    write_masks(folder, case.name, drawn.masks)
    whole = isinstance(drawn.scan, LabelledScan)
    CohortWriter(folder, description, attributes).add(
        case.name, drawn.scan, case.subject, drawn.attributes, split=split,
        dtype=np.int16 if whole else np.float32,
    )  # fmt: skip


def _draw_brain(
    case: _Wanted, spacing_mm: float, volume_ml: tuple[float, float] | None
) -> Drawn:  # fmt: skip
    phantom = brain.draw_brain(case.seed, spacing_mm, volume_ml)
    return Drawn(phantom.scan, {brain.ATTRIBUTE: phantom.volume_ml})


def _draw_spine(
    case: _Wanted, spacing_mm: tuple[float, float, float], prevalence: Mapping[str, float] | None
) -> Drawn:
    phantom = spine.draw_spine(case.seed, spacing_mm, case.findings, prevalence)
    return Drawn(phantom.scan, phantom.attributes, phantom.landmarks)


def _draw_shown(case: _Wanted, kind: str, side: int, scanner: Place) -> Drawn:
    return _SHOWN[kind].draw(case.seed, side, scanner)


def _radiograph(seed: int, side: int, scanner: Place) -> Drawn:
    phantom = radiograph.draw_radiograph(seed, side, scanner=SCANNERS[scanner])
    return Drawn(Scan((phantom.image,)), phantom.attributes, masks=phantom.masks)


def _spine_slice(seed: int, side: int, scanner: Place) -> Drawn:
    phantom = slices.draw_slice(seed, side, scanner=scanner)
    return Drawn(Scan((phantom.image,)), phantom.attributes, masks=phantom.masks)


def _nodule(seed: int, side: int, scanner: Place) -> Drawn:
    phantom = nodule_crops.draw_nodule_crop(seed, side, scanner=scanner)
    ill = phantom.nodule.malignant
    masks = {nodule_crops.MALIGNANT: phantom.mask} if ill else {}
    return Drawn(Scan((phantom.image,)), {nodule_crops.MALIGNANT: float(ill)}, masks=masks)


def _draw_gridded(case: _Wanted, organ: str, shape: tuple[int, int, int]) -> Drawn:
    return _ORGANS[organ].draw(case.seed, shape)


def _chest(seed: int, shape: tuple[int, int, int]) -> Drawn:
    phantom = chest.draw_chest(seed, shape)
    return Drawn(phantom.scan, phantom.attributes)


def _breast(seed: int, shape: tuple[int, int, int]) -> Drawn:
    phantom = breast.draw_breast(seed, shape)
    return Drawn(phantom.scan, phantom.attributes)


_ORGANS = {
    "chest": _Organ(
        chest.DESCRIPTION, (*(a.name for a in chest.ATTRIBUTES), *chest.TOLD), chest.FIELD_MM,
        _chest,
    ),
    "breast": _Organ(
        breast.DESCRIPTION, tuple(a.name for a in breast.ATTRIBUTES), breast.FIELD_MM, _breast
    ),
}  # fmt: skip

_SHOWN = {
    "radiograph": _Shown(
        radiograph.DESCRIPTION, radiograph.LABELS, SCANNERS["home"].field_mm, _radiograph
    ),
    "spine_slice": _Shown(slices.DESCRIPTION, PATHOLOGIES, slices.FIELD_MM, _spine_slice),
    "nodule": _Shown(
        nodule_crops.DESCRIPTION, (nodule_crops.MALIGNANT,), nodule_crops.FIELD_CROP_MM, _nodule
    ),
}
