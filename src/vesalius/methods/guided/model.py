"""The four networks of guided synthesis, built from a recipe and a fingerprint."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vesalius.diffusion.denoiser import Denoiser
from vesalius.diffusion.preconditioning import output_std
from vesalius.diffusion.schedules import SCHEDULES, Schedule, against
from vesalius.methods.guided.appearance import BESIDE_LABELS
from vesalius.methods.guided.bias_field import field_powers
from vesalius.methods.guided.image_denoiser import BlockDenoiser, ImageDenoiser
from vesalius.methods.guided.recipe import GuidedRecipe
from vesalius.networks.appearance import Appearance
from vesalius.networks.block_transform import BlockTransform
from vesalius.networks.code_denoiser import CodeDenoiser
from vesalius.networks.deformation_space import DeformationSpace
from vesalius.networks.gaussian_prior import GaussianPrior
from vesalius.networks.image_autoencoder import ImageAutoencoder
from vesalius.networks.label_autoencoder import LabelAutoencoder
from vesalius.networks.label_unet import LabelUNet
from vesalius.networks.label_vae import LabelVae
from vesalius.networks.latent_denoiser import SpadeLatentDenoiser
from vesalius.networks.shape_space import ShapeSpace
from vesalius.training.fingerprint import AttributeRange, Fingerprint

BLOCK = 2
"""Voxels along each side of a block, none of which is lost."""

PARTS = ("label_autoencoder", "label_denoiser", "image_autoencoder", "image_denoiser")


def condition_of(
    values: Sequence[Sequence[float]], attributes: Sequence[AttributeRange]
) -> Tensor:  # fmt: skip
    """Attribute values `(B, A)` in their own units as condition vectors `(B, A + 1)`.

    The last entry is 1: there is a condition. `null_condition` has 0 throughout.

    >>> known = AttributeRange(name="x_volume_ml", measure="volume_ml", labels=("x",), low=0,
    ...                        high=100, mean=5.0, sd=1.0)
    >>> condition_of([[25.0], [36.0]], [known]).tolist()
    [[0.0, 1.0], [1.0, 1.0]]
    """
    rows = [
        [
            *(
                attribute_range.standardised(v)
                for attribute_range, v in zip(attributes, row, strict=True)
            ),
            1.0,
        ]
        for row in values
    ]
    return torch.tensor(rows, dtype=torch.float32)


class LabelDenoiser(Denoiser):
    """Guesses clean label codes, told attributes.

    In a linear space the exact answer for normally distributed codes comes first, and the network
    adds to it; on convolutional codes the network works alone, on codes scaled to unit SD.

    Attributes:
        joined: whether the network adds anything; if not, the normal distribution stands alone.
    """

    def __init__(
        self, network: nn.Module, prior: GaussianPrior | None, schedule: Schedule
    ) -> None:  # fmt: skip
        super().__init__(network, schedule)
        self.prior, self.joined = prior, True
        self.register_buffer("code_mean", torch.zeros(()))
        self.register_buffer("code_scale", torch.ones(()))
        self.code_mean: Tensor
        self.code_scale: Tensor

    def first_guess(self, x: Tensor, level: Tensor, *given: Tensor) -> Tensor:
        if self.prior is None:
            return super().first_guess(x, level)
        level = against(level, x)
        alpha, sigma = self.schedule.alpha(level), self.schedule.sigma(level)
        return self.prior.denoise(x, alpha, sigma, *given)

    def output(self, x: Tensor, level: Tensor, *given: Tensor) -> Tensor:
        return super().output(x, level, *given) if self.joined else torch.zeros_like(x)

    def wanted(
        self, clean: Tensor, noise: Tensor, x: Tensor, level: Tensor, *given: Tensor
    ) -> Tensor:  # fmt: skip
        missing = clean - self.first_guess(x, level, *given)
        return missing / output_std(level, x, self.schedule)


class GuidedModel:
    """The parts by name, untrained.

    >>> from vesalius.methods.guided.recipe import PRESETS
    >>> known = AttributeRange(name="x_volume_ml", measure="volume_ml", labels=("x",), low=0,
    ...                        high=100, mean=5.0, sd=1.0)
    >>> fingerprint = Fingerprint(
    ...     cases=9, subjects=9, channels=("T1",), labels={"background": 0, "x": 1}, origin="",
    ...     shape=(16, 16, 16), spacing_mm=(4.0, 4.0, 4.0), affine=((4.0, 0, 0, 0), (0, 4.0, 0, 0),
    ...     (0, 0, 4.0, 0), (0, 0, 0, 1)), orientation="RAS", intensity_low=(0.0,),
    ...     intensity_high=(1.0,), intensity_bounds=((0.0, 1.0),), attributes=(known,), content="")
    >>> GuidedModel(PRESETS["smallest"], fingerprint).kind
    'deformation'
    """

    def __init__(self, recipe: GuidedRecipe, fingerprint: Fingerprint) -> None:
        labels, shape = len(fingerprint.labels), fingerprint.shape
        conditions = len(fingerprint.attributes) + 1
        self.recipe, self.fingerprint = recipe, fingerprint
        self.schedule = SCHEDULES[recipe.schedule]
        self.kind = recipe.chosen_label_autoencoder(fingerprint.cases)
        self.label_autoencoder: LabelAutoencoder
        if self.kind != "vae":
            size = min(recipe.components, fingerprint.cases - 1)
            if self.kind == "deformation":
                self.label_autoencoder = DeformationSpace(labels, shape, size)
            else:
                self.label_autoencoder = ShapeSpace(labels, shape, size, recipe.clip_voxels)
            coder: nn.Module = CodeDenoiser(
                size, conditions, recipe.denoiser_width, recipe.denoiser_blocks,
                recipe.denoiser_dropout,
            )  # fmt: skip
            prior = GaussianPrior(size, len(fingerprint.attributes))
            self.label_denoiser = LabelDenoiser(coder, prior, self.schedule)
        else:
            self.label_autoencoder = LabelVae(
                labels, shape, recipe.label_widths, recipe.label_code_channels
            )
            coder = LabelUNet(recipe.label_code_channels, conditions, recipe.unet_widths)
            self.label_denoiser = LabelDenoiser(coder, None, self.schedule)
        self.image_autoencoder = self._image_autoencoder()
        sizes = (recipe.latent_widths, recipe.latent_blocks)
        code = self.image_code_channels
        if isinstance(self.image_autoencoder, BlockTransform):
            size = len(fingerprint.channels) * (labels + BESIDE_LABELS)
            network = SpadeLatentDenoiser(code, labels, self.coarseness, *sizes, size)
            terms = len(fingerprint.channels) * len(field_powers(recipe.bias_degree))
            self.image_denoiser: ImageDenoiser = BlockDenoiser(
                network, code, self.schedule, Appearance(size), len(fingerprint.channels),
                Appearance(terms) if terms else None,
            )  # fmt: skip
        else:
            network = SpadeLatentDenoiser(code, labels, self.coarseness, *sizes)
            self.image_denoiser = ImageDenoiser(network, code, self.schedule)

    def _image_autoencoder(self) -> ImageAutoencoder | BlockTransform:
        recipe, channels = self.recipe, len(self.fingerprint.channels)
        if recipe.chosen_image_autoencoder(self.fingerprint.shape) == "blocks":
            return BlockTransform(channels, channels * BLOCK**3, (BLOCK, BLOCK, BLOCK))
        return ImageAutoencoder(
            channels, len(self.fingerprint.labels), recipe.image_code_channels,
            recipe.image_widths, recipe.image_blocks,
        )  # fmt: skip

    @property
    def coarseness(self) -> int:
        """Of image codes against images."""
        blocks = isinstance(self.image_autoencoder, BlockTransform)
        return BLOCK if blocks else ImageAutoencoder.coarseness

    @property
    def image_code_channels(self) -> int:
        """Of image codes."""
        if isinstance(self.image_autoencoder, BlockTransform):
            return len(self.image_autoencoder.std)
        return self.image_autoencoder.code_channels

    def decoded(self, code: Tensor, label_map: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean of every voxel `(B, C, D, H, W)` and its SD, which blocks have not.

        Args:
            code: of images.
            label_map: whole numbers from 0 `(B, D, H, W)`.
        """
        if isinstance(self.image_autoencoder, BlockTransform):
            return self.image_autoencoder.decode(code), None
        return self.image_autoencoder.decode_in_tiles(code, label_map)

    def part(self, name: str) -> nn.Module:
        """One of `PARTS` as a module."""
        module: nn.Module = getattr(self, name)
        return module
