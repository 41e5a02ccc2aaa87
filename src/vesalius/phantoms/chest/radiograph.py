"""One phantom radiograph of the chest from a seed, with the mask of each finding.

The chest is painted, findings are painted over it, and all of it is projected from back to front.
Where a finding is, is not drawn by hand: it is where the beam would have been weakened otherwise
without it, by at least a quarter of its strongest effect.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.phantoms.chest.anatomy import draw_anatomy
from vesalius.phantoms.chest.findings import FINDINGS, enlarged, paint_devices
from vesalius.phantoms.chest.phantom import FIELD_MM, paint_body, streams
from vesalius.phantoms.chest.phantom import LABELS as PAINTED
from vesalius.phantoms.chest.shoulders import paint_shoulder_bones, paint_shoulders
from vesalius.phantoms.hounsfield import HU
from vesalius.phantoms.painting import Painting
from vesalius.phantoms.xray import SCANNERS, WINDOW, Scanner, expose, water_mm
from vesalius.scans.description import Description
from vesalius.scans.volume import Volume

ENLARGED = "enlarged_heart"
LABELS = ("effusion", ENLARGED, "consolidation", "pneumothorax", "nodule")
PREVALENCE = 0.2
"""Of each finding, whatever else a patient has."""
DESCRIPTION = Description(("X-ray",), {"background": 0}, origin="phantom")
MIDDLE_MM = (0.0, -6.0, -8.0)
DEPTH = 48
"""Voxels from back to front, of `FIELD_MM[1]`."""
VESSELS = 250
"""Ends of the tree in each lung; smaller ones are not seen on a radiograph."""
BONE_HU, SOFTER = 120.0, 2.2
"""Above this value, that is in bone, the softer beam of a radiograph is weakened more than that of
a CT: the excess counts so many times."""
BROAD_MM, KEPT = 30.0, 0.5
"""Contrasts broader than this are kept in part."""
SHARE, SMOOTH_MM = 0.25, 4.0
"""A pixel belongs to a finding above this share of its strongest effect, once smoothed."""


@dataclass(frozen=True)
class ChestRadiograph:
    """A phantom radiograph with the truth behind it.

    Attributes:
        image: `(X, 1, Z)` in [0, 1], dense being bright.
        masks: of each finding that is there, 0 and 1, in the same space.
    """

    image: Volume
    masks: dict[str, Volume]

    @property
    def attributes(self) -> dict[str, float]:
        """1 for each finding that is there, 0 for the others."""
        return {name: float(name in self.masks) for name in LABELS}


def draw_radiograph(
    seed: int, side: int = 64, findings: Collection[str] | None = None,
    scanner: Scanner = SCANNERS["source"],
) -> ChestRadiograph:  # fmt: skip
    """Draw one radiograph. The same arguments give the same pixels.

    Args:
        seed: of the patient; with other `findings`, the same patient before or after.
        side: pixels of the square picture.
        findings: of `LABELS`; each is there by even chance of `PREVALENCE` if `None`.
        scanner: that takes the picture.

    >>> positive, negative = (draw_radiograph(3, 48, found) for found in (["effusion"], []))
    >>> changed = np.abs(positive.image.voxels - negative.image.voxels)
    >>> inside = positive.masks["effusion"].voxels > 0
    >>> bool(changed[inside].mean() > 4 * changed[~inside].mean())
    True
    """
    rng = streams(seed)
    shown = rng["findings"].random(len(LABELS)) < PREVALENCE
    if findings is None:
        findings = [name for name, there in zip(LABELS, shown, strict=True) if there]
    own = dict(zip(LABELS, rng["findings"].spawn(len(LABELS)), strict=True))
    healthy = anatomy = draw_anatomy(rng["anatomy"])
    if ENLARGED in findings:
        anatomy = enlarged(healthy, own[ENLARGED])
    aside = rng["scanner"].uniform(-1, 1, 2) * scanner.aside_mm
    middle = (MIDDLE_MM[0] + aside[0], MIDDLE_MM[1], MIDDLE_MM[2] + aside[1])
    pixel = scanner.field_mm / side
    thickness = FIELD_MM[1] / DEPTH

    def started() -> Painting:
        return Painting((side, DEPTH, side), (pixel, thickness, pixel), middle, HU["air"])

    painting = started()
    paint_shoulders(painting, anatomy)
    lungs = paint_body(painting, anatomy, rng, VESSELS)
    paint_shoulder_bones(painting, anatomy, PAINTED["bone"])
    effects: dict[str, np.ndarray] = {}
    if ENLARGED in findings:
        large, normal = started(), started()
        paint_body(large, anatomy, streams(seed), vessels=0)
        paint_body(normal, healthy, streams(seed), vessels=0)
        effects[ENLARGED] = large.values - normal.values
    for name, paint in FINDINGS.items():
        if name in findings:
            before = painting.values.copy()
            paint(painting, anatomy, lungs, own[name])
            effects[name] = painting.values - before
    paint_devices(painting, anatomy, rng["devices"])

    water = water_mm(in_soft_beam(painting.values), thickness)
    image = compressed(expose(water, pixel, scanner, rng["scanner"]), pixel)
    masks = {
        name: Volume(_mask(change, pixel), painting.affine) for name, change in effects.items()
    }
    return ChestRadiograph(Volume(image.astype(np.float32)[:, None], painting.affine), masks)


def in_soft_beam(hounsfield: np.ndarray) -> np.ndarray:
    """Values in HU as a beam of radiographs meets them: bone weakens it more than that of a CT.

    >>> in_soft_beam(np.array([-850.0, 40.0, 750.0])).tolist()
    [-850.0, 40.0, 1506.0]
    """
    bone = np.maximum(hounsfield - BONE_HU, 0)
    result: np.ndarray = hounsfield + (SOFTER - 1) * bone
    return result


def compressed(image: np.ndarray, pixel_mm: float) -> np.ndarray:
    """A picture `(X, Z)` in [0, 1] whose broad contrasts are lowered, so that detail is seen.

    As processing of digital radiographs does, by which ribs show before lungs and vessels behind
    the heart.

    >>> scene = np.linspace(0, 1, 64)[:, None] + np.zeros((64, 64))
    >>> scene[32, 32] += 0.2
    >>> before, after = scene, compressed(scene, 5.0)
    >>> bool(after[32, 32] - after[32, 31] > before[32, 32] - before[32, 31])
    True
    """
    inside = image > 0
    broad = ndimage.gaussian_filter(image, BROAD_MM / pixel_mm)
    raised = KEPT * broad + (image - broad)
    low, high = np.percentile(raised[inside], WINDOW) if inside.any() else (0.0, 1.0)
    result: np.ndarray = np.clip((raised - low) / max(high - low, 1e-6), 0, 1)
    return result


def _mask(change: np.ndarray, pixel_mm: float) -> np.ndarray:
    """Where a change in HU `(X, Y, Z)` weakens the beam otherwise, `(X, 1, Z)`."""
    effect = np.abs(ndimage.gaussian_filter(change.sum(axis=1), SMOOTH_MM / pixel_mm))
    result: np.ndarray = (effect > SHARE * effect.max()).astype(np.uint8)[:, None]
    return result
