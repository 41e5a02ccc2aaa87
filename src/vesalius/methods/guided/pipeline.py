"""A loaded run of guided synthesis: label maps for attributes, and images for label maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy, deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.anatomy.attributes import attribute_values
from vesalius.diffusion.guidance import autoguided, guided
from vesalius.diffusion.samplers import Denoiser, ddim, dpm_solver_2m
from vesalius.diffusion.schedules import even_levels, even_log_snr_levels
from vesalius.evidence.copies import CopySearch
from vesalius.methods.guided.adjusting import adjusted, directions
from vesalius.methods.guided.balancing import missing_targets
from vesalius.methods.guided.bias_field import bias_field
from vesalius.methods.guided.calibration import Calibration
from vesalius.methods.guided.image_denoiser import BlockDenoiser
from vesalius.methods.guided.model import PARTS, GuidedModel, condition_of
from vesalius.methods.guided.notes import Losses
from vesalius.methods.guided.recipe import GuidedRecipe
from vesalius.methods.guided.sampling import GuidedSampler
from vesalius.networks.deformation_space import DeformationSpace
from vesalius.networks.spade import one_hot
from vesalius.sampling.case import GeneratedCase
from vesalius.sampling.rejection import Balancing, case_requests, sample_one
from vesalius.sampling.travelling import Travelling
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress
from vesalius.scans.volume import Volume
from vesalius.training.device import fabric_for, placed, sampled_often
from vesalius.training.fit import early_name
from vesalius.training.requests import require_within
from vesalius.training.run import Run


def _calibration(run: Run) -> Calibration | None:
    """The run's calibration, once it has one."""
    return run.noted("calibration", Calibration) if run.has_note("calibration") else None


class GuidedPipeline(Travelling):
    """Generates labelled scans with the networks of a run, one case at a time.

    A case is computed alone, so it depends neither on the others, nor on their order or the place.
    Called, it generates one whose measured attributes are as requested:

        case = model(ventricle_volume_ml=90, seed=1)
        case.save("out/case.nii.gz")

    Args:
        run: a finished run of guided synthesis.
        guidance: scale of classifier-free guidance; the recipe's if `None`. The calibration of
            attributes holds for the recipe's scale alone and is left out at any other.
        calibrated: use the calibration of the run; in a deformation space, move label maps until
            they measure what was requested.
    """

    def __init__(self, run: Run, guidance: float | None = None, calibrated: bool = True) -> None:
        recipe = run.recipe
        assert isinstance(recipe, GuidedRecipe)
        self.run, self.recipe, self.fingerprint = run, recipe, run.fingerprint
        self.model = GuidedModel(recipe, run.fingerprint)
        for part in PARTS:
            run.load(part, self.model.part(part))
        self.model.label_denoiser.joined = run.noted("label_denoiser", Losses).joined
        self.fabric = fabric_for("bf16-mixed")
        for part in PARTS:
            placed(self.model.part(part))
        sampled_often(self.model.image_denoiser, "bf16-mixed")
        self._early: nn.Module | None = None
        if recipe.autoguidance != 1:
            self._early = deepcopy(self.model.image_denoiser)
            run.load(early_name("image_denoiser"), self._early)
            sampled_often(placed(self._early), "bf16-mixed")
        self.guidance = recipe.guidance
        self._calibrated = _calibration(run) if calibrated else None
        self.calibration = self._calibrated
        if guidance is not None:
            self._guide_by(guidance)

    def chosen(self) -> tuple[float, bool]:
        """Scale of guidance, and whether the run's calibration is used."""
        return self.guidance, self._calibrated is not None

    @classmethod
    def open(cls, folder: str | Path, guidance: float | None = None) -> GuidedPipeline:
        """Open a run and load its networks."""
        return cls(Run.open(folder, GuidedRecipe), guidance)

    def __call__(
        self, *, seed: int = 0, tolerance: float = 0.1, tries: int = 10, extrapolate: bool = False,
        gate: CopySearch | None = None, **target: float,
    ) -> GeneratedCase:  # fmt: skip
        """Generate one case with these attributes.

        Args:
            seed: of the case.
            tolerance: largest relative error of a measured attribute.
            tries: label maps that are generated before the request is given up.
            extrapolate: allow values outside the training range.
            gate: training cases that it may not be a copy of.
            target: attribute values in their own units; those left out are generated from the
                normal range of the run.

        Raises:
            InputError: for an unknown attribute, a value outside the training range, or if no try
                was within tolerance.
        """
        require_within([target], self.fingerprint, extrapolate)
        return sample_one(GuidedSampler(self, tolerance), target, seed, tries, gate)

    def sampler(
        self, requested: Sequence[str] = (), tolerance: float = 0.1,
        guidance: float | None = None,
    ) -> GuidedSampler:  # fmt: skip
        """What cohorts are generated with.

        Args:
            requested: attributes that requests name.
            tolerance: largest relative error of a measured attribute.
            guidance: scale of guidance; this pipeline's own if `None`.

        Raises:
            InputError: where no attribute is requested.
        """
        if not requested:
            raise InputError("--attribute", "is missing", self.example)
        other = copy(self)
        if guidance is not None:
            other._guide_by(guidance)
        return GuidedSampler(other, tolerance)

    def in_steps(self, image_steps: int) -> GuidedPipeline:
        """The same with images in other steps of the sampler, such as few for a preview."""
        other = copy(self)
        other.recipe = self.recipe.changed(image_steps=image_steps)
        return other

    def _guide_by(self, scale: float) -> None:
        self.guidance, self.calibration = scale, self._calibrated
        if self._calibrated and scale != self.recipe.guidance:
            self.calibration = self._calibrated.changed(curves={})

    @property
    def example(self) -> str:
        """What may be requested, for whoever has not said."""
        known = self.fingerprint.attributes[0]
        return f"add --attribute {known.name}={known.low:.3g}:{known.high:.3g}"

    def balancing(
        self, cohort: Cohort, ranges: Mapping[str, tuple[float, float]], count: int | None,
        seed: int, tolerance: float | None, extrapolate: bool, progress: Progress,
        faults: list[InputProblem],
    ) -> Balancing:  # fmt: skip
        """What brings the histogram of one attribute up to uniform."""
        targets = missing_targets(self, cohort, ranges, count, seed, progress, faults)
        require_within(targets, self.fingerprint, extrapolate)
        sampler = GuidedSampler(self, 0.1 if tolerance is None else tolerance)
        return Balancing(sampler, case_requests(self.run, targets, seed))

    @torch.no_grad()
    def label_map(self, wanted: list[float], seed: int) -> Volume:
        """A label map asked to have these attributes, in the order and the units of the run's."""
        code, prior = self._label_code(wanted, seed), self.model.label_denoiser.prior
        moved = isinstance(self.model.label_autoencoder, DeformationSpace) and self._calibrated
        if moved and prior is not None:
            condition = condition_of([wanted], self.fingerprint.attributes).to(code.device)
            along = directions(prior, condition)
            code = adjusted(code, condition[0, :-1], along, self._measured)
        return self._decoded_labels(code)

    def _measured(self, code: Tensor) -> Tensor:
        """What the label map of a code measures, as a condition `(A,)`."""
        ranges = self.fingerprint.attributes
        known = [one.attribute for one in ranges]
        values = attribute_values(known, self._decoded_labels(code), self.fingerprint.labels)
        return condition_of([[values[one.name] for one in ranges]], ranges)[0, :-1].to(code.device)

    def _decoded_labels(self, code: Tensor) -> Volume:
        scores = self.model.label_autoencoder.decode(code)
        numbers = self.fingerprint.label_numbers[scores.argmax(dim=1)[0].cpu().numpy()]
        kind = np.uint8 if numbers.max() < 256 else np.int16
        return self.fingerprint.grid.volume(numbers.astype(kind))

    def _label_code(self, wanted: list[float], seed: int) -> Tensor:
        """A code of a label map `(1, ...)` from noise, told attributes."""
        schedule = self.model.schedule
        shape = self.model.label_autoencoder.code_shape
        attributes = self.fingerprint.attributes
        if self.calibration is not None:
            wanted = [
                self.calibration.condition(attribute_range.name, value)
                for attribute_range, value in zip(attributes, wanted, strict=True)
            ]
        condition = condition_of([wanted], attributes).to(self.fabric.device)
        guided_denoiser = guided(
            self.model.label_denoiser, condition, torch.zeros_like(condition), self.guidance
        )
        start = torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed))
        start = start.to(self.fabric.device)
        if schedule.name == "linear_flow":
            code = ddim(guided_denoiser, start, even_levels(self.recipe.label_steps), schedule)
        else:
            levels = even_log_snr_levels(schedule, self.recipe.label_steps, 0.995, 0.02)
            code = dpm_solver_2m(guided_denoiser, start, levels, schedule)
        denoiser = self.model.label_denoiser
        return code * denoiser.code_scale + denoiser.code_mean

    def image(self, label_map: Volume, seed: int, noise_scale: float | None = None) -> LabelledScan:
        """An image for a label map of the run's grid.

        Args:
            label_map: as `label_map` gives it.
            seed: of contrast, texture and noise.
            noise_scale: factor on the noise of each voxel; the calibrated one if `None`, and 0 for
                none.
        """
        numbers = np.searchsorted(self.fingerprint.label_numbers, label_map.oriented("RAS").voxels)
        indices = torch.from_numpy(numbers.astype(np.int64))[None]
        rng = torch.Generator().manual_seed(seed)
        code = self.image_code(indices, rng, noise_scale)
        with torch.no_grad(), self.fabric.autocast():
            shown = indices.to(self.fabric.device)
            mean, sd = self.model.decoded(code, shown)
        image = mean
        if sd is not None:
            noise = torch.randn(mean.shape, generator=rng).to(mean.device)
            scales = self._noise_scales(noise_scale)[indices][:, None].to(mean.device)
            image = mean + scales * sd * noise
        image = self._in_field(image, rng)
        voxels = self.fingerprint.unscaled(image[0].float().cpu().numpy()).astype(np.float32)
        grid = self.fingerprint.grid
        return LabelledScan(tuple(grid.volume(channel) for channel in voxels), label_map)

    def _in_field(self, image: Tensor, rng: torch.Generator) -> Tensor:
        """An image `(1, C, D, H, W)` in the bias field of a new scan, if it was learnt without."""
        denoiser = self.model.image_denoiser
        drawn = denoiser.sampled_field(rng) if isinstance(denoiser, BlockDenoiser) else None
        if drawn is None:
            return image
        return image * bias_field(drawn, tuple(image.shape[2:]), self.recipe.bias_degree)

    def _noise_scales(self, scale: float | None) -> Tensor:
        """The factor on the noise of each label, `(labels,)`."""
        if scale is None and self.calibration and self.calibration.noise_scales:
            return torch.tensor(self.calibration.noise_scales)
        return torch.full((len(self.fingerprint.labels),), 1.0 if scale is None else scale)

    def appearance(
        self, maps: Tensor, rng: torch.Generator, noise_scale: float | None = None
    ) -> tuple[Tensor, ...]:
        """What a denoiser of blocks is given beside labels: appearance and noise of a new scan.

        Args:
            maps: one-hot labels `(1, labels, D, H, W)`.
            rng: of the appearance.
            noise_scale: see `image`.

        Returns:
            nothing for codes of an autoencoder.
        """
        denoiser = self.model.image_denoiser
        if not isinstance(denoiser, BlockDenoiser):
            return ()
        own = denoiser.appearance.sample(rng)
        scales = self._noise_scales(noise_scale).to(maps.device)
        return own, denoiser.noise_map(maps, own, scales)

    @torch.no_grad()
    def image_code(
        self, indices: Tensor, rng: torch.Generator, noise_scale: float | None = None
    ) -> Tensor:  # fmt: skip
        """An image code for label indices `(1, D, H, W)`; see `image` for the scale of noise."""
        denoiser, schedule = self.model.image_denoiser, self.model.schedule
        maps = one_hot(indices.to(self.fabric.device), len(self.fingerprint.labels))
        maps = maps.to(memory_format=torch.channels_last_3d)
        coarse = [side // self.model.coarseness for side in maps.shape[2:]]
        appearance = self.appearance(maps, rng, noise_scale)
        start = torch.randn(1, self.model.image_code_channels, *coarse, generator=rng)
        start = start.to(self.fabric.device, memory_format=torch.channels_last_3d)
        with self.fabric.autocast():
            guess = self._guess(denoiser, maps, appearance)
            if self._early is not None:
                early = self._guess(self._early, maps, appearance)
                guess = autoguided(guess, early, self.recipe.autoguidance)
            if schedule.name == "linear_flow":
                levels = even_levels(self.recipe.image_steps)
                code = ddim(guess, start, levels, schedule)
            else:
                last = denoiser.last_level
                levels = even_log_snr_levels(schedule, self.recipe.image_steps, 0.995, last)
                code = dpm_solver_2m(guess, start, levels, schedule)
        return denoiser.unscaled(code)

    def _guess(self, denoiser: Any, maps: Tensor, appearance: tuple[Tensor, ...]) -> Denoiser:
        """Clean codes by one denoiser, which reads the labels once for all steps."""
        given = [denoiser.network.kept(denoiser.network.read_labels(maps)), *appearance]
        return lambda x, level: denoiser(x, level, *given)
