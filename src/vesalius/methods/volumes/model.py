"""The networks of whole volumes, built from a recipe and a fingerprint."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.diffusion.schedules import SCHEDULES
from vesalius.methods.volumes.code_denoiser import CodeDenoiser
from vesalius.methods.volumes.component_denoiser import ComponentDenoiser
from vesalius.methods.volumes.detail_denoiser import BLOCK, DetailDenoiser
from vesalius.methods.volumes.recipe import VolumesRecipe
from vesalius.methods.volumes.scanner_noise import KINDS
from vesalius.networks.block_transform import BlockTransform
from vesalius.networks.bottleneck import Codebook, Gaussian
from vesalius.networks.latent_denoiser import SpadeLatentDenoiser
from vesalius.networks.volume_autoencoder import VolumeAutoencoder
from vesalius.networks.volume_denoiser import VolumeDenoiser
from vesalius.training.fingerprint import Fingerprint


class VolumesModel:
    """Autoencoder, denoiser of its codes and denoiser of what these lose, untrained."""

    def __init__(self, recipe: VolumesRecipe, fingerprint: Fingerprint) -> None:
        self.recipe, self.fingerprint = recipe, fingerprint
        self.schedule = SCHEDULES["cosine"]
        self.autoencoder = _autoencoder(recipe, len(fingerprint.channels))
        network = VolumeDenoiser(
            recipe.code_channels, self.code_shape, self.conditions, recipe.denoiser_widths,
            recipe.denoiser_blocks, recipe.attend_from,
            depth_axis=slice_axis(fingerprint.spacing_mm),
        )  # fmt: skip
        self.denoiser = (
            ComponentDenoiser(network, self.schedule, recipe.code_channels)
            if recipe.keep_shares else CodeDenoiser(network, self.schedule)
        )  # fmt: skip
        self.detail = None if recipe.detail_widths is None else self._detail(recipe.detail_widths)

    def _detail(self, widths: tuple[int, int]) -> DetailDenoiser:
        channels = len(self.fingerprint.channels)
        network = SpadeLatentDenoiser(
            channels * BLOCK**3, channels, BLOCK, widths, self.recipe.detail_blocks,
            KINDS * channels,
        )  # fmt: skip
        return DetailDenoiser(network, channels, self.schedule)

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

    @property
    def parts(self) -> dict[str, nn.Module]:
        """The networks by name, in the order in which they are fitted."""
        networks: dict[str, nn.Module] = {
            "autoencoder": self.autoencoder, "denoiser": self.denoiser
        }  # fmt: skip
        return networks if self.detail is None else networks | {"detail": self.detail}


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
