"""A small field of CT about one nodule: what a classifier of malignancy looks at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.phantoms.chest.anatomy import draw_anatomy
from vesalius.phantoms.chest.nodules import Nodule, draw_nodule, paint_nodule_at
from vesalius.phantoms.chest.phantom import FIELD_MM, LABELS, acquired, paint_body, streams
from vesalius.phantoms.external_site import Place, from_external_site
from vesalius.phantoms.hounsfield import HU
from vesalius.phantoms.painting import Painting
from vesalius.scans.description import Description
from vesalius.scans.volume import Volume

MALIGNANT = "nodule_malignant"
DESCRIPTION = Description(("CT",), {"background": 0}, origin="phantom")
FIELD_CROP_MM = 40.0
LEAST_ASIDE_MM, REACH = 1.5, 1.8
"""A nodule may lie aside of the middle by what is left once its spicules, so many times its radius,
have room: a mask that ignores the image must not be right by its place."""
COARSE = (36, 29, 36)
"""Voxels of the whole chest in which a place is looked for."""
VESSELS = 24
"""Ends of the tree in the field: about as many as in so much of a lung."""


@dataclass(frozen=True)
class NoduleCrop:
    """A nodule in its surroundings.

    Attributes:
        image: `(X, Y, Z)` in Hounsfield units, the nodule somewhere inside.
        mask: 0 and 1, of the nodule.
        nodule: what it is.
    """

    image: Volume
    mask: Volume
    nodule: Nodule


def draw_nodule_crop(
    seed: int, side: int = 32, malignant: bool | None = None, scanner: Place = "source"
) -> NoduleCrop:
    """Draw one field of 40 mm. The same arguments give the same voxels.

    Args:
        seed: of the patient.
        side: voxels of the cube.
        malignant: kind of nodule; either by even chance if `None`.
        scanner: that takes it.

    >>> crop = draw_nodule_crop(3, 24)
    >>> crop.image.shape, bool(crop.mask.voxels.any())
    ((24, 24, 24), True)
    """
    rng = streams(seed)
    anatomy = draw_anatomy(rng["anatomy"])
    nodule = draw_nodule(rng["nodules"], malignant)
    spacing = [mm / n for mm, n in zip(FIELD_MM, COARSE, strict=True)]
    coarse = Painting(COARSE, (spacing[0], spacing[1], spacing[2]), (0.0, -6.0, -4.0), HU["air"])
    lungs = paint_body(coarse, anatomy, streams(seed), vessels=0)
    reach = (3 * nodule.volume_mm3 / (4 * np.pi)) ** (1 / 3)
    room = np.argwhere(np.maximum(*(lung.inside for lung in lungs)) > reach)
    place = coarse.points_mm(room[min(int(nodule.place[1] * len(room)), len(room) - 1)])
    aside = max(LEAST_ASIDE_MM, FIELD_CROP_MM / 2 - 2 - REACH * reach)
    off = rng["nodules"].uniform(-aside, aside, 3)
    middle = (float(place[0] + off[0]), float(place[1] + off[1]), float(place[2] + off[2]))
    voxel = FIELD_CROP_MM / side
    fine = Painting((side, side, side), (voxel, voxel, voxel), middle, HU["air"])
    paint_body(fine, anatomy, rng, VESSELS)
    paint_nodule_at(fine, (place[0], place[1], place[2]), nodule, LABELS["nodule"])
    mask = (fine.labels == LABELS["nodule"]).astype(np.uint8)
    image = acquired(fine, rng["scanner"])
    if scanner == "external":
        image = from_external_site(image, rng["devices"]).round()
    return NoduleCrop(Volume(image, fine.affine), Volume(mask, fine.affine), nodule)
