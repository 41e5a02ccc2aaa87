"""Settings of guided synthesis, and its presets."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from pydantic import Field

from vesalius.training.judges import JudgeRecipe
from vesalius.training.recipe import FitRecipe, Settings

LabelAutoencoderKind = Literal["shape_space", "deformation", "vae"]
ImageAutoencoderKind = Literal["blocks", "vae"]


class GuidedRecipe(Settings):
    """All settings of one fit of guided synthesis.

    Attributes:
        method: what this run is.
        preset: the name this recipe started from.
        seed: of the fit.
        attributes: that steer the label maps; what the cohort declares if there are none.
        spacing_mm: of the grid; the cohort's own if `None`.
        label_autoencoder: `shape_space`, `deformation` of one case, `vae`, or `auto`: above 600
            cases a VAE, else a deformation space if one case, warped, shows the others. Runs keep
            what was chosen; `auto` in one of an earlier version is a shape space, or a VAE.
        image_autoencoder: `blocks` of voxels, which lose nothing and need no training, `vae`, or
            `auto`, by which the plan decides.
        components: of the shape or deformation space.
        clip_voxels: beyond which distances in the shape space do not count.
        label_widths: channels of the label VAE, finest first.
        label_code_channels: of the label VAE's code.
        denoiser_width, denoiser_blocks, denoiser_dropout: of the denoiser in a shape space.
        unet_widths: channels of the denoiser of convolutional label codes.
        image_code_channels: of the image autoencoder's code.
        image_widths, image_blocks: of the image autoencoder.
        image_crop: side in voxels of the parts that the image autoencoder, or the denoiser of
            blocks, is fitted on, 0 for all.
        latent_widths, latent_blocks: of the SPADE latent denoiser.
        bias_degree: of the polynomials of the bias field that images are brought out of, and new
            ones into, where the denoiser learns from crops of voxels; 0 leaves it in them.
        label_kl_weight, image_kl_weight: of the codes' divergence from N(0, 1). A large weight on
            images leaves to the observation noise what the codes need not carry.
        image_judges: of what comes back from the image autoencoder beside its error, such as
            critics, which want the time of a GPU; none if `None`.
        schedule: of noise.
        drop_condition: share of training cases whose condition is dropped.
        guidance: scale of classifier-free guidance when label maps are generated.
        autoguidance: scale of guidance away from the image denoiser at an early step; 1 for none.
        early: share of the image denoiser's steps after which that is.
        label_steps, image_steps: of the sampler.
        held_out: share of the subjects kept for validation when the cohort names none.
    """

    unhashed: ClassVar[frozenset[str]] = frozenset({"method"})
    later: ClassVar[frozenset[str]] = frozenset(
        {"image_autoencoder", "image_judges", "autoguidance", "early", "bias_degree"}
    )

    method: Literal["guided"] = "guided"
    preset: str = "demo"
    seed: int = 0
    attributes: tuple[str, ...] = ()
    spacing_mm: float | None = None

    label_autoencoder: LabelAutoencoderKind | Literal["auto"] = "auto"
    image_autoencoder: ImageAutoencoderKind | Literal["auto"] = "vae"
    components: int = 96
    clip_voxels: float = 4.0
    label_widths: tuple[int, ...] = (16, 32, 32)
    label_code_channels: int = 4
    denoiser_width: int = 256
    denoiser_blocks: int = 3
    denoiser_dropout: float = 0.3
    unet_widths: tuple[int, ...] = (64, 128)
    image_code_channels: int = 6
    image_widths: tuple[int, int] = (32, 64)
    image_blocks: int = 1
    image_crop: int = 32
    latent_widths: tuple[int, int] = (32, 64)
    latent_blocks: int = 1
    bias_degree: int = 0
    label_kl_weight: float = 1e-4
    image_kl_weight: float = 0.005
    image_judges: JudgeRecipe | None = None
    schedule: Literal["cosine", "linear_beta", "linear_flow"] = "cosine"
    drop_condition: float = 0.1
    guidance: float = 1.0
    autoguidance: float = 1.0
    early: float = Field(default=0.5, gt=0, lt=1)
    label_steps: int = 20
    image_steps: int = 12
    held_out: float = 0.1

    fit_label_autoencoder: FitRecipe = FitRecipe(steps=400, batch_size=2)
    fit_label_denoiser: FitRecipe = FitRecipe(
        steps=300, batch_size=128, learning_rate=1e-3, weight_decay=1e-2, precision="32-true",
        validate_every=20,
    )  # fmt: skip
    fit_image_autoencoder: FitRecipe = FitRecipe(steps=2200, batch_size=4)
    fit_image_denoiser: FitRecipe = FitRecipe(steps=800, batch_size=8)

    def chosen_label_autoencoder(self, cases: int) -> LabelAutoencoderKind:
        """The kind of label autoencoder for a cohort of this size, unless one was asked for; a
        shape space stands for either linear one, until label maps have been looked at.

        >>> GuidedRecipe().chosen_label_autoencoder(200)
        'shape_space'
        >>> GuidedRecipe().chosen_label_autoencoder(5000)
        'vae'
        """
        if self.label_autoencoder != "auto":
            return self.label_autoencoder
        return "shape_space" if cases <= LARGEST_SHAPE_SPACE_COHORT else "vae"

    def chosen_image_autoencoder(self, shape: tuple[int, ...]) -> ImageAutoencoderKind:
        """The kind of image autoencoder for a grid of this shape, unless one was asked for.

        >>> demo = PRESETS["demo"]
        >>> [demo.chosen_image_autoencoder((side, side, side)) for side in (64, 192)]
        ['blocks', 'vae']
        """
        if self.image_autoencoder != "auto":
            return self.image_autoencoder
        return "blocks" if prod(shape) <= LARGEST_BLOCK_GRID else "vae"

    def grid_multiple(self, cases: int) -> int:
        """Of which each side of the grid is one: images are halved three times, label maps by the
        widths of the VAE and then of the denoiser of its codes.

        >>> GuidedRecipe().grid_multiple(200), PRESETS["published"].grid_multiple(200)
        (8, 16)
        """
        if self.chosen_label_autoencoder(cases) != "vae":
            return 8
        return max(8, 2 ** (len(self.label_widths) + len(self.unet_widths) - 2))


LARGEST_SHAPE_SPACE_COHORT = 600
"""Above it the Gram matrix of signed distances no longer fits a desktop, and a VAE has enough."""


LARGEST_BLOCK_GRID = 2**20
"""Voxels above which a denoiser of blocks takes long to sample: a brain at 2 mm is below."""


def _gpu_fit(steps: int, batch_size: int, learning_rate: float = 2e-4) -> FitRecipe:
    return FitRecipe(
        steps=steps, batch_size=batch_size, learning_rate=learning_rate, warmup_steps=500,
        moving_average=0.999,
    )  # fmt: skip


_CODE_FIT = FitRecipe(
    steps=5000, batch_size=256, learning_rate=5e-4, weight_decay=1e-2, precision="32-true",
    validate_every=100,
)  # fmt: skip

PRESETS: dict[str, GuidedRecipe] = {
    "smallest": GuidedRecipe(
        preset="smallest", label_autoencoder="deformation", image_autoencoder="auto", components=6,
        denoiser_width=16, denoiser_blocks=1,
        label_widths=(8, 8), unet_widths=(8, 8), image_code_channels=2, image_widths=(8, 8),
        image_blocks=1, image_crop=16, autoguidance=1.5, latent_widths=(8, 8), latent_blocks=1,
        bias_degree=2, label_steps=4, image_steps=2,
        fit_label_autoencoder=FitRecipe(steps=2, batch_size=1),
        fit_label_denoiser=FitRecipe(steps=4, batch_size=4, precision="32-true", validate_every=2),
        fit_image_autoencoder=FitRecipe(steps=3, batch_size=2),
        fit_image_denoiser=FitRecipe(steps=3, batch_size=2),
    ),
    "demo": GuidedRecipe(
        image_autoencoder="auto", latent_widths=(48, 96), latent_blocks=2, bias_degree=2,
        fit_image_denoiser=FitRecipe(steps=1200, batch_size=4),
    ),
    "workstation": GuidedRecipe(
        preset="workstation", spacing_mm=2.0, image_autoencoder="auto", components=192,
        image_code_channels=8, bias_degree=2,
        label_widths=(32, 64, 64), unet_widths=(128, 256, 256), image_widths=(48, 96),
        image_blocks=3, image_crop=64, image_judges=JudgeRecipe(critics_from=5000, critic_width=32),
        latent_widths=(128, 192), latent_blocks=3, guidance=1.5, label_steps=30, image_steps=20,
        fit_label_autoencoder=_gpu_fit(20_000, 4), fit_label_denoiser=_CODE_FIT,
        fit_image_autoencoder=_gpu_fit(30_000, 8),
        fit_image_denoiser=_gpu_fit(60_000, 8).changed(validate_every=2000),
    ),
    "published": GuidedRecipe(
        preset="published", spacing_mm=1.0, image_code_channels=8, label_autoencoder="vae",
        label_widths=(32, 64, 128), unet_widths=(192, 384, 512), image_widths=(64, 128),
        image_blocks=3, image_crop=96,
        image_judges=JudgeRecipe(critics_from=10_000, critic_width=64),
        latent_widths=(192, 320), latent_blocks=4, guidance=1.5, label_steps=50, image_steps=50,
        fit_label_autoencoder=_gpu_fit(100_000, 4),
        fit_label_denoiser=_gpu_fit(120_000, 8).changed(validate_every=5000),
        fit_image_autoencoder=_gpu_fit(200_000, 8),
        fit_image_denoiser=_gpu_fit(200_000, 8).changed(validate_every=5000),
    ),
}  # fmt: skip
"""`smallest` for tests, `demo` for CPU minutes, `workstation` for a GPU at 2 mm, `published`."""
