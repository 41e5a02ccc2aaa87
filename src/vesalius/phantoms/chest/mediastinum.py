"""Heart and great vessels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.phantoms.chest.anatomy import ChestAnatomy
from vesalius.phantoms.chest.thorax import spine_line
from vesalius.phantoms.hounsfield import HU
from vesalius.phantoms.painting import Painting
from vesalius.phantoms.shapes import Array

HEART_MM = (-20.0, 20.0, -34.0)
COAT_MM = 4.0
"""Of fat around the heart; the lungs end there."""


@dataclass(frozen=True)
class Heart:
    """Where the heart lies on the whole grid, in mm: inside its border, along and across its axis.

    `along` runs from the base to the tip, `across` from the right chambers to the left.
    """

    inside: Array
    along: Array
    across: Array


def heart_in(painting: Painting, anatomy: ChestAnatomy) -> Heart:
    """An egg whose tip points left, down and forwards, resting on the dome."""
    at = [c + s for c, s in zip(HEART_MM, anatomy.heart_shift, strict=True)]
    at[2] = max(at[2], max(anatomy.domes_mm) + 0.75 * anatomy.heart_mm[1])
    region = painting.box()
    assert region is not None
    x, y, z = region.x - at[0], region.y - at[1], region.z - at[2]
    turn = np.deg2rad(anatomy.turn)
    tip = np.array([-np.cos(turn) * 0.86, np.cos(turn) * 0.5, -np.sin(turn)])
    up = np.array([-np.sin(turn) * 0.86, np.sin(turn) * 0.5, np.cos(turn)])
    side = np.cross(tip, up)
    along, across, deep = (a[0] * x + a[1] * y + a[2] * z for a in (tip, up, side))
    length, wide, thick = anatomy.heart_mm
    taper = np.clip(1 - 0.25 * along / length, 0.5, 1.5)
    radius = np.sqrt((along / length) ** 2 + (across / (wide * taper)) ** 2
                     + (deep / (thick * taper)) ** 2)  # fmt: skip
    return Heart((1 - radius) * wide, along, across)


def paint_heart(painting: Painting, heart: Heart, broad: Array, numbers: dict[str, int]) -> None:
    """A coat of fat that fills the groove between atria and ventricles, muscle, and chambers."""
    region = painting.box()
    assert region is not None
    painting.paint(region, heart.inside + COAT_MM, HU["fat"])
    painting.paint(region, heart.inside, HU["myocardium"], numbers["heart"])
    septum = np.abs(heart.across + 4) - 4.5
    chamber = np.minimum(heart.inside - 9, np.maximum(septum, -heart.along - 14))
    painting.paint(region, chamber, HU["blood"] - 6 + 2 * broad)
    groove = np.minimum(3.2 - np.abs(heart.along + 16), 9 - heart.inside)
    painting.paint(region, np.minimum(groove, heart.inside + 2), HU["fat"], strength=0.8)


def paint_vessels(
    painting: Painting, anatomy: ChestAnatomy, numbers: dict[str, int],
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Aorta with its arch, pulmonary trunk, upper caval vein; chalk in the wall of the old."""
    wide, label = anatomy.aorta_mm, numbers["great_vessels"]
    heights = (44.0, 0.0, -50.0, -100.0, -150.0)
    beside = [
        (-20.0 + 6.0 * ((50 - h) / 200) ** 2, float(spine_line(anatomy, np.asarray(h))) + 24, h)
        for h in heights
    ]
    aorta: list[tuple[float, float, float]] = [
        (2, 22, -12),
        (14, 24, 22),
        (12, 14, 52),
        (0, -4, 66),
        (-14, -26, 62),
        *beside,
    ]
    painting.tube([(24, 4, 110), (26, 2, 60), (24, 6, 0)], 9.0, HU["blood"], label)
    painting.tube([(-10, 32, -8), (-20, 24, 22), (-24, 4, 30)], 13.0, HU["blood"], label)
    painting.tube([(-22, 8, 28), (10, 2, 22), (38, -10, 20)], 10.0, HU["blood"], label)
    painting.tube([(-24, 4, 30), (-42, -14, 22)], 10.0, HU["blood"], label)
    painting.tube([(2, 6, -20), (40, -14, 4)], 6.5, HU["blood"], label)
    painting.tube([(-6, 4, -18), (-40, -16, 4)], 6.5, HU["blood"], label)
    painting.tube(aorta, [wide + 1, wide + 1, wide, wide, wide - 1, *[wide - 2] * 5],
                  HU["blood"], label)  # fmt: skip
    for _ in range(round(24 * anatomy.calcium)):
        index = int(rng.integers(2, len(aorta) - 1))
        share, turn = rng.random(), rng.uniform(0, 2 * np.pi)
        spot = (1 - share) * np.array(aorta[index]) + share * np.array(aorta[index + 1])
        spot = spot + (wide - 2.5) * np.array([np.cos(turn), np.sin(turn), 0.0])
        painting.tube([spot, spot + rng.normal(0, 3, 3)], 1.2, HU["calcium"])
