"""Pathology inpainting as a method: what it reads, its networks, and the trunk they share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vesalius.anatomy.spine import CANAL, levels_of
from vesalius.methods.inpainting.calibrating import calibrate
from vesalius.methods.inpainting.marked_crops import (
    MarkedCrop,
    balanced_rows,
    marked_crops,
    measured_marks,
)
from vesalius.methods.inpainting.methods import METHODS
from vesalius.methods.inpainting.methods import Method as SamplingMethod
from vesalius.methods.inpainting.model import InpaintingModel
from vesalius.methods.inpainting.objectives import InpaintingObjective
from vesalius.methods.inpainting.pipeline import InpaintingPipeline
from vesalius.methods.inpainting.recipe import PRESETS, InpaintingRecipe, Network
from vesalius.methods.inpainting.training_pathologies import NOTE, TrainingPathologies
from vesalius.networks.voxelwise_denoiser import VoxelwiseDenoiser
from vesalius.scans.case import Case, LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.crop import cut
from vesalius.scans.grid import Grid
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.landmarks import Landmark, read_landmarks
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

    def sample(self, count: int = CALIBRATION_CASES) -> list[tuple[Case, LabelledScan]]:
        """Some training cases without a finding, on which a fresh run is calibrated."""
        positive = {crop.row for crop in self.crops if crop.finding}
        rows = [row for row in range(self.fitted) if row not in positive][:count]
        rows = rows or list(range(min(count, self.fitted)))
        return [(self.cases[row], self.scans[row]) for row in rows]


class Inpainting(Method[InpaintingData]):
    """Fit pathology inpainting: findings set into healthy scans by a noise level for each voxel.

    The cohort needs landmarks.csv, one point in mm for each finding, and labels of discs and canal.
    """

    name, title = "inpainting", "pathology inpainting"
    settings, measured = InpaintingRecipe, Fingerprint
    caution = (
        "Scans edited by this run are synthetic. They must not be used for diagnosis, and belong "
        "to the subject whose scan was edited: keep them in the same split."
    )

    def recipe(
        self, *, preset: Literal["smallest", "demo", "workstation", "paper"] = "demo",
        networks: list[Network] | None = None, seed: int = 0,
    ) -> InpaintingRecipe:  # fmt: skip
        """Settings of a run.

        Parameters
        ----------
        preset: str
            Sizes and steps: demo for CPU minutes, workstation for one GPU, paper for several.
        networks: list[str]
            voxelwise is the method; ordinary and concat serve the baselines. May be repeated.
        seed: int
            Of the fit.
        """
        base = PRESETS[preset]
        return base.changed(networks=tuple(networks or base.networks), seed=seed)

    def read(
        self, source: str | Path | Cohort, recipe: InpaintingRecipe, reading: Reading
    ) -> InpaintingData:
        """Read a labelled cohort and its `landmarks.csv`.

        Cases marked `val` decide which weights are kept, in presets that look at them; those
        marked `test`, and synthetic ones, are not touched.

        Raises:
            InputError: for labels without discs and canal, too few cases or findings, or a crop
                that leaves no context around the map.
        """
        _require_context(recipe)
        cohort = cohort_of(source, True, reading)
        levels = _levels(cohort)
        real = [case for case in cohort.cases if not case.synthetic]
        training = [case for case in real if case.split not in ("val", "test")]
        unseen = [case for case in real if case.split == "val" and recipe.fit.validate_every]
        marks, wrong = read_landmarks(cohort.folder, {case.name: case for case in cohort.cases})
        reading.faults += wrong
        labels = cohort.description.labels

        names = {case.name for case in training}
        measuring = Measuring(cohort, further=partial(_findings, marks=marks, labels=labels))
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
        training_range = TrainingPathologies.of(every, levels, recipe.fewest)
        learnt = sorted((case.name, own[case.name]) for case in cases[: sound.fitted])
        digest = hashlib.sha256(repr(learnt).encode()).hexdigest()
        fingerprint = sound.fingerprint(_grid(sound, recipe), beside=digest)
        numbered = track(
            range(len(cases)), "finding places of findings", len(cases), reading.progress
        )
        crops = tuple(
            crop
            for row in numbered
            for crop in marked_crops(
                row, scans[row], own[cases[row].name], marks.get(cases[row].name, ()),
                training_range, labels,
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
            training_range=training_range,
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
            network, name, store, self._conditions(), self._discs(), self.training_range,
            self.rows, self.model.kinds, self.recipe, self.model.schedule,
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
                self.training_range.condition(pathology, crop.level, {crop.place: crop.size_mm})
                for pathology, crop in pairs
            ]
        )

    def _discs(self) -> Tensor:
        """Label of the disc at each crop's level, as the store numbers labels `(N,)`."""
        known = self.data.fingerprint
        numbers = [known.labels[f"disc_{crop.level}"] for crop in self.data.crops]
        return torch.from_numpy(np.searchsorted(known.label_numbers, numbers))


def _findings(
    case: Case, scan: LabelledScan, marks: Mapping[str, Sequence[Landmark]],
    labels: dict[str, int],
) -> tuple[list[Landmark], list[InputProblem]]:  # fmt: skip
    """The findings of a case with their sizes, and what is wrong with others."""
    return measured_marks(scan, marks.get(case.name, ()), case.name, labels)


def _require_context(recipe: InpaintingRecipe) -> None:
    reach = recipe.noise_map.reach_mm
    if recipe.noise_map.kind == "linear" and min(recipe.crop_mm[1:]) < 2.2 * reach:
        fault = f"of {recipe.crop_mm} mm leaves no context around a map of {reach:g} mm"
        raise InputError("crop_mm", fault, "choose a larger crop or a smaller map")


def _levels(cohort: Cohort) -> tuple[str, ...]:
    """Levels of the spine that the cohort labels, or `InputError` where discs or canal are not."""
    labels = cohort.description.labels
    levels = levels_of(labels)
    if not levels or not any(name in labels for name in CANAL):
        lacking = "canal" if levels else "disc_<level>"
        remedy = "name labels such as disc_L4-L5, canal, herniation"
        raise InputError(cohort.folder / "dataset.json", f"has no label {lacking}", remedy)
    return tuple(levels)


def _grid(sound: SoundCases, recipe: InpaintingRecipe) -> Grid:
    """The crop at the cohort's spacing; sides in the slice can be halved twice."""
    fields = [one.field for one in sound.measures[: sound.fitted]]
    spacing = recipe.spacing_mm or tuple(
        float(x) for x in np.median([one.spacing_mm for one in fields], axis=0)
    )
    x, y, z = (side / size for side, size in zip(recipe.crop_mm, spacing, strict=True))
    shape = (max(1, round(x)), *(GRID_MULTIPLE * max(1, round(n / GRID_MULTIPLE)) for n in (y, z)))
    affine = np.diag([*spacing, 1.0])
    return Grid(
        (shape[0], shape[1], shape[2]), (spacing[0], spacing[1], spacing[2]),
        tuple(tuple(float(x) for x in row) for row in affine), fields[0].orientation,
    )  # fmt: skip
