"""The two networks of whole volumes, built from a recipe and a fingerprint."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.diffusion.denoiser import Denoiser
from vesalius.diffusion.schedules import SCHEDULES, Schedule
from vesalius.methods.volumes.recipe import VolumesRecipe
from vesalius.networks.block_transform import BlockTransform
from vesalius.networks.bottleneck import Codebook, Gaussian
from vesalius.networks.volume_autoencoder import VolumeAutoencoder
from vesalius.networks.volume_denoiser import VolumeDenoiser
from vesalius.training.coding import Codes
from vesalius.training.fingerprint import Fingerprint

PARTS = ("autoencoder", "denoiser")


class CodeDenoiser(Denoiser):
    """Guesses clean codes on the scale on which diffusion works.

    Codes before quantisation are brought to [-1, 1] by the range of the codebook, or of the codes
    themselves where there is none, as Khader et al. 2023 do; a single number more brings them to
    unit SD, which the preconditioning of the network counts on.

    Args:
        network: F.
        schedule: of noise.
    """

    def __init__(self, network: VolumeDenoiser, schedule: Schedule) -> None:
        super().__init__(network, schedule)
        for name, value in (("low", -1.0), ("high", 1.0), ("mean", 0.0), ("std", 1.0)):
            self.register_buffer(name, torch.tensor(value))
        self.low: Tensor
        self.high: Tensor
        self.mean: Tensor
        self.std: Tensor

    def learn_scale(
        self, codes: Codes, rows: range, bottleneck: Codebook | Gaussian | None
    ) -> None:
        """Take range and spread from the codes of some rows."""
        if isinstance(bottleneck, Codebook):
            low, high = float(bottleneck.codes.min()), float(bottleneck.codes.max())
        else:
            low = min(float(codes.array[row].min()) for row in rows)
            high = max(float(codes.array[row].max()) for row in rows)
        self.low.fill_(low)
        self.high.fill_(high)
        mean, variance = codes.moments(rows, (0, 1, 2, 3, 4))
        self.mean.copy_(self._in_range(mean.to(self.low.device)))
        self.std.fill_(max(2 * float(variance.sqrt()) / (high - low), 1e-6))

    def scaled(self, code: Tensor) -> Tensor:
        """Codes as diffusion sees them."""
        return (self._in_range(code) - self.mean) / self.std

    def unscaled(self, x: Tensor) -> Tensor:
        """The inverse of `scaled`, held within the range."""
        ranged = (x * self.std + self.mean).clamp(-1, 1)
        return self.low + (self.high - self.low) * (ranged + 1) / 2

    def _in_range(self, code: Tensor) -> Tensor:
        return 2 * (code - self.low) / (self.high - self.low) - 1


class VolumesModel:
    """Autoencoder and denoiser, untrained."""

    def __init__(self, recipe: VolumesRecipe, fingerprint: Fingerprint) -> None:
        self.recipe, self.fingerprint = recipe, fingerprint
        self.schedule = SCHEDULES["cosine"]
        self.autoencoder = _autoencoder(recipe, len(fingerprint.channels))
        self.denoiser = CodeDenoiser(
            VolumeDenoiser(
                recipe.code_channels, self.code_shape, self.conditions, recipe.denoiser_widths,
                recipe.denoiser_blocks, recipe.attend_from,
                depth_axis=slice_axis(fingerprint.spacing_mm),
            ),
            self.schedule,
        )  # fmt: skip

    @property
    def conditions(self) -> int:
        """Length of the condition: a number for each attribute, and whether there is one."""
        count = len(self.fingerprint.attributes)
        return count + 1 if count else 0

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """Of the code of a whole volume."""
        x, y, z = (
            side // factor
            for side, factor in zip(self.fingerprint.shape, self.recipe.downsampling, strict=True)
        )
        return x, y, z

    @property
    def compression(self) -> float:
        """Voxels of the image for each number of the code."""
        code = prod(self.code_shape) * self.recipe.code_channels
        return prod(self.fingerprint.shape) * len(self.fingerprint.channels) / code

    def condition(self, values: Sequence[dict[str, float]]) -> Tensor:
        """Attribute values of each case, in their own units, as conditions `(B, A + 1)`.

        The last entry tells that there is one. What a case leaves out stands at the mean.
        """
        attributes = self.fingerprint.attributes
        if not attributes:
            return torch.zeros(len(values), 0)
        rows = [
            [
                *(a.standardised(own[a.name]) if a.name in own else 0.0 for a in attributes),
                float(bool(own)),
            ]
            for own in values
        ]
        return torch.tensor(rows, dtype=torch.float32)

    def part(self, name: str) -> nn.Module:
        """One of `PARTS` as a module."""
        module: nn.Module = getattr(self, name)
        return module


def _autoencoder(recipe: VolumesRecipe, channels: int) -> VolumeAutoencoder | BlockTransform:
    """What makes codes, by the recipe's kind."""
    if recipe.bottleneck == "components":
        return BlockTransform(channels, recipe.code_channels, recipe.downsampling)
    return VolumeAutoencoder(
        channels, recipe.code_channels, recipe.downsampling, recipe.widths, recipe.blocks,
        Codebook(recipe.code_channels, recipe.codes) if recipe.bottleneck == "codebook"
        else Gaussian(recipe.kl_weight),
    )  # fmt: skip


def slice_axis(spacing_mm: Sequence[float]) -> int:
    """The axis across slices: that of the largest spacing, the last one where all are alike.

    >>> slice_axis((3.0, 0.5, 0.5)), slice_axis((1.0, 1.0, 1.0))
    (0, 2)
    """
    sizes = np.asarray(spacing_mm)
    return int(len(sizes) - 1 - np.argmax(np.isclose(sizes, sizes.max())[::-1]))
