"""Lungs between chest wall, mediastinum and diaphragm, with their vessels and airways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.phantoms.chest.anatomy import APEX_MM, ChestAnatomy
from vesalius.phantoms.chest.branching import grown, radius_mm
from vesalius.phantoms.chest.mediastinum import COAT_MM, Heart
from vesalius.phantoms.hounsfield import HU
from vesalius.phantoms.painting import Painting
from vesalius.phantoms.shapes import Array, bump

SIDES = {"lung_right": 1, "lung_left": -1}
CARINA = (2.0, -16.0, 44.0)
HILA = {1: (36.0, -14.0, 16.0), -1: (-40.0, -18.0, 18.0)}
VESSEL_ENDS, AIRWAY_ORDERS = 800, 5
SMALLEST_VESSEL_MM = 0.6


@dataclass(frozen=True)
class Lung:
    """One side: where it lies, as distance inside its border in mm over the whole grid."""

    name: str
    side: int
    inside: Array


def diaphragm(anatomy: ChestAnatomy, x: Array, y: Array, side: int) -> Array:
    """Height of the dome under one lung; it falls off to a narrow gap at the wall."""
    top = anatomy.domes_mm[0 if side > 0 else 1]
    aside = (np.abs(x) - 62) / 78
    height: Array = top - 42 * np.clip(aside, -0.4, None) ** 2 - 62 * ((y - 18) / 88) ** 2
    return height


def mediastinum(anatomy: ChestAnatomy, y: Array, z: Array) -> Array:
    """Half the width of what lies between the lungs: narrow in front, as wide as spine behind."""
    front = 5 + 17 * bump(y + 6, 26)
    behind = 21 * bump(y + 0.8 * anatomy.half_mm[1], 20)
    width: Array = np.maximum(front, behind) + 4 * bump(z - 60, 40)
    return width


def paint_lungs(
    painting: Painting, anatomy: ChestAnatomy, heart: Heart, fine: Array, broad: Array,
    numbers: dict[str, int],
) -> list[Lung]:  # fmt: skip
    """Both lungs around the heart: darker where emphysema has emptied them, denser behind."""
    region = painting.box()
    assert region is not None
    x, y, z = region.x, region.y, region.z
    result = []
    empty = anatomy.emphysema * 110 * np.clip(broad - 0.4, 0, 2)
    tissue = HU["lung"] - 25 * y / 80 + 16 * fine - empty
    for name, side in SIDES.items():
        inside = np.minimum(anatomy.inner(x, y, z) - 1.5, side * x - mediastinum(anatomy, y, z))
        inside = np.minimum(inside, 0.8 * (z - diaphragm(anatomy, x, y, side)))
        inside = np.minimum(inside, APEX_MM * anatomy.stature - z)
        inside = np.minimum(inside, -heart.inside - COAT_MM)
        painting.paint(region, inside, tissue, numbers[name])
        result.append(Lung(name, side, inside))
    return result


def paint_abdomen(painting: Painting, anatomy: ChestAnatomy, broad: Array) -> None:
    """What bulges up under the domes: liver, spleen, stomach with or without gas."""
    region = painting.box(z=(-200, max(anatomy.domes_mm) + 5))
    if region is None:
        return
    x, y, z = region.x, region.y, region.z
    limit = anatomy.inner(x, y, z) - 4
    for side, value in ((1, HU["liver"]), (-1, HU["spleen"])):
        below = np.minimum(diaphragm(anatomy, x, y, side) - 2.5 - z, limit)
        below = np.minimum(below, side * x + (28 if side > 0 else -30))
        painting.paint(region, below, value + 6 * broad[region.place])
    centre = (-58, 10, anatomy.domes_mm[1] - 34)
    bag = 34 * (1 - np.sqrt(sum(
        ((axis - at) / half) ** 2
        for axis, at, half in zip((x, y, z), centre, (40, 42, 27), strict=True)
    )))  # fmt: skip
    painting.paint(region, bag, HU["stomach"])
    if anatomy.gas:
        painting.paint(region, np.minimum(bag - 3, y - centre[1] - 4), HU["air"] + 30)


def paint_trees(
    painting: Painting, lungs: list[Lung], numbers: dict[str, int], rng: np.random.Generator,
    ends: int = VESSEL_ENDS,
) -> None:  # fmt: skip
    """Arteries and veins as one tree a lung, with as many ends, and beside its first orders
    airways with walls.
    """
    tracheal = [(1.0, -14.0, 150.0), (0.0, -14.0, 90.0), CARINA]
    airways: list[tuple[list[Sequence[float] | Array], float]] = [([*tracheal], 8.8)]
    for lung in lungs:
        hilum = np.array(HILA[lung.side])
        places = np.argwhere(lung.inside > 4)
        if not len(places):
            continue
        chosen = places[rng.integers(len(places), size=ends)]
        within = chosen + rng.uniform(-0.5, 0.5, chosen.shape)
        main = (hilum[0] - 3 * lung.side, hilum[1] - 4, hilum[2] + 2)
        airways.append(([CARINA, main], 6.2))
        for branch in grown(hilum, painting.points_mm(within)):
            wide = radius_mm(branch.ends, SMALLEST_VESSEL_MM)
            painting.tube([branch.start, branch.end], wide, HU["vessel"])
            beside = 1.9 * wide * np.array([0.3 * lung.side, -0.8, 0.5])
            here = painting.nearest(branch.end + beside)
            if 0 < branch.order <= AIRWAY_ORDERS and lung.inside[here] > 0:
                airways.append(([branch.start + beside, branch.end + beside], 0.85 * wide))
    for line, wide in airways:
        painting.tube(line, wide + 0.9 + 0.1 * wide, HU["wall"])
    for line, wide in airways:
        painting.tube(line, wide, HU["air"], numbers["airway"])
