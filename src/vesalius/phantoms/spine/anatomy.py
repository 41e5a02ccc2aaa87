"""One individual's lumbar spine in numbers: lengths in mm along the back wall of the vertebrae."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

VERTEBRAE = ("T12", "L1", "L2", "L3", "L4", "L5", "S1", "S2", "S3")
LEVELS = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
"""Lumbar discs, named by their neighbours."""

_HEIGHT_MM = (24.5, 25.5, 26.5, 27.0, 26.5, 25.0, 29.0, 22.0, 18.0)
_DEPTH_MM = (30.0, 31.5, 32.5, 33.5, 34.0, 33.5, 29.0, 20.0, 15.0)
_DISC_MM = (5.0, 6.0, 7.2, 8.2, 8.8, 7.0, 1.8, 1.2)
_BEND_DEGREES = (2.0, 4.0, 6.5, 9.5, 13.0, 17.0, -9.0, -14.0)
"""Lordosis taken up between the middles of neighbouring vertebrae."""

_GRADE_BY_LEVEL = (-0.5, -0.35, 0.0, 0.55, 0.6)


@dataclass(frozen=True)
class Disc:
    """A disc: middle along the spine, height at the back, bulge beyond the wall, Pfirrmann grade.

    Grades after Pfirrmann et al. 2001: 1 bright and tall to 5 dark and collapsed; here without
    steps in between being left out. `protrusion` is how far a small part of its edge, `aside` of
    the midline, reaches beyond the rest: common in people without complaints (Brinjikji et al.
    2015), and no finding.
    """

    middle: float
    height: float
    bulge: float
    grade: float
    protrusion: float = 0.0
    aside: float = 0.0


@dataclass(frozen=True)
class SpineAnatomy:
    """All lengths in mm. Positions run upwards along the spine from the middle of L3.

    Attributes:
        middles, heights, depths: of the vertebrae from T12 to S3; depth is front to back.
        discs: from T12-L1 to S2-S3.
        knots, tilts: position and angle from the vertical of the curve that the back wall follows.
        sideways: amplitude and phase of a lateral curve over some 300 mm.
        sac_mm: diameter of the thecal sac, front to back, at L1 and at L5.
        conus: position of the tip of the cord.
        fat_mm: under the skin of the back, above and below.
        marrow_fat: share of fat in the marrow, 0 to 1.
        stature: factor on all lengths.
    """

    middles: np.ndarray
    heights: np.ndarray
    depths: np.ndarray
    discs: tuple[Disc, ...]
    knots: np.ndarray
    tilts: np.ndarray
    sideways: tuple[float, float]
    sac_mm: tuple[float, float]
    conus: float
    fat_mm: tuple[float, float]
    marrow_fat: float
    stature: float

    def disc(self, level: str) -> Disc:
        """The disc of a level such as `L4-L5`."""
        return self.discs[1 + LEVELS.index(level)]


def draw_anatomy(rng: np.random.Generator) -> SpineAnatomy:
    """Draw an individual. Age drives degeneration, which lowers discs and lets them bulge.

    >>> one = draw_anatomy(np.random.default_rng(0))
    >>> len(one.discs), bool((np.diff(one.middles) < -10).all())
    (8, True)
    """
    stature = 1 + 0.05 * rng.standard_normal()
    age = rng.uniform(25, 80)
    wear = (age - 52) / 25
    heights = np.array(_HEIGHT_MM) * stature * (1 + 0.025 * rng.standard_normal(9))
    depths = np.array(_DEPTH_MM) * stature * (1 + 0.03 * rng.standard_normal(9))
    grades = np.full(8, 2.0)
    grades[1:6] = 2.5 + 0.8 * wear + np.array(_GRADE_BY_LEVEL) + 0.6 * rng.standard_normal(5)
    grades = np.clip(grades, 1, 5)
    tall = np.array(_DISC_MM) * stature * (1 + 0.08 * rng.standard_normal(8))
    tall = tall * np.clip(1.12 - 0.11 * (grades - 1), 0.55, 1.1)
    bulges = np.clip(0.45 * (grades - 2) + 0.5 * rng.standard_normal(8), -0.8, 2.0)
    tops = np.concatenate([[0.0], np.cumsum(heights[:-1] + tall)])
    middles = -(tops + heights / 2)
    middles = middles - middles[3]
    between = middles[:-1] - heights[:-1] / 2 - tall / 2
    lordosis = rng.normal(1.0, 0.2)
    bend = np.array(_BEND_DEGREES) * (1 + 0.15 * rng.standard_normal(8))
    bend[:6] *= np.clip(lordosis, 0.55, 1.5)
    tilts = np.concatenate([[0.0], np.cumsum(bend)])
    tilts = tilts - tilts[3] + rng.normal(2, 3)
    sideways = (float(rng.normal(0, 2.2)), float(rng.uniform(0, 2 * np.pi)))
    sac = (
        float(np.clip(rng.normal(16.0, 1.4), 12.5, 18.5)),
        float(np.clip(rng.normal(14.3, 1.7), 11.0, 17.5)),
    )
    small = rng.uniform(0.8, 2.2, 8) * (rng.random(8) < np.clip(0.12 * (grades - 1), 0, 0.4))
    aside = np.clip(rng.normal(0, 3, 8), -6, 6)
    discs = tuple(
        Disc(*(float(x) for x in disc))
        for disc in zip(between, tall, bulges, grades, small, aside, strict=True)
    )
    return SpineAnatomy(
        middles=middles, heights=heights, depths=depths, discs=discs, knots=middles, tilts=tilts,
        sideways=sideways,
        sac_mm=sac,
        conus=float(between[1] + rng.normal(2, 7)),
        fat_mm=(float(rng.uniform(5, 14)), float(rng.uniform(14, 38))),
        marrow_fat=float(np.clip(rng.normal(0.38 + 0.06 * wear, 0.07), 0.15, 0.65)),
        stature=float(stature),
    )  # fmt: skip
