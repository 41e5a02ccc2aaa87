"""One individual's knee in numbers: what stays as it is while the years go by.

Lengths in mm. `u` runs from medial to lateral, `y` forwards, `z` upwards; the origin lies on the
tibial plateau, between the two compartments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COMPARTMENT_MM = 23.0
"""Where the medial compartment lies medially of the middle, and the lateral one laterally."""


@dataclass(frozen=True)
class KneeAnatomy:
    """A knee without disease.

    Attributes:
        left: whether it is a left knee.
        alignment_degrees: valgus above zero, varus below; deviation from a straight leg.
        scale: on all lengths of bone but the joint space.
        density: of trabecular bone, a factor.
        cortex_mm: thickness of the shafts' walls.
        joint_space_mm: medial and lateral, in health.
        notch: width of the intercondylar notch, a factor.
        flare: how quickly bones widen towards the joint, a factor.
        spines_mm: height of the two tibial spines.
        patella_mm: place of the patella, lateral and upwards.
        fibula_mm: place of the fibula's head, lateral and upwards.
        leg_mm: half width and half depth of the soft tissue.
        age_years: at the first visit.
        noise_texture: seed of the trabecular pattern.
    """

    left: bool
    alignment_degrees: float
    scale: float
    density: float
    cortex_mm: float
    joint_space_mm: tuple[float, float]
    notch: float
    flare: float
    spines_mm: tuple[float, float]
    patella_mm: tuple[float, float]
    fibula_mm: tuple[float, float]
    leg_mm: tuple[float, float]
    age_years: float
    noise_texture: int


def draw_anatomy(rng: np.random.Generator) -> KneeAnatomy:
    """Draw an individual; bone gets thinner with age.

    Joint spaces are those of radiographs of healthy knees, 4 to 6 mm, the lateral one wider
    (Deep et al. 2003, "Minimum joint space width and tibial cartilage morphology in the knees of
    healthy individuals").

    >>> knee = draw_anatomy(np.random.default_rng(0))
    >>> 3 < min(knee.joint_space_mm) and max(knee.joint_space_mm) < 8
    True
    """
    age = rng.uniform(45, 79)
    normal = rng.standard_normal(12)
    return KneeAnatomy(
        left=bool(rng.random() < 0.5),
        alignment_degrees=float(3.2 * normal[0]),
        scale=float(np.clip(1 + 0.055 * normal[1], 0.87, 1.13)),
        density=float(np.exp(0.16 * normal[2] - 0.008 * (age - 62))),
        cortex_mm=float(3.0 + 0.4 * normal[3]),
        joint_space_mm=(
            float(np.clip(4.8 + 0.45 * normal[4], 3.6, 6.2)),
            float(np.clip(5.4 + 0.45 * normal[4] + 0.3 * normal[5], 4.0, 7.0)),
        ),
        notch=float(np.clip(1 + 0.12 * normal[6], 0.7, 1.3)),
        flare=float(np.clip(1 + 0.12 * normal[7], 0.7, 1.3)),
        spines_mm=(float(8.5 + 1.2 * normal[8]), float(7.5 + 1.2 * normal[9])),
        patella_mm=(float(rng.normal(1.5, 2.0)), float(rng.normal(24, 3))),
        fibula_mm=(float(rng.normal(33.5, 1.5)), float(rng.normal(-17, 2.0))),
        leg_mm=(float(rng.normal(63, 4)), float(rng.normal(60, 5))),
        age_years=float(age),
        noise_texture=int(rng.integers(2**31)),
    )
