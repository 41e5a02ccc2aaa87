"""Attributes: properties of a case measured on its label map by declared functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.scans.input_error import InputError
from vesalius.scans.spine import CANAL, levels_of, narrowest_mm, protrusion_mm
from vesalius.scans.volume import Volume


def volume_ml(label_map: Volume, values: Sequence[int]) -> float:
    """Volume in mL of all voxels whose label is in `values`: voxels × voxel volume.

    >>> cube = Volume(np.ones((10, 10, 10), dtype=np.uint8), np.diag([2.0, 2.0, 2.0, 1.0]))
    >>> round(volume_ml(cube, [1]), 6)
    8.0
    """
    return float(np.isin(label_map.voxels, values).sum() * label_map.voxel_ml)


def height_mm(label_map: Volume, values: Sequence[int]) -> float:
    """Extent in mm from foot to head of all voxels whose label is in `values`.

    >>> cube = Volume(np.ones((10, 10, 10), dtype=np.uint8), np.diag([2.0, 2.0, 3.0, 1.0]))
    >>> height_mm(cube, [1])
    30.0
    """
    upright = label_map.oriented("RAS")
    levels = np.flatnonzero(np.isin(upright.voxels, values).any(axis=(0, 1)))
    return float((levels[-1] - levels[0] + 1) * upright.spacing_mm[2]) if levels.size else 0.0


MEASURES: dict[str, Callable[[Volume, Sequence[int]], float]] = {
    "volume_ml": volume_ml,
    "height_mm": height_mm,
    "protrusion_mm": protrusion_mm,
    "narrowest_mm": narrowest_mm,
}
"""What can be measured on a label map. The name ends in the unit."""

OF_ANY_LABELS = ("volume_ml", "height_mm")
"""Measures that say something of any labels; the others need those of the spine."""


@dataclass(frozen=True)
class Attribute:
    """A named measure on some labels, such as `ventricle_volume_ml` on `lateral_ventricles`."""

    name: str
    measure: str
    labels: tuple[str, ...]

    def of(self, label_map: Volume, label_values: Mapping[str, int]) -> float:
        """Measure this attribute on a label map of a cohort with these labels."""
        return MEASURES[self.measure](label_map, [label_values[name] for name in self.labels])

    @property
    def unit(self) -> str:
        """The unit, which stands at the end of the name.

        >>> Attribute("ventricle_volume_ml", "volume_ml", ("lateral_ventricles",)).unit
        'mL'
        """
        return {"ml": "mL", "mm": "mm"}[self.measure.rsplit("_", 1)[1]]


DECLARED = (Attribute("ventricle_volume_ml", "volume_ml", ("lateral_ventricles",)),)
"""Attributes known by name for every cohort that has the labels they need."""


def unit_of(name: str) -> str:
    """The unit in the name of an attribute, empty where there is none.

    >>> unit_of("ventricle_volume_ml"), unit_of("herniation_mm_L4-L5"), unit_of("kl_grade")
    ('mL', 'mm', '')
    """
    units = {"ml": "mL", "mm": "mm"}
    return next((units[part] for part in name.split("_") if part in units), "")


def spine_attributes(labels: Iterable[str]) -> tuple[Attribute, ...]:
    """`herniation_mm_<level>` and `canal_diameter_mm_<level>` of each labelled disc.

    >>> [a.name for a in spine_attributes(["disc_L4-L5", "canal", "herniation"])]
    ['herniation_mm_L4-L5', 'canal_diameter_mm_L4-L5']
    """
    names = tuple(labels)
    discs = tuple(f"disc_{level}" for level in levels_of(names))
    canal = tuple(name for name in CANAL if name in names)
    found = []
    for disc in discs:
        level = disc.removeprefix("disc_")
        others = tuple(other for other in discs if other != disc)
        if "herniation" in names:
            labelled = ("herniation", disc, *others)
            found.append(Attribute(f"herniation_mm_{level}", "protrusion_mm", labelled))
        if canal:
            found.append(Attribute(f"canal_diameter_mm_{level}", "narrowest_mm", (disc, *canal)))
    return tuple(found)


def default_attributes(
    label_values: Mapping[str, int], declared: Sequence[Attribute] = ()
) -> tuple[str, ...]:
    """What is measured where no attribute is named: what a cohort declares, else what is known.

    Raises:
        InputError: if there is neither.

    >>> default_attributes({"background": 0, "lateral_ventricles": 1})
    ('ventricle_volume_ml',)
    """
    known = [one for one in DECLARED if set(one.labels) <= set(label_values)]
    names = tuple(one.name for one in declared) or tuple(one.name for one in known)
    if not names:
        label = next((name for name in label_values if name != "background"), "label")
        remedy = f"name one, such as {label}_volume_ml"
        raise InputError("--attribute", "is missing, and the cohort declares none", remedy)
    return names


def resolve_attribute(
    name: str, label_values: Mapping[str, int], declared: Sequence[Attribute] = ()
) -> Attribute:
    """Find what `name` measures: declared by the cohort, known here, or `<label>_<measure>`.

    Args:
        name: of the attribute, or a declaration `name=label+label` that ends in a measure.
        label_values: labels of the cohort by name.
        declared: what the cohort's `dataset.json` declares.

    Raises:
        InputError: if the name says nothing measurable on these labels.

    >>> labels = {"background": 0, "liver": 1, "tumour": 2}
    >>> resolve_attribute("tumour_volume_ml", labels).labels
    ('tumour',)
    >>> resolve_attribute("organ_volume_ml=liver+tumour", labels).labels
    ('liver', 'tumour')
    >>> resolve_attribute("spleen_volume_ml", labels)
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: spleen_volume_ml: is no attribute of labels liver, tu...
    """
    known = {
        attribute.name: attribute
        for attribute in (*DECLARED, *spine_attributes(label_values), *declared)
    }
    name, _, chosen = name.partition("=")
    measure = next((m for m in OF_ANY_LABELS if name.endswith(f"_{m}")), None)
    if chosen and measure:
        attribute = Attribute(name, measure, tuple(chosen.split("+")))
    elif name in known and set(known[name].labels) <= set(label_values):
        attribute = known[name]
    elif measure and name.removesuffix(f"_{measure}") in label_values:
        attribute = Attribute(name, measure, (name.removesuffix(f"_{measure}"),))
    else:
        attribute = None
    if attribute is None or not set(attribute.labels) <= set(label_values):
        labels = ", ".join(label for label in label_values if label != "background")
        remedy = f"name it <label>_<{'|'.join(OF_ANY_LABELS)}>, or declare it as name=label+label"
        raise InputError(name, f"is no attribute of labels {labels}", remedy)
    return attribute
