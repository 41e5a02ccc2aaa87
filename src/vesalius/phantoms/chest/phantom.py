"""One phantom chest from a seed: anatomy, nodules, and what a scanner makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.anatomy.attributes import attribute_values
from vesalius.phantoms.chest.anatomy import ChestAnatomy, draw_anatomy
from vesalius.phantoms.chest.lungs import (
    VESSEL_ENDS,
    Lung,
    paint_abdomen,
    paint_lungs,
    paint_trees,
)
from vesalius.phantoms.chest.mediastinum import heart_in, paint_heart, paint_vessels
from vesalius.phantoms.chest.nodules import Nodule, draw_nodule, paint_nodule
from vesalius.phantoms.chest.thorax import paint_bones, paint_wall
from vesalius.phantoms.hounsfield import HU, WATER_PER_MM
from vesalius.phantoms.painting import Painting
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import LabelledScan
from vesalius.scans.description import Description
from vesalius.scans.volume import Volume

LABELS = {
    "background": 0, "lung_right": 1, "lung_left": 2, "airway": 3, "heart": 4, "great_vessels": 5,
    "bone": 6, "nodule": 7,
}  # fmt: skip
ATTRIBUTES = (
    Attribute("lung_volume_ml", "volume_ml", ("lung_right", "lung_left")),
    Attribute("heart_volume_ml", "volume_ml", ("heart",)),
    Attribute("nodule_volume_ml", "volume_ml", ("nodule",)),
)
DESCRIPTION = Description(("CT",), LABELS, attributes=ATTRIBUTES, origin="phantom")
KNOWN = ("nodule_spiculation", "nodule_malignant")
"""Known of the largest nodule by construction; 0 without one."""

FIELD_MM = (360.0, 290.0, 288.0)
MIDDLE_MM = (0.0, -6.0, -4.0)


@dataclass(frozen=True)
class ChestPhantom:
    """A phantom with the truth behind it.

    Attributes:
        scan: in Hounsfield units.
        anatomy: of the individual.
        nodules: and `places_mm`, the middle of each.
        exact: the image before the scanner, for projections.
        attributes: measured on the label map, and what is known of the largest nodule.
    """

    scan: LabelledScan
    anatomy: ChestAnatomy
    nodules: tuple[Nodule, ...]
    places_mm: tuple[tuple[float, float, float], ...]
    exact: Volume
    attributes: dict[str, float]


def draw_chest(
    seed: int, shape: tuple[int, int, int] = (64, 64, 64), nodules: Sequence[Nodule] | None = None
) -> ChestPhantom:
    """Draw one phantom. The same arguments give the same voxels.

    Anatomy, texture, vessels, noise and nodules each have a stream of chance of their own, so a
    case and the same seed with `nodules=()` are a patient before and after.

    Args:
        seed: of this case.
        shape: voxels of a field of 360 × 290 × 288 mm.
        nodules: what grows in the lungs; none to three are drawn if `None`.

    >>> body = draw_chest(1, (32, 32, 32), [])
    >>> 2500 < body.attributes["lung_volume_ml"] < 8000, body.attributes["nodule_volume_ml"]
    (True, 0.0)
    """
    rng = streams(seed)
    anatomy = draw_anatomy(rng["anatomy"])
    if nodules is None:
        count = int(rng["nodules"].choice(4, p=(0.3, 0.4, 0.2, 0.1)))
        nodules = [draw_nodule(rng["nodules"]) for _ in range(count)]
    spacing = tuple(side / n for side, n in zip(FIELD_MM, shape, strict=True))
    painting = Painting(shape, (spacing[0], spacing[1], spacing[2]), MIDDLE_MM, HU["air"])
    lungs = paint_body(painting, anatomy, rng)
    placed = [(n, paint_nodule(painting, lungs, n, LABELS["nodule"])) for n in nodules]
    grown = [(nodule, at) for nodule, at in placed if at is not None]

    affine = painting.affine
    label_map = Volume(painting.labels, affine)
    image = acquired(painting, rng["scanner"])
    attributes = attribute_values(ATTRIBUTES, label_map, LABELS)
    largest = max((n for n, _ in grown), key=lambda n: n.volume_mm3, default=None)
    known = (largest.spiculation, float(largest.malignant)) if largest else (0.0, 0.0)
    attributes |= dict(zip(KNOWN, known, strict=True))
    return ChestPhantom(
        LabelledScan((Volume(image, affine),), label_map), anatomy,
        tuple(n for n, _ in grown), tuple(at for _, at in grown),
        Volume(painting.values, affine), attributes,
    )  # fmt: skip


def streams(seed: int) -> dict[str, np.random.Generator]:
    """Chance for each part of a phantom, so that none depends on what the others draw."""
    names = ("anatomy", "texture", "trees", "vessels", "nodules", "scanner", "findings", "devices")
    spawned = np.random.SeedSequence(seed).spawn(len(names))
    return {name: np.random.default_rng(s) for name, s in zip(names, spawned, strict=True)}


def paint_body(
    painting: Painting, anatomy: ChestAnatomy, rng: Mapping[str, np.random.Generator],
    vessels: int = VESSEL_ENDS,
) -> list[Lung]:  # fmt: skip
    """Paint a healthy chest; its lungs are given back, for what may grow in them.

    Args:
        painting: an empty one.
        anatomy: of the individual.
        rng: see `streams`.
        vessels: ends of the tree in each lung; no vessels and airways for 0.
    """
    fine, broad = (painting.texture(width, rng["texture"]) for width in (5.0, 16.0))
    paint_wall(painting, anatomy, broad)
    paint_abdomen(painting, anatomy, broad)
    heart = heart_in(painting, anatomy)
    lungs = paint_lungs(painting, anatomy, heart, fine, broad, LABELS)
    paint_heart(painting, heart, broad, LABELS)
    paint_vessels(painting, anatomy, LABELS, rng["vessels"])
    if vessels:
        paint_trees(painting, lungs, LABELS, rng["trees"], vessels)
    paint_bones(painting, anatomy, broad, LABELS["bone"])
    return lungs


def acquired(painting: Painting, rng: np.random.Generator) -> np.ndarray:
    """Point spread, and quantum noise that is coarser than white in plane; whole HU, cut at -1024.

    Noise grows with what the beam must pass (Barrett et al. 1976, "Statistical limitations in
    computed tomography"): here from side to side and from back to front at each place.
    """
    blur = float(rng.uniform(0.25, 0.45))
    observed = ndimage.gaussian_filter(painting.values, blur)
    water = np.clip(1 + painting.values / 1000, 0, None)
    sides = [
        ndimage.gaussian_filter1d(
            np.broadcast_to(water.mean(axis=axis, keepdims=True), water.shape), 2.0, axis=2
        ) * field
        for axis, field in ((0, FIELD_MM[0]), (1, FIELD_MM[1]))
    ]  # fmt: skip
    passed = np.exp(0.25 * WATER_PER_MM * (sides[0] + sides[1]))
    noise = rng.standard_normal(painting.shape).astype(np.float32)
    noise = noise - 0.6 * ndimage.gaussian_filter(noise, (1.2, 1.2, 0))
    level = float(rng.uniform(6.0, 14.0)) * (5.0 / painting.softness) ** 0.5
    observed = observed + level * noise * passed / passed.mean()
    image: np.ndarray = np.clip(observed, -1024, 3071).round()
    return image
