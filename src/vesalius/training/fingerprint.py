"""What was measured on a cohort before a fit: grid, intensities, labels, attributes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.anatomy.attributes import attribute_of
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import Case, LabelledScan, Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.description import Description
from vesalius.scans.grid import Grid
from vesalius.scans.input_error import InputError
from vesalius.scans.intensity import intensity_range
from vesalius.training.content import content_digest
from vesalius.training.measures import ScanMeasures
from vesalius.training.recipe import Settings


class AttributeRange(Settings):
    """Where the values of one attribute lay, and how a condition is made of one.

    A value enters networks as z = (√value − mean) / sd for quantities that cannot fall below zero,
    which brings volumes near a normal distribution. An attribute without a measure is one that
    `cases.csv` tells, such as a class or a grade.

    >>> known = AttributeRange.of("x_volume_ml", "volume_ml", ("x",), np.array([16.0, 25.0, 36.0]))
    >>> round(known.standardised(25.0), 6), known.holds(40.0)
    (0.0, False)
    """

    name: str
    measure: str
    labels: tuple[str, ...]
    low: float
    high: float
    mean: float
    sd: float

    @classmethod
    def of(
        cls, name: str, measure: str, labels: tuple[str, ...], values: np.ndarray
    ) -> AttributeRange:
        """Take the range of values `(N,)`."""
        roots = np.sqrt(np.maximum(values, 0))
        return cls(
            name=name, measure=measure, labels=labels, low=float(values.min()),
            high=float(values.max()), mean=float(roots.mean()), sd=float(max(roots.std(), 1e-6)),
        )  # fmt: skip

    def standardised(self, value: float) -> float:
        """The value as networks see it."""
        return float((np.sqrt(max(value, 0.0)) - self.mean) / self.sd)

    def holds(self, value: float) -> bool:
        """Whether the cohort had such a value, to within 2 % of its range."""
        slack = 0.02 * (self.high - self.low)
        return self.low - slack <= value <= self.high + slack

    @property
    def attribute(self) -> Attribute:
        """What to measure on a label map."""
        return Attribute(self.name, self.measure, self.labels)

    @property
    def unit(self) -> str:
        """The unit of the measure, empty for what `cases.csv` tells."""
        return self.attribute.unit if self.measure else ""


class Fingerprint(Settings):
    """Everything about a cohort that a run must know, so that it needs nothing but its folder."""

    cases: int
    subjects: int
    channels: tuple[str, ...]
    labels: dict[str, int]
    origin: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    affine: tuple[tuple[float, ...], ...]
    orientation: str
    intensity_low: tuple[float, ...]
    intensity_high: tuple[float, ...]
    intensity_bounds: tuple[tuple[float, float], ...]
    attributes: tuple[AttributeRange, ...]
    content: str

    @classmethod
    def of(
        cls, cohort: Cohort, cases: Sequence[Case], measures: Sequence[ScanMeasures], grid: Grid,
        attributes: Sequence[str] = (), labelled: bool = True, beside: str = "",
    ) -> Fingerprint:  # fmt: skip
        """Gather what was measured on the cases of a cohort.

        Args:
            cohort: of the cases.
            cases: that are learnt from.
            measures: of each.
            grid: that they are brought into.
            attributes: names of those that are learnt.
            labelled: whether label maps are learnt from, or the images alone.
            beside: stands for what else of the cohort is learnt from, such as its landmarks.

        Raises:
            InputError: for an attribute that is negative, or does not vary.
        """
        description = cohort.description
        ranges = []
        for name in attributes:
            try:
                known = attribute_of(description, name)
            except InputError:
                known = Attribute(name, "", ())
            ranges.append(_varied(known, np.array([one.attributes[name] for one in measures])))
        low, high = np.median([one.intensities for one in measures], axis=0).T
        extremes = np.array([one.extremes for one in measures])
        bottom, top = extremes[..., 0].min(axis=0), extremes[..., 1].max(axis=0)
        return cls(
            cases=len(measures), subjects=len({case.subject for case in cases}),
            channels=description.channels,
            labels=description.labels if labelled else {"background": 0},
            origin=description.origin, shape=grid.shape, spacing_mm=grid.spacing_mm,
            affine=grid.affine, orientation=grid.orientation,
            intensity_low=tuple(map(float, low)), intensity_high=tuple(map(float, high)),
            intensity_bounds=tuple(zip(bottom.tolist(), top.tolist(), strict=True)),
            attributes=tuple(ranges),
            content=content_digest([beside, *(one.content for one in measures)]),
        )  # fmt: skip

    @property
    def counted(self) -> str:
        """How much was learnt from, in words."""
        return f"{self.cases} cases of {self.subjects} subjects"

    @property
    def lines(self) -> list[str]:
        """Channels, labels and grid in words, for a card."""
        labels = [f"labels: {', '.join(self.labels)}"] if len(self.labels) > 1 else []
        shape = " × ".join(map(str, self.shape))
        return [
            f"channels: {', '.join(self.channels)}", *labels,
            f"grid: {shape} voxels of {self.spacing_mm} mm",
        ]  # fmt: skip

    @property
    def ranges(self) -> list[str]:
        """The training range of each attribute in words, for a card."""
        return [
            f"{a.name}: training range {a.low:.3g} to {a.high:.3g} {a.unit}".rstrip()
            for a in self.attributes
        ]

    @property
    def grid(self) -> Grid:
        """The space that the networks see."""
        return Grid(self.shape, self.spacing_mm, self.affine, self.orientation)

    @property
    def description(self) -> Description:
        """What a cohort generated by the run says of itself."""
        return Description(
            self.channels, self.labels, origin="synthetic",
            attributes=tuple(
                attribute_range.attribute
                for attribute_range in self.attributes
                if attribute_range.measure and set(attribute_range.labels) <= set(self.labels)
            ),
        )  # fmt: skip

    @property
    def label_numbers(self) -> np.ndarray:
        """The cohort's number of each label, in the order in which networks count them."""
        return np.array(sorted(self.labels.values()))

    def attribute(self, name: str) -> AttributeRange:
        """The range of one attribute, or `InputError` if the run was not fitted on it."""
        for attribute_range in self.attributes:
            if attribute_range.name == name:
                return attribute_range
        known = ", ".join(attribute_range.name for attribute_range in self.attributes)
        raise InputError(name, "is no attribute of this run", f"ask for {known}, or fit on it")

    def scaled(self, voxels: np.ndarray) -> np.ndarray:
        """Intensities `(C, D, H, W)` of the cohort brought to about [0, 1], unclipped."""
        low, high = (
            np.reshape(bound, (-1, 1, 1, 1)).astype(np.float32)
            for bound in (self.intensity_low, self.intensity_high)
        )
        return (voxels - low) / np.maximum(high - low, 1e-6)

    def unscaled(self, voxels: np.ndarray) -> np.ndarray:
        """The inverse of `scaled`, within the bounds of the cohort."""
        low, high = (
            np.reshape(bound, (-1, 1, 1, 1)).astype(np.float32)
            for bound in (self.intensity_low, self.intensity_high)
        )
        bottom, top = np.reshape(self.intensity_bounds, (-1, 2)).T.reshape(2, -1, 1, 1, 1)
        return np.clip(voxels * np.maximum(high - low, 1e-6) + low, bottom, top)

    def require_match(self, cohort: Cohort, scan: LabelledScan, case: str) -> None:
        """Refuse a cohort whose labels, channels, spacing, reach or intensities are not the run's.

        Args:
            cohort: to be used with the run.
            scan: one of its cases.
            case: name of that case, for the message.
        """
        remedy = "fit a run on this cohort"
        where = cohort.folder / "dataset.json"
        if cohort.description.labels != self.labels:
            raise InputError(
                where, f"has other labels than the run ({', '.join(self.labels)})", remedy
            )
        if cohort.description.channels != self.channels:
            raise InputError(where, f"has other channels than the run ({self.channels})", remedy)
        spacing = scan.label_map.oriented("RAS").spacing_mm
        if not np.allclose(spacing, self.spacing_mm, rtol=0.5):
            fault = f"has spacing {spacing} mm, the run {self.spacing_mm} mm"
            raise InputError(case, fault, remedy)
        share = self.grid.covers(scan)
        if share < 0.98:
            fault = f"has {1 - share:.0%} of its labels outside the field of view of the run"
            raise InputError(case, fault, remedy)
        self.require_intensities(scan, case)

    def require_intensities(self, scan: Scan, case: str) -> None:
        """Refuse a scan whose range of intensities is not half to twice that of the run's."""
        for name, image, low, high in zip(
            self.channels, scan.channels, self.intensity_low, self.intensity_high, strict=True
        ):
            bottom, top = intensity_range(image.voxels)
            if not 0.5 <= (top - bottom) / max(high - low, 1e-6) <= 2:
                fault = f"{name} reaches from {bottom:g} to {top:g}, in the run {low:g} to {high:g}"
                raise InputError(case, fault, "rescale it, or fit a run on such scans")


def _varied(attribute: Attribute, values: np.ndarray) -> AttributeRange:
    """The range of an attribute, or `InputError` if nothing can be learnt of it."""
    if np.ptp(values) == 0:
        fault = f"is {values[0]:g} in every case, so nothing can be learnt of it"
        raise InputError(attribute.name, fault, "choose an attribute that varies")
    if values.min() < 0:
        fault = f"falls to {values.min():g}, and only quantities of zero or more are known"
        raise InputError(attribute.name, fault, "shift it in cases.csv")
    return AttributeRange.of(attribute.name, attribute.measure, attribute.labels, values)
