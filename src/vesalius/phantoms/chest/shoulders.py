"""What a radiograph of the chest shows above and beside it: shoulders with scapula and humerus."""

from __future__ import annotations

from vesalius.phantoms.chest.anatomy import ChestAnatomy
from vesalius.phantoms.hounsfield import HU
from vesalius.phantoms.painting import Painting

Line = list[tuple[float, float, float]]

_SOFT: Line = [(34, -14, 150), (92, -24, 118), (150, -20, 92), (178, -16, 40)]
_SOFT_MM = (30.0, 42.0, 52.0, 44.0)
"""Trapezius, then deltoid, for the right side; the left one mirrors it."""
_SCAPULA: tuple[tuple[Line, float], ...] = (
    ([(134, -46, 84), (122, -66, 40), (104, -80, -16)], 3.4),
    ([(82, -82, 92), (90, -86, 40), (104, -80, -16)], 2.2),
    ([(82, -86, 84), (116, -82, 100), (150, -50, 114)], 4.6),
    ([(134, -46, 84), (120, -20, 98)], 4.2),
)
"""Lateral and medial border, spine with acromion, coracoid process; each with its radius in mm."""
_HUMERUS: Line = [(160, -24, 88), (174, -22, 62), (182, -20, -10)]
_HUMERUS_MM = (23.0, 14.0, 11.0)
_SHELL_MM = 2.2


def paint_shoulders(painting: Painting, anatomy: ChestAnatomy) -> None:
    """Muscle under fat under skin on both sides, to be painted before the chest itself."""
    for side in (-1, 1):
        line = _placed(_SOFT, side, anatomy)
        for value, grown in (
            (HU["skin"], anatomy.fat_mm + 2.5), (HU["fat"], anatomy.fat_mm), (HU["muscle"], 0.0)
        ):  # fmt: skip
            radii = [wide * anatomy.stature + grown for wide in _SOFT_MM]
            painting.tube(line, radii, value)


def paint_shoulder_bones(painting: Painting, anatomy: ChestAnatomy, bone: int) -> None:
    """Scapulae and humeri, as they are turned with the hands on the hips: mostly off the lungs."""
    for side in (-1, 1):
        for line, wide in _SCAPULA:
            painting.tube(_placed(line, side, anatomy), wide, HU["cortex"], bone)
        humerus = _placed(_HUMERUS, side, anatomy)
        painting.tube(humerus, _HUMERUS_MM, HU["cortex"], bone)
        painting.tube(humerus, [wide - _SHELL_MM for wide in _HUMERUS_MM], HU["marrow"])


def _placed(line: Line, side: int, anatomy: ChestAnatomy) -> Line:
    """A line of the right side on either one, as wide and as tall as the individual is."""
    wide, tall = anatomy.half_mm[0] / 128, anatomy.stature
    return [(side * x * wide, y * tall, z * tall) for x, y, z in line]
