"""A patient whose knee is looked at again and again: the same bones, a disease that goes on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.phantoms.knee.anatomy import KneeAnatomy, draw_anatomy
from vesalius.phantoms.knee.disease import LATERAL, MEDIAL, Disease, KneeState, draw_disease
from vesalius.phantoms.knee.phantom import draw_knee, draw_positioning
from vesalius.scans.description import Description
from vesalius.scans.volume import Volume

ATTRIBUTES = (
    "years", "joint_space_mm_medial", "joint_space_mm_lateral", "kl_grade", "left", "age_years",
    "alignment_degrees", "severity", "hazard",
)  # fmt: skip
"""`alignment_degrees`, `severity` and `hazard` are what no radiograph tells in full: for ceilings
and controls, not to learn from."""
DESCRIPTION = Description(("X-ray",), {"background": 0}, origin="phantom")
YEARS = (0.0, 2.0, 4.0, 6.0, 8.0)


@dataclass(frozen=True)
class KneePatient:
    """One knee of one patient, from a seed.

    >>> patient = KneePatient.generated(5)
    >>> grades = [patient.at(years).kl_grade for years in YEARS]
    >>> grades == sorted(grades)
    True
    """

    seed: int
    anatomy: KneeAnatomy
    disease: Disease

    @classmethod
    def generated(cls, seed: int) -> KneePatient:
        """Draw a patient. The same seed gives the same one."""
        bones, illness = (np.random.default_rng([seed, part]) for part in (0, 1))
        anatomy = draw_anatomy(bones)
        return cls(seed, anatomy, draw_disease(anatomy, illness))

    def at(self, years: float) -> KneeState:
        """The knee after some years."""
        return self.disease.at(years, self.anatomy)

    def radiograph(self, years: float, side: int = 64) -> Volume:
        """The radiograph of one visit, `(side, 1, side)`, see `draw_knee`.

        Positioning, exposure and noise are those of this visit alone.
        """
        rng = np.random.default_rng([self.seed, 2, round(1000 * years)])
        place = draw_positioning(rng)
        return draw_knee(self.anatomy, self.at(years), place, rng, side)

    def attributes(self, years: float) -> dict[str, float]:
        """What is known of the knee after some years, `ATTRIBUTES`."""
        state = self.at(years)
        return {
            "years": years, "joint_space_mm_medial": state.joint_space_mm[MEDIAL],
            "joint_space_mm_lateral": state.joint_space_mm[LATERAL],
            "kl_grade": float(state.kl_grade), "left": float(self.anatomy.left),
            "age_years": self.anatomy.age_years + years,
            "alignment_degrees": self.anatomy.alignment_degrees,
            "severity": self.disease.severity, "hazard": self.disease.hazard,
        }  # fmt: skip
