"""A loaded run of pathology inpainting: what a scan can take, and one edit of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vesalius.anatomy.attributes import attribute_of, attribute_value
from vesalius.anatomy.spine import CANAL, PATHOLOGIES, landmark_voxel, spine_attributes
from vesalius.evidence.copies import CopySearch
from vesalius.methods.inpainting.balancing import missing_findings
from vesalius.methods.inpainting.calibration import SizeCalibration
from vesalius.methods.inpainting.editing import EditMap, disc_map, edit_map, edited
from vesalius.methods.inpainting.latent import latent_of
from vesalius.methods.inpainting.methods import NETWORK_OF, Method, draw
from vesalius.methods.inpainting.model import InpaintingModel
from vesalius.methods.inpainting.recipe import InpaintingRecipe
from vesalius.methods.inpainting.sampling import (
    LEAST_NARROWING_MM,
    FindingRequest,
    InpaintingSampler,
    edit_request,
)
from vesalius.sampling.case import GeneratedCase
from vesalius.sampling.rejection import Balancing, require_met, sample_case
from vesalius.sampling.travelling import Travelling
from vesalius.scans.case import Case, LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.crop import Crop, cut, voxel_of
from vesalius.scans.description import Description
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.landmarks import read_landmarks
from vesalius.scans.progress import Progress
from vesalius.training.device import fabric_for, placed
from vesalius.training.run import Run

LEAST_HERNIATION_MM = 2.0


@dataclass(frozen=True)
class Edit:
    """One edit, not yet measured: the edited scan, its crop and map, the latent as generated."""

    scan: LabelledScan
    crop: Crop
    edit: EditMap
    latent: Tensor
    network_calls: int


class InpaintingPipeline(Travelling):
    """A finished run, ready to set findings into scans.

    Called, it edits one scan until the finding measures as requested:

        case = model(scan, "herniation", "L4-L5", size_mm=7, seed=1)

    Args:
        run: of `fit_inpainting`.
        method: of drawing.
        calls: network calls of a draw, the recipe's if `None`.
        guidance: scale of guidance; what calibration found if `None`.
        calibrated: correct requests by what the run was seen to do.
    """

    def __init__(
        self, run: Run, method: Method = "voxelwise_trained", calls: int | None = None,
        guidance: float | None = None, calibrated: bool = True,
    ) -> None:  # fmt: skip
        assert isinstance(run.recipe, InpaintingRecipe)
        self.recipe: InpaintingRecipe = run.recipe
        self.run, self.method, self.calls = run, method, calls
        self.calibrated = calibrated
        self.guidance = guidance
        if NETWORK_OF[method] not in self.recipe.networks:
            fault = f"needs the {NETWORK_OF[method]} network, which this run has not"
            raise InputError(method, fault, "fit a run with it")
        self.fabric = fabric_for(self.recipe.fit.precision)
        self.model = placed(InpaintingModel.load(run))
        self.training_range, self.fingerprint = self.model.training_range, run.fingerprint
        self.calibration = SizeCalibration.read(run.folder) if calibrated else SizeCalibration()
        self.labels = self.fingerprint.labels

    def chosen(self) -> tuple[Method, int | None, float | None, bool]:
        """Method, calls, guidance, and whether requests are corrected."""
        return self.method, self.calls, self.guidance, self.calibrated

    def __call__(
        self, scan: LabelledScan, pathology: str, level: str, size_mm: float, *, seed: int = 0,
        point_mm: tuple[float, float, float] | None = None, tolerance_mm: float = 1.0,
        tries: int = 10, gate: CopySearch | None = None,
    ) -> GeneratedCase:  # fmt: skip
        """Set one finding into a healthy scan.

        Args:
            scan: with label map; it is left as it is.
            pathology: such as `herniation`.
            level: such as `L4-L5`.
            size_mm: depth of a herniation, or diameter left of the canal.
            seed: of the case.
            point_mm: of the finding in RAS millimetres; the usual place if `None`.
            tolerance_mm: largest error of the measured size.
            tries: edits before the request is given up.
            gate: training cases that it may not be a copy of.

        Raises:
            InputError: for a finding that the scan cannot take, or if no try was within tolerance.
        """
        finding = FindingRequest(pathology, level, size_mm, point_mm)
        donor = Case("scan", (), None, "scan")
        request = edit_request(f"edited_{seed}", donor, finding, seed)
        sampler = InpaintingSampler(self, {donor.name: scan}, self.attribute_names, tolerance_mm)
        return require_met(request, sample_case(sampler, request, tries, gate))

    def balancing(
        self, cohort: Cohort, ranges: Mapping[str, tuple[float, float]], count: int | None,
        seed: int, tolerance: float | None, extrapolate: bool, progress: Progress,
        faults: list[InputProblem],
    ) -> Balancing:  # fmt: skip
        """Findings that make each pathology as frequent at each level as the most frequent one."""
        if ranges:
            fault = "is for runs of guided synthesis; this one sets findings"
            raise InputError("--attribute", fault, "leave it out")
        self.require_same(cohort)
        marks, wrong = read_landmarks(cohort.folder, {case.name: case for case in cohort.cases})
        faults += [*cohort.faults, *wrong]
        requests = missing_findings(cohort, marks, self, count, seed, progress, faults)
        if not requests:
            fault = "lacks nothing, or has no healthy level"
            raise InputError(cohort.folder, fault, "ask for more with -n")
        tolerance_mm = 1.0 if tolerance is None else tolerance
        sampler = InpaintingSampler(self, cohort, self.attribute_names, tolerance_mm)
        return Balancing(sampler, requests)

    def require_same(self, cohort: Cohort) -> None:
        """Refuse a cohort of other labels or channels than the run's."""
        where = cohort.folder / "dataset.json"
        if cohort.description.labels != self.labels:
            raise InputError(where, "has other labels than the run", "fit a run on this cohort")
        if cohort.description.channels != self.fingerprint.channels:
            raise InputError(where, "has other channels than the run", "fit a run on this cohort")

    def measured(self, scan: LabelledScan, pathology: str, level: str) -> float:
        """Size in mm of a pathology at a level of a scan, on its label map."""
        name = PATHOLOGIES[pathology].attribute(level)
        return attribute_value(attribute_of(self._description, name), scan.label_map, self.labels)

    @property
    def _description(self) -> Description:
        return Description(self.fingerprint.channels, self.labels)

    def require_possible(self, scan: LabelledScan, request: FindingRequest, case: str) -> None:
        """Refuse a finding that this scan cannot take, with the reason."""
        training_range = self.training_range.pathology(request.pathology)
        self.training_range.require_level(request.level)
        if not training_range.low - 0.5 <= request.size_mm <= training_range.high + 0.5:
            fault = f"{request.size_mm:.3g} mm is outside the training range"
            remedy = f"ask for {training_range.low:.3g} to {training_range.high:.3g} mm"
            raise InputError(request.pathology, fault, remedy)
        self.require_match(scan, case)
        canal = self.require_healthy(scan, request, case)
        if request.pathology == "stenosis" and canal - request.size_mm < LEAST_NARROWING_MM:
            fault = f"has a canal of {canal:.1f} mm at {request.level}"
            raise InputError(case, fault, f"ask for less than {canal - LEAST_NARROWING_MM:.1f} mm")
        voxel = self.landmark(scan, request)
        shape = np.array(scan.label_map.oriented("RAS").shape)
        if (voxel < 0).any() or (voxel > shape - 1).any():
            point = ", ".join(f"{x:g}" for x in request.point_mm or ())
            raise InputError(case, f"does not hold the point {point} mm", "choose one inside it")
        if request.point_mm is not None:
            usual = self.landmark(scan, FindingRequest(request.pathology, request.level, 0.0))
            size = np.array(scan.label_map.oriented("RAS").spacing_mm)
            apart = float(np.linalg.norm((voxel - usual) * size))
            if apart > 20:
                fault = f"lies {apart:.0f} mm from the disc {request.level}"
                raise InputError(
                    "--at", fault, "choose a point at the disc's back edge or the canal"
                )

    def guidance_for(self, pathology: str) -> float:
        """The scale that was asked for, else the calibrated one, else the recipe's."""
        if self.guidance is not None:
            return self.guidance
        return self.calibration.guidance.get(pathology, self.recipe.guidance)

    def require_healthy(
        self, scan: LabelledScan, request: FindingRequest, case: str
    ) -> float:  # fmt: skip
        """Refuse a level that is not shown or is diseased; the diameter of its canal in mm."""
        disc = self.labels[f"disc_{request.level}"]
        if not (scan.label_map.voxels == disc).any():
            raise InputError(case, f"shows no disc {request.level}", "choose a level that it shows")
        if "herniation" in self.labels:
            depth = self.measured(scan, "herniation", request.level)
            if depth >= LEAST_HERNIATION_MM:
                fault = f"has a herniation of {depth:.1f} mm at {request.level} already"
                raise InputError(case, fault, "choose a healthy level")
        canal = self.measured(scan, "stenosis", request.level)
        if canal <= 0:
            raise InputError(case, f"shows no canal at {request.level}", "choose another level")
        if "stenosis" in self.known_names and canal <= self.training_range.pathology(
            "stenosis"
        ).size_at(0.1):
            fault = f"has a canal of only {canal:.1f} mm at {request.level} already"
            raise InputError(case, fault, "choose a healthy level")
        return canal

    @property
    def attribute_names(self) -> list[str]:
        """What is measured on every edited scan."""
        return [attribute.name for attribute in spine_attributes(self.labels)]

    @property
    def known_names(self) -> set[str]:
        """Pathologies that the run knows."""
        return {known.name for known in self.training_range.pathologies}

    def landmark(self, scan: LabelledScan, request: FindingRequest) -> np.ndarray:
        """The voxel of the RAS-oriented scan where the finding goes."""
        if request.point_mm is not None:
            return voxel_of(scan, request.point_mm)
        canal = [self.labels[name] for name in CANAL if name in self.labels]
        disc = self.labels[f"disc_{request.level}"]
        voxel = landmark_voxel(scan.label_map, disc, canal, request.pathology)
        if voxel is None:
            raise InputError(request.level, "has no disc beside a canal", "choose another level")
        return voxel

    def edit(self, scan: LabelledScan, request: FindingRequest, seed: int) -> Edit:
        """One edit without measuring."""
        training_range = self.training_range.pathology(request.pathology)
        crop = cut(scan, self.landmark(scan, request), self.fingerprint.grid)
        severity = training_range.severity_of(request.size_mm)
        edit = edit_map(
            self.recipe.noise_map, crop, self.fingerprint.spacing_mm, severity,
            self._disc_map(crop, request.level),
        )  # fmt: skip
        source = latent_of([crop], self.fingerprint, self.model.kinds)
        size = self.calibration.condition(request.pathology, request.size_mm)
        reported = torch.tensor(
            [
                self.training_range.condition(
                    request.pathology, request.level, {request.pathology: size}
                )
            ]
        )
        scale = self.guidance_for(request.pathology)
        generated, calls = draw(
            self.model, self.method, source, edit.latent, reported, seed, self.calls, scale
        )  # fmt: skip
        result = edited(scan, crop, generated, edit.blend, self.fingerprint, self.model.kinds, seed)
        return Edit(result, crop, edit, generated, calls)

    def _disc_map(self, crop: Crop, level: str) -> Tensor | None:
        """What may change of the disc of a level, if the run has learnt to change it."""
        if not self.recipe.disc_mm:
            return None
        region = crop.scan.label_map.voxels == self.labels[f"disc_{level}"]
        return disc_map(region, self.fingerprint.spacing_mm, self.recipe.disc_mm)

    def require_match(self, scan: LabelledScan, case: str) -> None:
        """Refuse a scan of other channels, voxels or intensities than the run's."""
        if len(scan.channels) != len(self.fingerprint.channels):
            fault = f"has {len(scan.channels)} channels, the run {len(self.fingerprint.channels)}"
            raise InputError(case, fault, "fit a run on such scans")
        here = np.array(scan.label_map.oriented("RAS").spacing_mm)
        there = np.array(self.fingerprint.spacing_mm)
        if ((here / there > 1.6) | (there / here > 1.6)).any():
            shown = " × ".join(f"{x:.3g}" for x in here)
            fault = f"has voxels of {shown} mm"
            wanted = " × ".join(f"{x:.3g}" for x in there)
            raise InputError(case, fault, f"fit a run on such scans; this one was on {wanted} mm")
        self.fingerprint.require_intensities(scan, case)
