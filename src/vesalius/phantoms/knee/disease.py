"""Osteoarthritis of a phantom knee over the years: what is lost, what grows, and how it is graded.

Load wears the compartment that the leg's axis leans on, the faster the more the joint is ill
already: the hazard of fast progression follows from alignment times severity, which the first
radiograph shows in part, and from chance. So it can be learnt, and not be read off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.phantoms.knee.anatomy import KneeAnatomy

MEDIAL, LATERAL = 0, 1
LEAST_MM = 0.3
"""Of a joint space: bone on bone."""
OSTEOPHYTE_MM = (1.0, 2.5)
"""A doubtful one, and a definite one."""
NARROWED = (0.3, 0.7)
"""Share of the healthy joint space that is lost when it counts as narrowed, and as severely so."""
SCLEROTIC = 0.5
FAST = 2
"""A rise of so many grades is fast progression: above one."""


@dataclass(frozen=True)
class KneeState:
    """A knee at one time; pairs are medial and lateral.

    Attributes:
        joint_space_mm: between femur and tibia.
        osteophyte_mm: how far spurs reach beyond the bones' edges.
        sclerosis: of the bone under the joint, 0 to 1.
        narrowed: share of the healthy joint space that is lost.
    """

    joint_space_mm: tuple[float, float]
    osteophyte_mm: tuple[float, float]
    sclerosis: tuple[float, float]
    narrowed: tuple[float, float]

    @property
    def kl_grade(self) -> int:
        """Grade after Kellgren and Lawrence 1957, by rules on what was drawn.

        4 with severe narrowing and sclerosis, 3 with narrowing and a definite osteophyte, 2 with a
        definite osteophyte, 1 with a doubtful one or some narrowing, 0 without any of these.

        >>> KneeState((4.8, 5.4), (3.0, 0.0), (0.0, 0.0), (0.1, 0.0)).kl_grade
        2
        """
        spur, lost = max(self.osteophyte_mm), max(self.narrowed)
        if lost >= NARROWED[1] and max(self.sclerosis) >= SCLEROTIC:
            return 4
        if lost >= NARROWED[0] and spur >= OSTEOPHYTE_MM[1]:
            return 3
        if spur >= OSTEOPHYTE_MM[1]:
            return 2
        return int(spur >= OSTEOPHYTE_MM[0] or lost >= NARROWED[0] / 2)


@dataclass(frozen=True)
class Disease:
    """A patient's osteoarthritis.

    Attributes:
        worn: the compartment that wears.
        severity: at the first visit, 0 to 1.
        hazard: probability of being one whose disease goes fast.
        fast: whether it does.
        lost_mm: joint space lost before the first visit.
        spurs: osteophytes at the first visit, for each unit of severity in mm.
        onset_years, rate_mm: when joint space begins to be lost, and how much a year.
    """

    worn: int
    severity: float
    hazard: float
    fast: bool
    lost_mm: float
    spurs: float
    onset_years: float
    rate_mm: float

    def at(self, years: float, anatomy: KneeAnatomy) -> KneeState:
        """The knee after some years; what is lost in one compartment opens the other a little."""
        lost = self.lost_mm + self.rate_mm * max(0.0, years - self.onset_years)
        healthy = anatomy.joint_space_mm
        lost = min(lost, healthy[self.worn] - LEAST_MM)
        since = lost - self.lost_mm
        spur = self.spurs * self.severity + 1.1 * since + 0.05 * years
        hard = min(1.0, 0.4 * self.severity + 0.2 * lost)
        spaces, spurs, sclerosis, narrowed = [], [], [], []
        for side in (MEDIAL, LATERAL):
            worn = side == self.worn
            space = healthy[side] - lost if worn else healthy[side] + 0.12 * lost
            spaces.append(space)
            spurs.append(spur if worn else 0.5 * spur)
            sclerosis.append(hard if worn else 0.25 * hard)
            narrowed.append(max(0.0, 1 - space / healthy[side]))
        return KneeState(
            (spaces[0], spaces[1]), (spurs[0], spurs[1]), (sclerosis[0], sclerosis[1]),
            (narrowed[0], narrowed[1]),
        )  # fmt: skip


def draw_disease(anatomy: KneeAnatomy, rng: np.random.Generator) -> Disease:
    """Draw what becomes of a knee.

    >>> from vesalius.phantoms.knee.anatomy import draw_anatomy
    >>> knee = draw_anatomy(np.random.default_rng(0))
    >>> disease = draw_disease(knee, np.random.default_rng(1))
    >>> 0 < disease.hazard < 1
    True
    """
    tilt_angle = anatomy.alignment_degrees / 3.2
    worn = MEDIAL if rng.random() < 1 / (1 + np.exp(2.0 * tilt_angle - 0.5)) else LATERAL
    load = -tilt_angle if worn == MEDIAL else tilt_angle
    severity = float(rng.beta(1.3, 2.2))
    hazard = float(1 / (1 + np.exp(2.4 - 2.6 * load * (0.05 + 1.8 * severity))))
    fast = bool(rng.random() < hazard)
    rate = rng.uniform(0.32, 0.75) if fast else rng.uniform(0.0, 0.09)
    return Disease(
        worn, severity, hazard, fast, lost_mm=float(severity * rng.uniform(0.0, 1.8)),
        spurs=float(rng.uniform(2.5, 6.0)), onset_years=float(rng.uniform(0, 2)),
        rate_mm=float(rate),
    )  # fmt: skip
