"""Pathology inpainting as a method: what it reads, its networks, and the trunk they share."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vesalius.methods.inpainting.balanced_rows import balanced_rows
from vesalius.methods.inpainting.calibrating import calibrate
from vesalius.methods.inpainting.methods import METHODS
from vesalius.methods.inpainting.methods import Method as SamplingMethod
from vesalius.methods.inpainting.model import InpaintingModel
from vesalius.methods.inpainting.objectives import InpaintingObjective
from vesalius.methods.inpainting.pipeline import InpaintingPipeline
from vesalius.methods.inpainting.recipe import PRESETS, InpaintingRecipe, Network
from vesalius.methods.inpainting.sites import MarkedCrop, Sites, sites_of
from vesalius.methods.inpainting.training_pathologies import NOTE, TrainingPathologies
from vesalius.networks.voxelwise_denoiser import VoxelwiseDenoiser
from vesalius.scans.case import Case, LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.crop import cut
from vesalius.scans.grid import Grid
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.landmarks import Landmark
from vesalius.scans.progress import Progress, track
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.measures import Measuring
from vesalius.training.method import Data, Method, Part, Reading
from vesalius.training.reading import SoundCases, cohort_of, read_sound
from vesalius.training.run import Run
from vesalius.training.store import BlankStore, CaseStore, Layout, Store, gridded

TRUNK = "trunk"
"""What all networks of a run are in the first part of their steps."""

FEWEST_CASES = 8
CALIBRATION_CASES = 10
GRID_MULTIPLE = 4
"""Sides of a crop in the slice: halved once for the latent and once in the network."""


@dataclass(frozen=True)
class InpaintingData(Data):
    """Labelled scans on disk, the pathologies marked in them, and where crops are cut.

    Crops of the first `fitted` cases are learnt from, those of the others are held out.
    """

    cases: tuple[Case, ...] = field(default=(), kw_only=True)
    scans: Sequence[LabelledScan] = field(default=(), kw_only=True)
    fitted: int = field(default=0, kw_only=True)
    crops: tuple[MarkedCrop, ...] = field(default=(), kw_only=True)
    training_range: TrainingPathologies = field(kw_only=True)
    sites: Sites = field(kw_only=True)

    def sample(self, count: int = CALIBRATION_CASES) -> list[tuple[Case, LabelledScan]]:
        """Some training cases without a finding, on which a fresh run is calibrated."""
        positive = {crop.row for crop in self.crops if crop.finding}
        rows = [row for row in range(self.fitted) if row not in positive][:count]
        rows = rows or list(range(min(count, self.fitted)))
        return [(self.cases[row], self.scans[row]) for row in rows]


class Inpainting(Method[InpaintingData]):
    """Fit pathology inpainting: findings set into healthy scans by a noise level for each voxel.

    Lesions of any organ need a label of the lesion, named by --lesion, and one of the organ around
    it. Findings of the spine need landmarks.csv, one point in mm for each, and labels of discs and
    canal.
    """

    name, title = "inpainting", "pathology inpainting"
    settings, measured = InpaintingRecipe, Fingerprint
    caution = (
        "Scans edited by this run are synthetic. They must not be used for diagnosis, and belong "
        "to the subject whose scan was edited: keep them in the same split."
    )

    def recipe(
        self, *, preset: Literal["smallest", "demo", "workstation", "published"] = "demo",
        networks: list[Network] | None = None, lesion: list[str] | None = None,
        host: list[str] | None = None, margin_mm: float | None = None, seed: int = 0,
    ) -> InpaintingRecipe:  # fmt: skip
        """Settings of a run.

        Parameters
        ----------
        preset: str
            Sizes and steps: demo for CPU minutes, workstation for one GPU, published for several.
        networks: list[str]
            voxelwise is the method; ordinary and concat serve the baselines. May be repeated.
        lesion: list[str]
            Label of a lesion, or several as name=label+label. May be repeated.
        host: list[str]
            Label of an organ that lesions lie in; those around them without it. May be repeated.
        margin_mm: float
            Of lesions: how far about one the scan may change; 6 without it.
        seed: int
            Of the fit.
        """
        base = PRESETS[preset]
        own = base.changed(networks=tuple(networks or base.networks), seed=seed)
        if margin_mm is not None:
            own = own.changed(margin_mm=margin_mm)
        if not lesion:
            if host or margin_mm is not None:
                option = "--host" if host else "--margin-mm"
                raise InputError(option, "is for lesions", "name their label with --lesion")
            return own
        whole = {"slices": 0, "disc_mm": 0.0}
        return own.changed(lesions=tuple(lesion), hosts=tuple(host or ()), **whole)

    def read(
        self, source: str | Path | Cohort, recipe: InpaintingRecipe, reading: Reading
    ) -> InpaintingData:
        """Read a labelled cohort, and its `landmarks.csv` where findings are of the spine.

        Cases marked `val` decide which weights are kept, in presets that look at them; those
        marked `test`, and synthetic ones, are not touched.

        Raises:
            InputError: for labels that are not there, too few cases or findings, or a crop that
                leaves no context around the map.
        """
        _require_context(recipe)
        cohort = cohort_of(source, True, reading)
        sites = _sites(cohort, recipe)
        real = [case for case in cohort.cases if not case.synthetic]
        training = [case for case in real if case.split not in ("val", "test")]
        unseen = [case for case in real if case.split == "val" and recipe.fit.validate_every]
        marks, wrong = sites.reported(cohort)
        reading.faults += wrong

        names = {case.name for case in training}
        measuring = Measuring(cohort, further=partial(_findings, marks=marks, sites=sites))
        sound = read_sound(measuring, [*training, *unseen], names, reading)
        if sound.fitted < FEWEST_CASES:
            fault = f"has {sound.fitted} sound training cases"
            raise InputError(
                cohort.folder, fault, f"add labelled scans: {FEWEST_CASES} is the least"
            )
        cases, scans = sound.cases, sound.scans
        own: dict[str, list[Landmark]] = {
            case.name: one.further for case, one in zip(cases, sound.measures, strict=True)
        }
        every = [mark for case in cases[: sound.fitted] for mark in own[case.name]]
        training_range = sites.training_range(every)
        learnt = sorted((case.name, own[case.name]) for case in cases[: sound.fitted])
        digest = hashlib.sha256(repr(learnt).encode()).hexdigest()
        fingerprint = sound.fingerprint(
            _grid(sound, recipe, sites.crop_mm(training_range)), beside=digest
        )
        numbered = track(
            range(len(cases)), "finding places of findings", len(cases), reading.progress
        )
        crops = tuple(
            crop
            for row in numbered
            for crop in sites.crops(
                row, scans[row], own[cases[row].name], marks.get(cases[row].name, ()),
                training_range,
            )
        )  # fmt: skip
        fitted_crops = sum(crop.row < sound.fitted for crop in crops)
        counts = ", ".join(
            f"{sum(p.counts.values())} of {p.name}" for p in training_range.pathologies
        )
        return InpaintingData(
            recipe, fingerprint, 0.0, (f"findings: {counts}; {fitted_crops} crops in all",),
            {NOTE: training_range.model_dump(), "split": sound.split},
            cases=cases, scans=scans, fitted=sound.fitted, crops=crops,
            training_range=training_range, sites=sites,
            disk_bytes=len(crops) * Layout.of(fingerprint).bytes_a_case,
        )  # fmt: skip

    def parts(self, data: InpaintingData) -> list[Part]:
        """The trunk, then each network of the recipe, which begins as the trunk."""
        return _Networks(data).parts()

    def finish(self, data: InpaintingData, run: Run, progress: Progress) -> None:
        """Calibrate the curve from requested to measured size."""
        if not run.has_note("calibration"):
            calibrate(run, data.sample(), progress=progress)

    def card(self, data: InpaintingData, run: Run) -> list[str]:
        """Channels, crop, findings of each pathology by level, and networks."""
        return [
            *data.fingerprint.lines,
            *(
                f"{p.name}: {sum(p.counts.values())} findings of {p.low:.1f} to {p.high:.1f} mm, "
                + ", ".join(f"{count} at {level}" for level, count in p.counts.items())
                for p in data.training_range.pathologies
            ),
            f"networks: {', '.join(data.recipe.networks)}",
        ]

    def open(
        self, run: Run, method: SamplingMethod = "voxelwise_trained", guidance: float | None = None
    ) -> InpaintingPipeline:
        """The networks on their device, ready to edit scans."""
        if method not in METHODS:
            raise InputError("--method", f"'{method}' is none", f"choose of {', '.join(METHODS)}")
        return InpaintingPipeline(run, method, guidance=guidance)


class _Networks:
    """The networks of a fit, and the crops they learn from."""

    def __init__(self, data: InpaintingData) -> None:
        self.data, self.recipe, self.training_range = data, data.recipe, data.training_range
        self.model = InpaintingModel(data.recipe, data.fingerprint, data.training_range)
        self.trunk = self.model.build("ordinary")
        self.found = [crop.finding.pathology if crop.finding else None for crop in data.crops]
        learnt = sum(crop.row < data.fitted for crop in data.crops)
        self.rows = balanced_rows(self.found[:learnt], self.recipe.positive_share)
        self.held_out = range(learnt, len(data.crops))
        self._store: CaseStore | None = None

    def parts(self) -> list[Part]:
        shared = round(self.recipe.shared_steps * self.recipe.fit.steps)
        own = self.recipe.fit.steps - shared
        return [
            self._part(TRUNK, "ordinary", self.trunk, shared, kept=False),
            *(
                self._part(f"{name}_denoiser", name, self.model.network(name), own)
                for name in self.recipe.networks
            ),
        ]

    def _part(
        self, part: str, name: Network, network: VoxelwiseDenoiser, steps: int, kept: bool = True
    ) -> Part:
        def inputs(run: Run, progress: Progress) -> Store:
            if network is not self.trunk:
                network.begin_as(self.trunk)
            return self.store(run, progress)

        fit = self.recipe.fit.changed(steps=steps)
        if network is self.trunk or not self.held_out:
            fit = fit.changed(validate_every=0)
        return Part(
            part, network, fit, len(self.rows), partial(self._objective, name, network), inputs,
            lambda: BlankStore(Layout.of(self.data.fingerprint)), kept=kept,
        )  # fmt: skip

    def _objective(
        self, name: Network, network: VoxelwiseDenoiser, store: Store
    ) -> InpaintingObjective:
        return InpaintingObjective(
            network, name, store, self._conditions(), self._regions(),
            [self.data.sites.map_bounds(crop, self.training_range) for crop in self.data.crops],
            self.training_range, self.rows, self.model.kinds, self.recipe, self.model.schedule,
            self.data.fingerprint.spacing_mm, self.held_out,
        )  # fmt: skip

    def store(self, run: Run, progress: Progress) -> CaseStore:
        """All crops on disk."""
        if self._store is None:
            scans, known = self.data.scans, self.data.fingerprint
            self._store = gridded(
                run.state / "crops", known, self.data.crops,
                lambda crop: cut(scans[crop.row], crop.voxel, known.grid).scan, progress,
                what="cutting crops",
            )  # fmt: skip
        return self._store

    def _conditions(self) -> Tensor:
        """Of each crop `(N, A)`."""
        pairs = zip(self.found, self.data.crops, strict=True)
        return torch.tensor(
            [
                self.training_range.condition(pathology, crop.level, crop.sizes)
                for pathology, crop in pairs
            ]
        )

    def _regions(self) -> Tensor:
        """Label of what changes as a whole at each crop's site, as the store numbers labels `(N,)`.

        -1 where there is none.
        """
        known = self.data.fingerprint
        numbers = [self.data.sites.region(crop.level) for crop in self.data.crops]
        return torch.tensor(
            [-1 if n is None else int(np.searchsorted(known.label_numbers, n)) for n in numbers]
        )


def _findings(
    case: Case, scan: LabelledScan, marks: Mapping[str, Sequence[Landmark]], sites: Sites
) -> tuple[list[Landmark], list[InputProblem]]:
    """The findings of a case with their sizes, and what is wrong with others."""
    return sites.marks(scan, case.name, marks.get(case.name, ()))


def _require_context(recipe: InpaintingRecipe) -> None:
    reach = recipe.noise_map.reach_mm
    if (
        not recipe.lesions
        and recipe.noise_map.kind == "linear"
        and min(recipe.crop_mm[1:]) < 2.2 * reach
    ):
        fault = f"of {recipe.crop_mm} mm leaves no context around a map of {reach:g} mm"
        raise InputError("crop_mm", fault, "choose a larger crop or a smaller map")


def _sites(cohort: Cohort, recipe: InpaintingRecipe) -> Sites:
    """Where findings lie, or `InputError` with the cohort's file where labels are missing."""
    try:
        return sites_of(recipe, cohort.description.labels)
    except InputError as refusal:
        if refusal.fault.file != "dataset.json":
            raise
        fault = refusal.fault
        raise InputError(cohort.folder / "dataset.json", fault.fault, fault.remedy) from refusal


def _grid(sound: SoundCases, recipe: InpaintingRecipe, crop_mm: tuple[float, float, float]) -> Grid:
    """The crop at the cohort's spacing; sides in the slice can be halved twice."""
    fields = [one.field for one in sound.measures[: sound.fitted]]
    spacing = recipe.spacing_mm or tuple(
        float(x) for x in np.median([one.spacing_mm for one in fields], axis=0)
    )
    whole = math.ceil if recipe.lesions else round  # a map must not leave its crop
    x, y, z = (side / size for side, size in zip(crop_mm, spacing, strict=True))
    shape = (max(1, whole(x)), *(GRID_MULTIPLE * max(1, whole(n / GRID_MULTIPLE)) for n in (y, z)))
    affine = np.diag([*spacing, 1.0])
    return Grid(
        (shape[0], shape[1], shape[2]), (spacing[0], spacing[1], spacing[2]),
        tuple(tuple(float(x) for x in row) for row in affine), fields[0].orientation,
    )  # fmt: skip
