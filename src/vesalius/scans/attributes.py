"""Attributes: properties of a case by name, as a cohort declares them; `anatomy` measures them."""

from __future__ import annotations

from dataclasses import dataclass

UNITS = {"ml": "mL", "mm": "mm"}
"""Units by their spelling at the end of a name."""


@dataclass(frozen=True)
class Attribute:
    """A named measure on some labels, such as `ventricle_volume_ml` on `lateral_ventricles`."""

    name: str
    measure: str
    labels: tuple[str, ...]

    @property
    def unit(self) -> str:
        """The unit, which stands at the end of the name of the measure.

        >>> Attribute("ventricle_volume_ml", "volume_ml", ("lateral_ventricles",)).unit
        'mL'
        """
        return UNITS[self.measure.rsplit("_", 1)[1]]


def unit_of(name: str) -> str:
    """The unit in the name of an attribute, empty where there is none.

    >>> unit_of("ventricle_volume_ml"), unit_of("herniation_mm_L4-L5"), unit_of("kl_grade")
    ('mL', 'mm', '')
    """
    return next((UNITS[part] for part in name.split("_") if part in UNITS), "")
