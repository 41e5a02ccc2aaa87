"""A loaded run of pathology inpainting: what a scan can take, and one edit of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vesalius.evidence.copies import CopySearch
from vesalius.methods.inpainting.balancing import missing_findings
from vesalius.methods.inpainting.calibration import SizeCalibration
from vesalius.methods.inpainting.editing import EditMap, edit_map, edited
from vesalius.methods.inpainting.latent import latent_of
from vesalius.methods.inpainting.methods import NETWORK_OF, Method, draw
from vesalius.methods.inpainting.model import InpaintingModel
from vesalius.methods.inpainting.recipe import InpaintingRecipe
from vesalius.methods.inpainting.sampling import (
    FindingRequest,
    InpaintingSampler,
    edit_request,
)
from vesalius.methods.inpainting.sites import sites_of
from vesalius.sampling.case import GeneratedCase
from vesalius.sampling.rejection import Balancing, require_met, sample_case
from vesalius.sampling.travelling import Travelling
from vesalius.scans.case import Case, LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.crop import Crop, cut
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress
from vesalius.training.device import fabric_for, placed
from vesalius.training.run import Run

OUTSIDE_MM = 0.5
"""How far outside of the training range a size may be asked for."""


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
        self.sites = sites_of(self.recipe, self.labels)

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
            pathology: such as `herniation`, or the name of a lesion.
            level: such as `L4-L5`, or the label of the organ that a lesion lies in.
            size_mm: depth of a herniation, diameter left of the canal, or diameter of a lesion.
            seed: of the case.
            point_mm: of the finding in RAS millimetres; the usual place of findings of the spine,
                and anywhere in the organ where a lesion has room, if `None`.
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
        marks, wrong = self.sites.reported(cohort)
        faults += [*cohort.faults, *wrong]
        requests = missing_findings(cohort, marks, self, count, seed, progress, faults)
        if not requests:
            fault = f"lacks nothing, or has no {self.sites.named_by} that could take a finding"
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

    def measured(
        self, scan: LabelledScan, pathology: str, level: str, before: LabelledScan | None = None
    ) -> float:
        """Size in mm of a pathology at a site of a scan, on its label map.

        Of lesions it is that of the largest part which `before` did not show.
        """
        return self.sites.measured(scan, pathology, level, before)

    def require_possible(self, scan: LabelledScan, request: FindingRequest, case: str) -> None:
        """Refuse a finding that this scan cannot take, with the reason."""
        self._require_known(request)
        self.require_match(scan, case)
        self.sites.require_possible(scan, request, case, self.training_range)

    def _require_known(self, request: FindingRequest) -> None:
        """Refuse a pathology, site or size that the run was not fitted on."""
        known = self.training_range.pathology(request.pathology)
        self.training_range.require_level(request.level)
        shown = self.training_range.levels_of(request.pathology)
        if request.level not in shown:
            fault = f"was not seen in {request.level}"
            raise InputError(request.pathology, fault, f"ask for {', '.join(shown)}")
        if not known.low - OUTSIDE_MM <= request.size_mm <= known.high + OUTSIDE_MM:
            fault = f"{request.size_mm:.3g} mm is outside the training range"
            remedy = f"ask for {known.low:.3g} to {known.high:.3g} mm"
            raise InputError(request.pathology, fault, remedy)

    def guidance_for(self, pathology: str) -> float:
        """The scale that was asked for, else the calibrated one, else the recipe's."""
        if self.guidance is not None:
            return self.guidance
        return self.calibration.guidance.get(pathology, self.recipe.guidance)

    @property
    def attribute_names(self) -> list[str]:
        """What is measured on every edited scan."""
        return [attribute.name for attribute in self.sites.attributes]

    def landmark(self, scan: LabelledScan, request: FindingRequest, seed: int = 0) -> np.ndarray:
        """The voxel of the RAS-oriented scan where the finding goes."""
        known = self.training_range.pathology(request.pathology)
        return self.sites.voxel(scan, request, known, seed)

    def at_site(self, scan: LabelledScan, request: FindingRequest) -> FindingRequest:
        """The request with a site, where none is named."""
        if request.level:
            return request
        known = self.training_range.pathology(request.pathology)
        return replace(request, level=self.sites.site_of(scan, request, known, self.training_range))

    def placed(self, scan: LabelledScan, request: FindingRequest, seed: int) -> FindingRequest:
        """The request with a point, where the place is a matter of chance."""
        if request.point_mm is not None or not self.recipe.lesions:
            return request
        self._require_known(request)
        voxel = self.landmark(scan, request, seed)
        x, y, z = (scan.label_map.oriented("RAS").affine @ [*voxel, 1.0])[:3]
        return replace(request, point_mm=(float(x), float(y), float(z)))

    def edit(self, scan: LabelledScan, request: FindingRequest, seed: int) -> Edit:
        """One edit without measuring."""
        training_range = self.training_range.pathology(request.pathology)
        crop = cut(scan, self.landmark(scan, request), self.fingerprint.grid)
        spacing = self.fingerprint.spacing_mm
        weight = self.sites.map_weight(crop, spacing, training_range, request)
        edit = edit_map(weight, spacing, self.recipe.noise_map.blend_mm)
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
