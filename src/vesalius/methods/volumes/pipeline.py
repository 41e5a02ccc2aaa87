"""A loaded run of whole volumes: codes by diffusion, the decoder tile by tile, then detail."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy, deepcopy
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.diffusion.guidance import autoguided, guided
from vesalius.diffusion.samplers import SAMPLERS, ddpm
from vesalius.diffusion.schedules import even_levels, even_log_snr_levels
from vesalius.evidence.copies import CopySearch
from vesalius.methods.volumes.detail_denoiser import DetailNoise, sampled_detail
from vesalius.methods.volumes.model import VolumesModel
from vesalius.methods.volumes.noise_texture import NoiseTexture
from vesalius.methods.volumes.recipe import VolumesRecipe
from vesalius.methods.volumes.sampling import Labeller, VolumesSampler
from vesalius.sampling.case import GeneratedCase
from vesalius.sampling.rejection import sample_one
from vesalius.sampling.travelling import Travelling
from vesalius.scans.case import Scan
from vesalius.training.device import fabric_for, placed
from vesalius.training.fit import early_name
from vesalius.training.requests import Request, require_within
from vesalius.training.run import Run
from vesalius.training.seeds import seed_for

Solver = Literal["ddpm", "ddim", "dpm_solver_2m", "heun"]


@dataclass(frozen=True)
class Sampling:
    """How codes are generated.

    Attributes:
        sampler: `ddpm` draws ancestrally, the others follow the flow.
        steps: of it.
        guidance: scale of classifier-free guidance.
    """

    sampler: Solver
    steps: int
    guidance: float


class VolumesPipeline(Travelling):
    """Generates volumes with the networks of a run, one case at a time.

    A case is computed alone, so it depends neither on the others, nor on their order or the place.
    Called, it generates one: `model(seed=1).save("out/case.nii.gz")`.

    Args:
        run: a finished run of whole volumes.
        sampling: how; the recipe's way if `None`.
    """

    def __init__(self, run: Run, sampling: Sampling | None = None) -> None:
        recipe = run.recipe
        assert isinstance(recipe, VolumesRecipe)
        self.run, self.fingerprint = run, run.fingerprint
        self.sampling = sampling or sampling_of(recipe)
        self.model = VolumesModel(recipe, run.fingerprint)
        self.fabric = fabric_for("bf16-mixed")
        for name, network in self.model.parts.items():
            run.load(name, network)
            placed(network)
        self._early: nn.Module | None = None
        if recipe.autoguidance != 1:
            self._early = deepcopy(self.model.denoiser)
            run.load(early_name("denoiser"), self._early)
            placed(self._early)
        self.detail, self.noise_texture = self.model.detail, NoiseTexture.of_run(run)
        known = run.has_note(DetailNoise.FILE)
        self._noise_scales = run.noted(DetailNoise.FILE, DetailNoise).scales if known else ()
        self._code = (recipe.code_channels, *self.model.code_shape)

    def chosen(self) -> tuple[Sampling]:
        """How codes are generated."""
        return (self.sampling,)

    def __call__(
        self, *, seed: int = 0, segmenter: Labeller | None = None, tolerance: float = 0.1,
        tries: int = 10, extrapolate: bool = False, gate: CopySearch | None = None,
        **target: float,
    ) -> GeneratedCase:  # fmt: skip
        """Generate one volume, with these attributes if any are named.

        Args:
            seed: of the case.
            segmenter: puts labels on it, on which attributes are measured.
            tolerance: largest relative error of a measured attribute.
            tries: volumes that are generated before the request is given up.
            extrapolate: allow values outside the training range.
            gate: training cases that it may not be a copy of.
            target: attribute values in their own units.

        Raises:
            InputError: for an unknown attribute, a value outside the training range, or if no try
                was within tolerance.
        """
        require_within([target], self.fingerprint, extrapolate)
        sampler = VolumesSampler(self, sorted(target), segmenter, tolerance)
        return sample_one(sampler, target, seed, tries, gate)

    def sampler(
        self, requested: Sequence[str] = (), tolerance: float = 0.1,
        guidance: float | None = None, sampler: Solver | None = None, steps: int | None = None,
        segmenter: Labeller | None = None,
    ) -> VolumesSampler:  # fmt: skip
        """What cohorts are generated with.

        Args:
            requested: attributes that requests name.
            tolerance: largest relative error of an attribute that the segmenter measures.
            guidance: scale of guidance; this pipeline's own if `None`, as with the next two.
            sampler: `ddpm` is ancestral, the others are fast.
            steps: of the sampler.
            segmenter: puts labels on volumes.
        """
        own, other = self.sampling, copy(self)
        other.sampling = Sampling(
            sampler or own.sampler, steps or own.steps,
            own.guidance if guidance is None else guidance,
        )  # fmt: skip
        return VolumesSampler(other, sorted(requested), segmenter, tolerance)

    @torch.no_grad()
    def volume(
        self, seed: int, request: Request | None = None, start: Tensor | None = None
    ) -> Scan:
        """A volume in the space and the units of the cohort, asked to have these attributes.

        Args:
            seed: of noise and detail.
            request: values by attribute.
            start: noise `(1, K, D, H, W)` of the code, by the seed if `None`.
        """
        image = self._decoded(self.code(seed, request, start), seed)
        voxels = self.fingerprint.unscaled(image[0].cpu().numpy()).astype(np.float32)
        return Scan(tuple(self.fingerprint.grid.volume(channel) for channel in voxels))

    @torch.no_grad()
    def reconstructed(self, scaled: np.ndarray, seed: int = 0) -> np.ndarray:
        """The first channel `(D, H, W)` of a scan as it comes back from the autoencoder, in [0, 1].

        Args:
            scaled: `(D, H, W)` or `(C, D, H, W)` in the grid of the run and on its scale.
            seed: of detail and noise.
        """
        image = torch.from_numpy(np.reshape(scaled, (1, -1, *scaled.shape[-3:])))
        with self.fabric.autocast():
            code = self.model.autoencoder.encode(image.to(self.fabric.device))
        back: np.ndarray = self._decoded(code, seed)[0, 0].cpu().numpy()
        return back.clip(0, 1)

    def of_codes_alone(self) -> VolumesPipeline:
        """The same with neither detail nor noise: what codes hold and no more."""
        other = copy(self)
        other.detail = other.noise_texture = None
        return other

    def _decoded(self, code: Tensor, seed: int) -> Tensor:
        """The image of a code with its detail, or its noise, on the scale of the networks."""
        with self.fabric.autocast():
            image = self.model.autoencoder.decode_in_tiles(code).float()
        if self.detail is not None:
            rng = torch.Generator().manual_seed(seed_for(seed, "detail"))
            with self.fabric.autocast():
                steps = self.model.recipe.detail_steps
                own = sampled_detail(self.detail, image, steps, rng, self._noise_scales)
                return image + own
        if self.noise_texture is None:
            return image
        rng = torch.Generator().manual_seed(seed_for(seed, "noise texture"))
        return self.noise_texture.put_back(image, rng)

    @torch.no_grad()
    def code(
        self, seed: int, request: Request | None = None, start: Tensor | None = None
    ) -> Tensor:
        """A code `(1, K, D, H, W)` before quantisation; see `volume`."""
        schedule, how = self.model.schedule, self.sampling
        condition = self.model.condition([dict(request or {})]).to(self.fabric.device)
        scale = how.guidance if request else 1.0
        null = torch.zeros_like(condition)
        guided_denoiser = guided(self.model.denoiser, condition, null, scale)
        if self._early is not None:
            early = guided(self._early, condition, null, scale)
            guided_denoiser = autoguided(guided_denoiser, early, self.model.recipe.autoguidance)
        rng = torch.Generator().manual_seed(seed)

        def noise(like: Tensor) -> Tensor:
            return torch.randn(like.shape, generator=rng).to(like.device)

        if start is None:
            start = noise(torch.empty(1, *self._code, device=self.fabric.device))
        start = start.to(self.fabric.device)
        with self.fabric.autocast():
            if how.sampler == "ddpm":
                code = ddpm(guided_denoiser, start, even_levels(how.steps), schedule, noise)
            else:
                last = self.model.denoiser.last_level
                levels = even_log_snr_levels(schedule, how.steps, 0.995, last)
                code = SAMPLERS[how.sampler](guided_denoiser, start, levels, schedule)
        return self.model.denoiser.unscaled(code.float())


def sampling_of(recipe: VolumesRecipe) -> Sampling:
    """The recipe's own way to draw."""
    return Sampling(recipe.sampler, recipe.sampler_steps, recipe.guidance)
