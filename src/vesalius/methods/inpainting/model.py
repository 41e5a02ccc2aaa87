"""The networks of a run of pathology inpainting."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vesalius.diffusion.preconditioning import clean_prediction, normalised_input
from vesalius.diffusion.schedules import SCHEDULES
from vesalius.methods.inpainting.conditioning import (
    CONDITIONING_MAPS,
    conditioning_maps,
    offsets_mm,
)
from vesalius.methods.inpainting.latent import LATENT_FACTORS, LabelKinds
from vesalius.methods.inpainting.recipe import InpaintingRecipe, Network
from vesalius.methods.inpainting.training_pathologies import TrainingPathologies
from vesalius.networks.voxelwise_denoiser import VoxelwiseDenoiser
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.run import Run


class InpaintingModel(nn.Module):
    """One denoiser for each network of the recipe, in one latent space."""

    def __init__(
        self,
        recipe: InpaintingRecipe,
        fingerprint: Fingerprint,
        training_range: TrainingPathologies,
    ) -> None:
        super().__init__()
        self.recipe, self.fingerprint, self.training_range = recipe, fingerprint, training_range
        self.kinds = LabelKinds(fingerprint.labels)
        self.schedule = SCHEDULES[recipe.schedule]
        self.offsets = offsets_mm(fingerprint.shape, fingerprint.spacing_mm)
        self.channels = 4 * (len(fingerprint.channels) + len(self.kinds))
        self.networks = nn.ModuleDict({name: self.build(name) for name in recipe.networks})

    def build(self, name: Network) -> VoxelwiseDenoiser:
        """A network before it is fitted; `concat` sees the masked source and the mask besides."""
        return VoxelwiseDenoiser(
            self.channels, self.channels if name == "concat" else 0,
            self.training_range.condition_length,
            CONDITIONING_MAPS * len(self.training_range.pathologies), self.recipe.widths,
            self.recipe.blocks,
            self.recipe.heads,
        )  # fmt: skip

    def network(self, name: Network) -> VoxelwiseDenoiser:
        """One of the recipe's networks."""
        result = self.networks[name]
        assert isinstance(result, VoxelwiseDenoiser)
        return result

    @classmethod
    def load(cls, run: Run) -> InpaintingModel:
        """With the weights of a finished run."""
        assert isinstance(run.recipe, InpaintingRecipe)
        model = cls(run.recipe, run.fingerprint, TrainingPathologies.read(run.folder))
        for name in run.recipe.networks:
            run.load(f"{name}_denoiser", model.networks[name])
        return model.eval()

    def guess(
        self, name: Network, x: Tensor, level: Tensor, weight: Tensor, condition: Tensor,
        context: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """x₀ of a noisy latent whose noise level is `level` `(B, 1, D, H, W)` at each voxel."""
        scaled = normalised_input(x, level, self.schedule)
        conditioning = conditioning_maps(condition, self.offsets.to(x.device), self.training_range)
        output = self.networks[name](scaled, level, weight, condition, conditioning, context)
        return clean_prediction(output, x, level, self.schedule, self.recipe.noise_texture)

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """Channels and grid of a latent."""
        d, h, w = (n // f for n, f in zip(self.fingerprint.shape, LATENT_FACTORS, strict=True))
        return self.channels, d, h, w

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.parameters()).device
