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
from vesalius.phantoms.hounsfield import HU
from vesalius.phantoms.painting import Painting
from vesalius.phantoms.xray import SCANNERS, Scanner, expose, water_mm
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
    lungs = paint_body(painting, anatomy, rng, VESSELS)
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

    water = water_mm(painting.values, thickness)
    image = expose(water, pixel, scanner, rng["scanner"])
    masks = {
        name: Volume(_mask(change, pixel), painting.affine) for name, change in effects.items()
    }
    return ChestRadiograph(Volume(image.astype(np.float32)[:, None], painting.affine), masks)


def _mask(change: np.ndarray, pixel_mm: float) -> np.ndarray:
    """Where a change in HU `(X, Y, Z)` weakens the beam otherwise, `(X, 1, Z)`."""
    effect = np.abs(ndimage.gaussian_filter(change.sum(axis=1), SMOOTH_MM / pixel_mm))
    result: np.ndarray = (effect > SHARE * effect.max()).astype(np.uint8)[:, None]
    return result
