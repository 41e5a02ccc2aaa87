"""Attributes measured on label maps: which are known by name, and their values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from vesalius.anatomy.spine import narrowest_mm, protrusion_mm, spine_attributes
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.description import Description
from vesalius.scans.input_error import InputError
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


KNOWN = (Attribute("ventricle_volume_ml", "volume_ml", ("lateral_ventricles",)),)
"""Attributes known by name for every cohort that has the labels they need."""


def attribute_value(
    attribute: Attribute, label_map: Volume, label_values: Mapping[str, int]
) -> float:  # fmt: skip
    """Measure an attribute on a label map of a cohort with these labels.

    >>> cube = Volume(np.ones((10, 10, 10), dtype=np.uint8), np.diag([2.0, 2.0, 2.0, 1.0]))
    >>> round(attribute_value(Attribute("x_volume_ml", "volume_ml", ("x",)), cube, {"x": 1}), 6)
    8.0
    """
    return MEASURES[attribute.measure](label_map, [label_values[name] for name in attribute.labels])


def attribute_values(
    attributes: Iterable[Attribute], label_map: Volume, label_values: Mapping[str, int]
) -> dict[str, float]:
    """Measure several attributes on one label map, by their names."""
    return {one.name: attribute_value(one, label_map, label_values) for one in attributes}


def case_value(cohort: Cohort, name: str, case: Case) -> float:
    """One attribute of one case, from `cases.csv` or measured on its label map.

    Raises:
        InputError: for an attribute that these labels do not carry.
    """
    if name in case.attributes:
        return case.attributes[name]
    if name in case.categories:
        fault = f"holds text in cases.csv, such as '{case.categories[name]}'"
        raise InputError(name, fault, "name a column of numbers, or write 0 and 1 in its place")
    known = attribute_of(cohort.description, name)
    return attribute_value(known, cohort.read(case).label_map, cohort.description.labels)


def case_values(cohort: Cohort, name: str, cases: Sequence[Case] | None = None) -> np.ndarray:
    """One attribute of many cases `(N,)`, of all if none are named."""
    return np.array([case_value(cohort, name, case) for case in cases or cohort.cases])


def default_attributes(description: Description) -> tuple[str, ...]:
    """What is measured where no attribute is named: what a cohort declares, else what is known.

    Raises:
        InputError: if there is neither.

    >>> default_attributes(Description(("T1",), {"background": 0, "lateral_ventricles": 1}))
    ('ventricle_volume_ml',)
    """
    labels, declared = description.labels, description.attributes
    known = [one for one in KNOWN if set(one.labels) <= set(labels)]
    names = tuple(one.name for one in declared) or tuple(one.name for one in known)
    if not names:
        label = next((name for name in labels if name != "background"), "label")
        remedy = f"name one, such as {label}_volume_ml"
        raise InputError("--attribute", "is missing, and the cohort declares none", remedy)
    return names


def attribute_of(description: Description, name: str) -> Attribute:
    """The attribute of this name of a cohort.

    Raises:
        InputError: if its labels do not carry it.

    >>> brain = Description(("T1",), {"background": 0, "lateral_ventricles": 1})
    >>> attribute_of(brain, "ventricle_volume_ml").labels
    ('lateral_ventricles',)
    """
    return resolve_attribute(name, description.labels, description.attributes)


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
        for attribute in (*KNOWN, *spine_attributes(label_values), *declared)
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
    if attribute is not None and attribute.measure not in MEASURES:
        fault = f"is declared by the measure {attribute.measure}, which is none"
        raise InputError(name, fault, f"choose one of {', '.join(MEASURES)}")
    if attribute is None or not set(attribute.labels) <= set(label_values):
        labels = ", ".join(label for label in label_values if label != "background")
        remedy = f"name it <label>_<{'|'.join(OF_ANY_LABELS)}>, or declare it as name=label+label"
        raise InputError(name, f"is no attribute of labels {labels}", remedy)
    return attribute
