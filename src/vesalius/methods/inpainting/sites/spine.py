"""Findings of the spine: herniations and stenoses at the levels of its discs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from vesalius.anatomy.attributes import attribute_value, resolve_attribute
from vesalius.anatomy.spine import (
    CANAL,
    PATHOLOGIES,
    landmark_voxel,
    levels_of,
    spine_attributes,
)
from vesalius.methods.inpainting.noise_map import disc_map, landmark_map
from vesalius.methods.inpainting.recipe import InpaintingRecipe
from vesalius.methods.inpainting.sampling import FindingRequest
from vesalius.methods.inpainting.sites.site import FreeSites, MarkedCrop, Sites
from vesalius.methods.inpainting.training_pathologies import TrainingPathologies, TrainingPathology
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.crop import Crop, voxel_of
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.landmarks import Landmark, read_landmarks

LEAST_HERNIATION_MM = 2.0
LEAST_NARROWING_MM = 1.0
FARTHEST_MM = 20.0
"""From the usual place of a finding to a point that is asked for."""


class SpineSites(Sites):
    """The levels of a spine whose discs and canal are labelled, with findings in `landmarks.csv`.

    >>> sites = SpineSites(InpaintingRecipe(), {"disc_L3-L4": 1, "disc_L4-L5": 2, "canal": 3})
    >>> sites.levels
    ('L3-L4', 'L4-L5')
    """

    named_by = "level"

    def __init__(self, recipe: InpaintingRecipe, labels: Mapping[str, int]) -> None:
        super().__init__(recipe, labels)
        self.levels = levels_of(labels)
        self.canal = [labels[name] for name in CANAL if name in labels]
        self.attributes = spine_attributes(labels)
        if not self.levels or not self.canal:
            lacking = "canal" if self.levels else "disc_<level>"
            remedy = "name labels such as disc_L4-L5, canal, or a lesion's with --lesion"
            raise InputError("dataset.json", f"has no label {lacking}", remedy)

    def reported(self, cohort: Cohort) -> tuple[dict[str, list[Landmark]], list[InputProblem]]:
        return read_landmarks(cohort.folder, {case.name: case for case in cohort.cases})

    def marks(
        self, scan: LabelledScan, case: str, reported: Sequence[Landmark]
    ) -> tuple[list[Landmark], list[InputProblem]]:
        kept, faults = [], []
        shape = np.array(scan.label_map.oriented("RAS").shape)
        for mark in reported:
            place = f"{case}: {mark.pathology} at {mark.level}"
            voxel = voxel_of(scan, mark.point_mm)
            if mark.pathology not in PATHOLOGIES:
                remedy = f"mark {' or '.join(PATHOLOGIES)}"
                faults.append(InputProblem(place, "is a pathology without a measure", remedy))
            elif mark.level not in self.levels:
                remedy = "write it as in the labels"
                faults.append(InputProblem(place, "is no labelled level", remedy))
            elif (voxel < 0).any() or (voxel > shape - 1).any():
                faults.append(
                    InputProblem(place, "lies outside the scan", "write RAS+ millimetres")
                )
            else:
                size = self.measured(scan, mark.pathology, mark.level)
                if size > 0:
                    kept.append(replace(mark, size_mm=size))
                else:
                    faults.append(
                        InputProblem(place, "measures 0 mm on the label map", "label it there")
                    )
        return kept, faults

    def training_range(self, marks: Sequence[Landmark]) -> TrainingPathologies:
        return TrainingPathologies.of(marks, self.levels, self.recipe.fewest)

    def crops(
        self, row: int, scan: LabelledScan, marks: Sequence[Landmark],
        reported: Sequence[Landmark], training_range: TrainingPathologies,
    ) -> list[MarkedCrop]:  # fmt: skip
        """At all sound findings, and one at each level of which nothing at all was told."""
        known = {p.name for p in training_range.pathologies}
        result = [
            MarkedCrop(
                row, voxel_of(scan, mark.point_mm), mark.level, mark, {mark.pathology: mark.size_mm}
            )
            for mark in marks
            if mark.pathology in known
        ]
        positive = {mark.level for mark in (*marks, *reported)}
        for index, level in enumerate(self.levels):
            if level in positive:
                continue
            own = training_range.pathologies
            pathology = own[(row + index) % len(own)].name
            voxel = self._usual(scan, pathology, level)
            if voxel is not None:
                sizes = {pathology: self.measured(scan, pathology, level)}
                result.append(MarkedCrop(row, voxel, level, None, sizes))
        return result

    def crop_mm(self, training_range: TrainingPathologies) -> tuple[float, float, float]:
        return self.recipe.crop_mm

    def region(self, level: str) -> int | None:
        return self.labels[f"disc_{level}"]

    def map_weight(
        self, crop: Crop, spacing_mm: tuple[float, float, float], known: TrainingPathology,
        request: FindingRequest,
    ) -> Tensor:  # fmt: skip
        """Wide about the landmark, and on the disc that darkens and loses height with it."""
        severity = known.severity_of(request.size_mm)
        weight = landmark_map(self.recipe.noise_map, crop, spacing_mm, severity)
        if not self.recipe.disc_mm:
            return weight
        disc = crop.scan.label_map.voxels == self.region(request.level)
        return torch.maximum(weight, disc_map(disc, spacing_mm, self.recipe.disc_mm))

    def attribute(self, pathology: str, level: str) -> str:
        return PATHOLOGIES[pathology].attribute(level)

    def measured(
        self, scan: LabelledScan, pathology: str, level: str, before: LabelledScan | None = None
    ) -> float:
        own = resolve_attribute(self.attribute(pathology, level), self.labels)
        return attribute_value(own, scan.label_map, self.labels)

    def _usual(self, scan: LabelledScan, pathology: str, level: str) -> np.ndarray | None:
        return landmark_voxel(scan.label_map, self.labels[f"disc_{level}"], self.canal, pathology)

    def landmark(
        self, scan: LabelledScan, request: FindingRequest, known: TrainingPathology, seed: int
    ) -> np.ndarray:
        voxel = self._usual(scan, request.pathology, request.level)
        if voxel is None:
            remedy = "choose another level"
            raise InputError(request.level, "has no disc beside a canal", remedy)
        return voxel

    def site_of(
        self, scan: LabelledScan, request: FindingRequest, known: TrainingPathology,
        training_range: TrainingPathologies,
    ) -> str:  # fmt: skip
        raise InputError("--level", "is missing", f"name one of {', '.join(self.levels)}")

    def focus(self, level: str) -> list[int]:
        names = ("herniation", "canal", f"disc_{level}")
        return [self.labels[name] for name in names if name in self.labels]

    def require_possible(
        self, scan: LabelledScan, request: FindingRequest, case: str,
        training_range: TrainingPathologies,
    ) -> None:  # fmt: skip
        canal = self.require_healthy(scan, request.level, case, training_range)
        if request.pathology == "stenosis" and canal - request.size_mm < LEAST_NARROWING_MM:
            fault = f"has a canal of {canal:.1f} mm at {request.level}"
            raise InputError(case, fault, f"ask for less than {canal - LEAST_NARROWING_MM:.1f} mm")
        known = training_range.pathology(request.pathology)
        voxel = self.voxel(scan, request, known)
        self.require_inside(scan, request, case, voxel)
        if request.point_mm is not None:
            usual = self.landmark(scan, request, known, seed=0)
            size = np.array(scan.label_map.oriented("RAS").spacing_mm)
            apart = float(np.linalg.norm((voxel - usual) * size))
            if apart > FARTHEST_MM:
                fault = f"lies {apart:.0f} mm from the disc {request.level}"
                raise InputError(
                    "--at", fault, "choose a point at the disc's back edge or the canal"
                )

    def require_healthy(
        self, scan: LabelledScan, level: str, case: str, training_range: TrainingPathologies
    ) -> float:
        """Refuse a level that is not shown or is diseased; the diameter of its canal in mm."""
        if not (scan.label_map.voxels == self.labels[f"disc_{level}"]).any():
            raise InputError(case, f"shows no disc {level}", "choose a level that it shows")
        if "herniation" in self.labels:
            depth = self.measured(scan, "herniation", level)
            if depth >= LEAST_HERNIATION_MM:
                fault = f"has a herniation of {depth:.1f} mm at {level} already"
                raise InputError(case, fault, "choose a healthy level")
        canal = self.measured(scan, "stenosis", level)
        if canal <= 0:
            raise InputError(case, f"shows no canal at {level}", "choose another level")
        narrow = next((p for p in training_range.pathologies if p.name == "stenosis"), None)
        if narrow is not None and canal <= narrow.size_at(0.1):
            fault = f"has a canal of only {canal:.1f} mm at {level} already"
            raise InputError(case, fault, "choose a healthy level")
        return canal

    def free(
        self, scan: LabelledScan, reported: Sequence[Landmark], training_range: TrainingPathologies
    ) -> FreeSites:
        """Healthy levels; a stenosis there must narrow the canal that it finds."""
        diseased = {mark.level for mark in reported}
        result: FreeSites = {}
        for level in self.levels:
            try:
                canal = self.require_healthy(scan, level, "", training_range)
            except InputError:
                continue
            if level in diseased:
                continue
            widest = canal - 1.5 * LEAST_NARROWING_MM
            result[level] = {
                p.name: (0.0, widest if p.form == "opening" else p.high)
                for p in training_range.pathologies
            }
        return result
