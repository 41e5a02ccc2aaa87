"""One case from a seed: a label map for wanted attributes, and an image for a label map."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vesalius.diffusion.guidance import guided
from vesalius.diffusion.samplers import ddim, dpm_solver_2m
from vesalius.diffusion.schedules import even_levels, even_log_snr_levels
from vesalius.methods.guided.calibration import Calibration
from vesalius.methods.guided.model import PARTS, GuidedModel, condition_of
from vesalius.methods.guided.recipe import GuidedRecipe
from vesalius.networks.spade import one_hot
from vesalius.scans.case import LabelledScan
from vesalius.scans.volume import Volume
from vesalius.training.device import fabric_for
from vesalius.training.run import Run


def noise_seed(case_seed: int, purpose: str, attempt: int = 0) -> int:
    """The seed of one use of chance within a case."""
    entropy = [case_seed, zlib.crc32(purpose.encode()), attempt]
    return int(np.random.SeedSequence(entropy).generate_state(1, dtype=np.uint64)[0] >> 1)


def _calibration(run: Run) -> Calibration | None:
    """The run's calibration, once it has one."""
    return run.noted("calibration", Calibration) if run.has_note("calibration") else None


class Painter:
    """Draws label maps and images with the networks of a run, one case at a time.

    A case is computed alone, so it does not depend on what else is drawn, in which order or where.

    Args:
        run: a finished run of guided synthesis.
        guidance: scale of classifier-free guidance; the recipe's if `None`. The calibration of
            attributes holds for the recipe's scale alone and is left out at any other.
        calibrated: use the calibration of the run.
    """

    def __init__(self, run: Run, guidance: float | None = None, calibrated: bool = True) -> None:
        recipe = run.recipe
        assert isinstance(recipe, GuidedRecipe)
        self.recipe, self.fingerprint = recipe, run.fingerprint
        self.model = GuidedModel(recipe, run.fingerprint)
        for part in PARTS:
            run.load(part, self.model.part(part))
        self.fabric = fabric_for("bf16-mixed")
        self.model.to(self.fabric.device)
        self.guidance = recipe.guidance if guidance is None else guidance
        self.calibration = _calibration(run) if calibrated else None
        if self.calibration and self.guidance != recipe.guidance:
            self.calibration = self.calibration.changed(curves={})

    @classmethod
    def open(cls, folder: str | Path, guidance: float | None = None) -> Painter:
        """Open a run and load its networks."""
        return cls(Run.open(folder, GuidedRecipe), guidance)

    @torch.no_grad()
    def label_map(self, wanted: list[float], seed: int) -> Volume:
        """A label map asked to have these attributes, in the order and the units of the run's."""
        schedule = self.model.schedule
        shape = self.model.label_autoencoder.code_shape
        attributes = self.fingerprint.attributes
        if self.calibration is not None:
            wanted = [
                self.calibration.condition(seen.name, value)
                for seen, value in zip(attributes, wanted, strict=True)
            ]
        condition = condition_of([wanted], attributes).to(self.fabric.device)
        lean = guided(
            self.model.label_denoiser, condition, torch.zeros_like(condition), self.guidance
        )
        start = torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed))
        start = start.to(self.fabric.device)
        if schedule.name == "linear_flow":
            code = ddim(lean, start, even_levels(self.recipe.label_steps), schedule)
        else:
            levels = even_log_snr_levels(schedule, self.recipe.label_steps, 0.995, 0.02)
            code = dpm_solver_2m(lean, start, levels, schedule)
        denoiser = self.model.label_denoiser
        code = code * denoiser.code_scale + denoiser.code_mean
        scores = self.model.label_autoencoder.decode(code)
        numbers = self.fingerprint.label_numbers[scores.argmax(dim=1)[0].cpu().numpy()]
        kind = np.uint8 if numbers.max() < 256 else np.int16
        return self.fingerprint.grid.volume(numbers.astype(kind))

    def image(self, label_map: Volume, seed: int, noise_scale: float | None = None) -> LabelledScan:
        """An image for a label map of the run's grid.

        Args:
            label_map: as `label_map` gives it.
            seed: of contrast, texture and noise.
            noise_scale: factor on the decoder's spread of each voxel; the calibrated one if
                `None`, and 0 for the decoder's mean.
        """
        numbers = np.searchsorted(self.fingerprint.label_numbers, label_map.oriented("RAS").voxels)
        indices = torch.from_numpy(numbers.astype(np.int64))[None]
        chance = torch.Generator().manual_seed(seed)
        code, maps = self.image_code(indices, chance)
        with torch.no_grad(), self.fabric.autocast():
            mean, spread = self.model.image_autoencoder.decode(code, maps)
        noise = torch.randn(mean.shape, generator=chance).to(mean.device)
        drawn = mean + self._noise_scale(indices, noise_scale).to(mean.device) * spread * noise
        voxels = self.fingerprint.unscaled(drawn[0].float().cpu().numpy()).astype(np.float32)
        grid = self.fingerprint.grid
        return LabelledScan(tuple(grid.volume(channel) for channel in voxels), label_map)

    def _noise_scale(self, indices: Tensor, asked: float | None) -> Tensor:
        """The factor on the decoder's spread at each voxel `(1, 1, D, H, W)`, or one for all."""
        if asked is None and self.calibration and self.calibration.noise_scales:
            return torch.tensor(self.calibration.noise_scales)[indices][:, None]
        return torch.tensor(1.0 if asked is None else asked)

    @torch.no_grad()
    def image_code(self, indices: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        """An image code for label indices `(1, D, H, W)`, and the labels one-hot."""
        denoiser, schedule = self.model.image_denoiser, self.model.schedule
        maps = one_hot(indices.to(self.fabric.device), len(self.fingerprint.labels))
        coarse = [side // self.model.image_autoencoder.coarseness for side in maps.shape[2:]]
        start = torch.randn(1, self.recipe.image_code_channels, *coarse, generator=chance)
        start = start.to(self.fabric.device)
        with self.fabric.autocast():
            features = denoiser.network.read_labels(maps)
            if schedule.name == "linear_flow":
                levels = even_levels(self.recipe.image_steps)
                code = ddim(lambda x, t: denoiser(x, t, features), start, levels, schedule)
            else:
                levels = even_log_snr_levels(schedule, self.recipe.image_steps, 0.995, 0.02)
                code = dpm_solver_2m(lambda x, t: denoiser(x, t, features), start, levels, schedule)
        return code * denoiser.code_scale + denoiser.code_mean, maps
