"""What is measured on each scan of a cohort while it is read: once, and then it is let go.

So a fingerprint needs the memory of one scan, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from vesalius.anatomy.attributes import attribute_of, attribute_value
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import Case, LabelledScan, Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.grid import Extent
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.intensity import intensity_range
from vesalius.training.content import content_digest


@dataclass(frozen=True)
class ScanMeasures:
    """Of one scan.

    Attributes:
        labels: where the labels lie, if there are any.
        field: where the field of view lies.
        intensities: the 0.5th and 99.5th percentile of each channel.
        extremes: least and largest value of each channel.
        attributes: values by name.
        content: digest of what is learnt from: the label map, or the images where it is not read.
        further: what else a method measures.
    """

    labels: Extent | None
    field: Extent
    intensities: tuple[tuple[float, float], ...]
    extremes: tuple[tuple[float, float], ...]
    attributes: Mapping[str, float]
    content: str
    further: Any = None


class Measuring:
    """Measures scans of a cohort one by one.

    Args:
        cohort: that they belong to.
        attributes: names of what is measured; of `cases.csv` where a case has it there and label
            maps are not read.
        labelled: whether label maps are read.
        further: what else is measured of a case and its scan, and what is wrong with them; a
            function that can be pickled, since processes may share the cases.
    """

    def __init__(
        self, cohort: Cohort, attributes: Sequence[str] = (), labelled: bool = True,
        further: Callable[[Case, Any], tuple[Any, list[InputProblem]]] | None = None,
    ) -> None:  # fmt: skip
        self.cohort, self.labelled, self.further = cohort, labelled, further
        self.names = tuple(attributes)
        self.known: dict[str, Attribute] = {}
        for name in attributes:
            try:
                self.known[name] = attribute_of(cohort.description, name)
            except InputError:
                if labelled:
                    raise

    def alone(self) -> Measuring:
        """The same without the list of all cases, which is long to be sent to a process."""
        result = copy(self)
        result.cohort = self.cohort.alone()
        return result

    def read(self, case: Case) -> tuple[ScanMeasures | None, list[InputProblem]]:
        """Read and measure one case; nothing if it cannot be read, and what is wrong with it.

        Raises:
            InputError: for an attribute that neither `cases.csv` tells nor a label map shows.
        """
        read = self.cohort.read if self.labelled else self.cohort.read_images
        try:
            scan = read(case)
        except InputError as refusal:
            return None, [refusal.fault]
        further, faults = self.further(case, scan) if self.further else (None, [])
        return replace(self.of(case, scan), further=further), faults

    def of(self, case: Case, scan: Scan) -> ScanMeasures:
        """Measure one scan, but for what a method measures further.

        Raises:
            InputError: for an attribute that neither `cases.csv` tells nor a label map shows.
        """
        labelled = scan if isinstance(scan, LabelledScan) else None
        voxels = [labelled.label_map] if labelled else scan.channels
        return ScanMeasures(
            Extent.of_labels(labelled) if labelled else None, Extent.of_field(scan),
            tuple(intensity_range(image.voxels) for image in scan.channels),
            tuple((float(i.voxels.min()), float(i.voxels.max())) for i in scan.channels),
            {name: self._attribute(name, case, labelled) for name in self.names},
            content_digest([f"{case.name} {case.subject}", *(one.voxels for one in voxels)]),
        )  # fmt: skip

    def _attribute(self, name: str, case: Case, scan: LabelledScan | None) -> float:
        labels = self.cohort.description.labels
        if scan is not None:
            return attribute_value(self.known[name], scan.label_map, labels)
        if name in case.attributes:
            return case.attributes[name]
        if case.label_map is None:
            fault = f"tells no {name} of {case.name}"
            remedy = "add it, or choose another attribute"
            raise InputError(self.cohort.folder / "cases.csv", fault, remedy)
        known = self.known.get(name) or attribute_of(self.cohort.description, name)
        return attribute_value(known, self.cohort.read(case).label_map, labels)
