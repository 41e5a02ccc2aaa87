"""What pathology inpainting asks of a part of the body: where findings lie and how large they are.

A site is where a finding can be: a level of the spine, or an organ that lesions grow in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from vesalius.methods.inpainting.recipe import InpaintingRecipe
from vesalius.methods.inpainting.training_pathologies import TrainingPathologies, TrainingPathology
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.crop import Crop, voxel_of
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.landmarks import Landmark

if TYPE_CHECKING:
    from vesalius.methods.inpainting.sampling import FindingRequest


FreeSites = dict[str, Mapping[str, tuple[float, float]]]
"""For each site and pathology that has room there, its least and largest size in mm."""


@dataclass(frozen=True)
class MarkedCrop:
    """Where a training crop lies: a finding's landmark, or the place of one at a healthy site.

    Attributes:
        row: of the case.
        voxel: of the RAS-oriented scan, the crop's middle.
        level: the site.
        finding: the landmark, `None` where nothing is wrong.
        sizes: in mm by pathology, as far as they are known there. Healthy sites may have sizes
            too: a canal that is not narrowed teaches what a diameter is.
    """

    row: int
    voxel: np.ndarray
    level: str
    finding: Landmark | None
    sizes: Mapping[str, float]


@dataclass(frozen=True)
class MapBounds:
    """Between what a training map is chosen at random.

    Attributes:
        reach_mm: where it ends, least and most.
        stretch: of its axes right and anterior, least and most.
    """

    reach_mm: tuple[float, float] = (9.0, 22.0)
    stretch: tuple[tuple[float, float], tuple[float, float]] = ((0.9, 1.5), (1.0, 1.9))


class Sites(ABC):
    """The sites of a part of the body, by the labels of a cohort.

    Args:
        recipe: of a fit.
        labels: of the cohort, by name.
    """

    named_by: str
    """What a user calls a site."""
    attributes: tuple[Attribute, ...]
    """What is measured on every edited scan."""
    declared: tuple[Attribute, ...] = ()
    """Those that a cohort must declare, since their names alone do not tell their labels."""

    def __init__(self, recipe: InpaintingRecipe, labels: Mapping[str, int]) -> None:
        self.recipe, self.labels = recipe, dict(labels)

    @abstractmethod
    def reported(self, cohort: Cohort) -> tuple[dict[str, list[Landmark]], list[InputProblem]]:
        """Landmarks that a cohort's files tell, by case, and what is wrong with single ones."""

    @abstractmethod
    def marks(
        self, scan: LabelledScan, case: str, reported: Sequence[Landmark]
    ) -> tuple[list[Landmark], list[InputProblem]]:
        """Findings of a training scan with their sizes as measured, and faults of others."""

    def known(
        self, scan: LabelledScan, case: str, reported: Sequence[Landmark]
    ) -> Sequence[Landmark]:
        """Findings that a scan has already."""
        return reported

    @abstractmethod
    def training_range(self, marks: Sequence[Landmark]) -> TrainingPathologies:
        """What the findings of all training cases span."""

    @abstractmethod
    def crops(
        self, row: int, scan: LabelledScan, marks: Sequence[Landmark],
        reported: Sequence[Landmark], training_range: TrainingPathologies,
    ) -> list[MarkedCrop]:  # fmt: skip
        """Training crops of a scan: about its findings, and where there are none."""

    @abstractmethod
    def crop_mm(self, training_range: TrainingPathologies) -> tuple[float, float, float]:
        """What the networks see about a landmark."""

    def region(self, level: str) -> int | None:
        """The label that may change as a whole with a finding at a site, if there is one."""
        return None

    def map_bounds(self, crop: MarkedCrop, training_range: TrainingPathologies) -> MapBounds:
        """Of the training maps about a crop."""
        return MapBounds()

    @abstractmethod
    def map_weight(
        self, crop: Crop, spacing_mm: tuple[float, float, float], known: TrainingPathology,
        request: FindingRequest,
    ) -> Tensor:  # fmt: skip
        """The noise map `(D, H, W)` of an edit, in [0, 1]."""

    @abstractmethod
    def attribute(self, pathology: str, level: str) -> str:
        """Name of the attribute that tells the size of a finding at a site."""

    @abstractmethod
    def measured(
        self, scan: LabelledScan, pathology: str, level: str, before: LabelledScan | None = None
    ) -> float:
        """Size in mm of a finding on a label map.

        Args:
            scan: edited, or of a patient.
            pathology: such as `herniation`.
            level: the site.
            before: the scan as it was; what it shows already does not count.
        """

    def whole(self, scan: LabelledScan, pathology: str, before: LabelledScan | None = None) -> bool:
        """Whether what came out is one finding."""
        return True

    @abstractmethod
    def landmark(
        self, scan: LabelledScan, request: FindingRequest, known: TrainingPathology, seed: int
    ) -> np.ndarray:
        """The voxel of the RAS-oriented scan where a finding goes that has no point of its own."""

    def voxel(
        self, scan: LabelledScan, request: FindingRequest, known: TrainingPathology, seed: int = 0
    ) -> np.ndarray:
        """The voxel of the RAS-oriented scan where a finding goes."""
        if request.point_mm is not None:
            return voxel_of(scan, request.point_mm)
        return self.landmark(scan, request, known, seed)

    @abstractmethod
    def site_of(
        self, scan: LabelledScan, request: FindingRequest, known: TrainingPathology,
        training_range: TrainingPathologies,
    ) -> str:  # fmt: skip
        """The site of a finding for which none was named."""

    @abstractmethod
    def focus(self, level: str) -> list[int]:
        """Labels that a picture of a finding at a site outlines."""

    @abstractmethod
    def require_possible(
        self, scan: LabelledScan, request: FindingRequest, case: str,
        training_range: TrainingPathologies,
    ) -> None:  # fmt: skip
        """Refuse a finding that this scan cannot take, with the reason."""

    @abstractmethod
    def free(
        self, scan: LabelledScan, reported: Sequence[Landmark], training_range: TrainingPathologies
    ) -> FreeSites:
        """Sites that can take a finding."""

    def require_inside(
        self, scan: LabelledScan, request: FindingRequest, case: str, voxel: np.ndarray
    ) -> None:
        """Refuse a point outside the scan."""
        shape = np.array(scan.label_map.oriented("RAS").shape)
        if (voxel < 0).any() or (voxel > shape - 1).any():
            point = ", ".join(f"{x:g}" for x in request.point_mm or ())
            raise InputError(case, f"does not hold the point {point} mm", "choose one inside it")
