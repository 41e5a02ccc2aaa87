"""Pictures and crops that show findings or not, with the mask of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from vesalius.phantoms.chest import nodule_crops, radiograph
from vesalius.phantoms.cohorts.writing import (
    Generated,
    Wanted,
    case_seeds,
    numbered,
    require_sound,
    write_cohort,
)
from vesalius.phantoms.external_site import PLACES, Place
from vesalius.phantoms.spine import slices
from vesalius.phantoms.spine.findings import PATHOLOGIES
from vesalius.phantoms.xray import SCANNERS
from vesalius.scans.case import Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.description import Description
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress


@dataclass(frozen=True)
class _Shown:
    """A phantom with findings and their masks: its cohort, its labels, its field, one draw."""

    description: Description
    labels: tuple[str, ...]
    field_mm: float
    draw: Callable[[int, int, Place], Generated]


def write_findings(
    kind: Literal["radiograph", "spine_slice", "nodule"],
    folder: str | Path,
    count: int,
    seed: int = 0,
    side: int = 64,
    scanner: Place = "source",
    split: str = "",
    workers: int = 1,
    progress: Progress = no_progress,
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
        scanner: `external` is noisier and softer; of radiographs it sees a wider field.
        split: written to the column `split` of every case.
        workers: processes to share the work.
        progress: called after each case.

    Raises:
        InputError: for what no phantom can have, before any work.
    """
    if scanner not in PLACES:
        raise InputError(scanner, "is no scanner", f"choose {' or '.join(PLACES)}")
    own = _SHOWN[kind]
    require_sound(count, (own.field_mm / side,), 12.0)
    wanted = numbered(kind, seed, case_seeds(seed, count))
    draw = partial(_draw_shown, kind=kind, side=side, scanner=scanner)
    made = {"phantom": kind, "seed": seed, "side": side, "scanner": scanner}
    return write_cohort(folder, own.description, own.labels, wanted, draw, made, split, workers,
                        f"making phantom {kind.replace('_', ' ')}s", progress)  # fmt: skip


def _draw_shown(case: Wanted, kind: str, side: int, scanner: Place) -> Generated:
    return _SHOWN[kind].draw(case.seed, side, scanner)


def _radiograph(seed: int, side: int, scanner: Place) -> Generated:
    phantom = radiograph.draw_radiograph(seed, side, scanner=SCANNERS[scanner])
    return Generated(Scan((phantom.image,)), phantom.attributes, masks=phantom.masks)


def _spine_slice(seed: int, side: int, scanner: Place) -> Generated:
    phantom = slices.draw_slice(seed, side, scanner=scanner)
    return Generated(Scan((phantom.image,)), phantom.attributes, masks=phantom.masks)


def _nodule(seed: int, side: int, scanner: Place) -> Generated:
    phantom = nodule_crops.draw_nodule_crop(seed, side, scanner=scanner)
    positive = phantom.nodule.malignant
    masks = {nodule_crops.MALIGNANT: phantom.mask} if positive else {}
    return Generated(Scan((phantom.image,)), {nodule_crops.MALIGNANT: float(positive)}, masks=masks)


_SHOWN = {
    "radiograph": _Shown(
        radiograph.DESCRIPTION, radiograph.LABELS, SCANNERS["source"].field_mm, _radiograph
    ),
    "spine_slice": _Shown(slices.DESCRIPTION, PATHOLOGIES, slices.FIELD_MM, _spine_slice),
    "nodule": _Shown(
        nodule_crops.DESCRIPTION, (nodule_crops.MALIGNANT,), nodule_crops.FIELD_CROP_MM, _nodule
    ),
}
