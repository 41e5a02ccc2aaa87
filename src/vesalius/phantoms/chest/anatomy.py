"""One individual's chest in numbers: lengths in mm from the middle of the chest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

APEX_MM, FLOOR_MM = 128.0, -135.0
"""Top of the lungs, and the lowest place they reach behind the liver."""


@dataclass(frozen=True)
class ChestAnatomy:
    """Right is positive x, anterior positive y, superior positive z.

    Attributes:
        half_mm: half widths of the chest's inside, side to side and front to back.
        wall_mm: of muscle and ribs.
        fat_mm: under the skin.
        domes_mm: height of the diaphragm, right and left.
        heart_mm: half axes of the heart, along, across and front to back.
        heart_shift: of its middle from the usual place.
        turn: of its long axis, in degrees below the horizontal.
        aorta_mm: radius of the aorta.
        emphysema: 0 to 1, how much of the lung is emptier than it should be.
        stature: factor on all lengths along the body.
        gas: whether the stomach holds a bubble of gas.
        calcium: 0 to 1, how much of the aortic wall is calcified.
    """

    half_mm: tuple[float, float]
    wall_mm: float
    fat_mm: float
    domes_mm: tuple[float, float]
    heart_mm: tuple[float, float, float]
    heart_shift: tuple[float, float, float]
    turn: float
    aorta_mm: float
    emphysema: float
    stature: float
    gas: bool
    calcium: float

    def inner(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Distance in mm inside the chest's inner wall, narrowing to a dome at the top.

        >>> body = draw_anatomy(np.random.default_rng(0))
        >>> centre, far = (body.inner(*(np.array(c) for c in p)) for p in ((0, 0, 0), (300, 0, 0)))
        >>> bool(centre > 60), bool(far < 0)
        (True, True)
        """
        wide, deep = self.widths(z)
        radius = ((np.abs(x) / wide) ** 2.3 + (np.abs(y) / deep) ** 2.3) ** (1 / 2.3)
        inside: np.ndarray = (1 - radius) * np.minimum(wide, deep)
        return inside

    def widths(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Half widths of the chest's inside at a height."""
        up = np.clip((z - FLOOR_MM * self.stature) / ((APEX_MM - FLOOR_MM) * self.stature), 0, 1)
        side, front = self.half_mm
        wide = side * np.sqrt(np.clip(1 - up**3.4, 0.004, 1)) * (0.94 + 0.06 * (1 - up))
        deep = front * np.sqrt(np.clip(1 - 0.9 * up**3.0, 0.02, 1)) * (0.90 + 0.10 * (1 - up))
        return wide, deep


def draw_anatomy(rng: np.random.Generator) -> ChestAnatomy:
    """Draw an individual: an adult with or without emphysema and chalk in the aorta."""
    size = 1 + 0.06 * rng.standard_normal()
    breath = rng.normal(0, 9)
    heart = 1 + 0.09 * rng.standard_normal()
    right = -62 - breath + rng.normal(0, 5)
    return ChestAnatomy(
        half_mm=(128 * size * (1 + 0.03 * rng.standard_normal()),
                 88 * size * (1 + 0.06 * rng.standard_normal())),
        wall_mm=float(rng.uniform(15, 22)),
        fat_mm=float(np.clip(rng.lognormal(2.5, 0.5), 4, 32)),
        domes_mm=(float(right), float(right - rng.uniform(4, 20))),
        heart_mm=(62 * heart * size, 40 * heart * size, 41 * heart * size),
        heart_shift=(
            float(rng.normal(0, 4)), float(rng.normal(0, 3)), float(rng.normal(0, 5))
        ),
        turn=float(rng.normal(38, 6)),
        aorta_mm=float(np.clip(rng.normal(14.0, 1.5), 11, 19)),
        emphysema=float(np.clip(rng.normal(0.15, 0.25), 0, 1)),
        stature=float(size), gas=bool(rng.random() < 0.8),
        calcium=float(np.clip(rng.normal(0.25, 0.3), 0, 1)),
    )  # fmt: skip
