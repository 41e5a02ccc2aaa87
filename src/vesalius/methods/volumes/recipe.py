"""Settings of whole volumes, and their presets."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from vesalius.training.judges import JudgeRecipe
from vesalius.training.recipe import FitRecipe, Settings, once_called

Kind = Literal["codebook", "gaussian", "components"]
Sampler = Literal["ddpm", "ddim", "dpm_solver_2m", "heun"]

WIDER = 4
"""Components for each channel of a learnt code, where no detail is added to what they lose."""

STEPS_FOR_ONE = 0.75
"""Steps of the denoiser in the time of one of the autoencoder, as the plan has them for volumes of
64 × 64 × 32 voxels and batches of one size."""


class VolumesRecipe(Settings):
    """All settings of one fit of whole volumes.

    Attributes:
        method: what this run is.
        preset: the name this recipe started from.
        seed: of the fit.
        attributes: that volumes may be asked for; none for volumes as they come.
        spacing_mm: of the grid; the cohort's own if `None`.
        mirror: learn from volumes exchanged left to right as well, as suits anatomy without sides.
        bottleneck: `codebook` for a VQ-GAN, `gaussian` for a KL autoencoder by the same recipe,
            `components` for the principal components of blocks, which are not trained.
        keep_shares: let each component count as much as it does in the volume, coarse ones most,
            rather than whiten them. Only for components.
        downsampling: of the code against the volume, powers of two.
        code_channels: of the code.
        codes: in the codebook.
        widths, blocks: of the autoencoder, finest first.
        crop: sides in voxels of the parts the autoencoder is fitted on, 0 for all of an axis.
        critic_width, critic_levels: of both critics.
        critics_from: step at which the critics set in.
        perceptual: network that compares slices: `lite0`, `none`, or a path to a ResNet-50 or an
            Inception v3 in safetensors.
        absolute_weight, perceptual_weight, adversarial_weight, feature_weight: of the terms of the
            autoencoder's loss; errors are taken on intensities in [-1, 1].
        kl_weight: of the Gaussian bottleneck.
        least_psnr, least_ssim: of held-out volumes that came back from the autoencoder; below
            either, diffusion does not start.
        noise_texture: put back the scanner's noise that no code carries, where detail does not.
        detail_widths, detail_blocks: of the network that adds what the code has lost, given what
            it decodes to; without widths there is none.
        detail_crop: side in voxels of the parts it is fitted on, 0 for whole volumes.
        detail_steps: of its sampler.
        denoiser_widths, denoiser_blocks, attend_from: of the denoiser.
        drop_condition: share of training cases whose condition is dropped.
        guidance: scale of classifier-free guidance.
        autoguidance: scale of guidance away from the denoiser at an early step; 1 for none.
        early: share of the denoiser's steps after which that is.
        sampler: `ddpm` is ancestral, as published with 300 steps.
        sampler_steps: of it.
        held_out: share of the subjects kept for validation when the cohort names none.
    """

    later: ClassVar[frozenset[str]] = frozenset(
        {
            "mirror", "keep_shares", "detail_widths", "detail_blocks", "detail_crop",
            "detail_steps", "fit_detail", "autoguidance", "early",
        }
    )  # fmt: skip

    method: Literal["volumes"] = "volumes"
    preset: str = "demo"
    seed: int = 0
    attributes: tuple[str, ...] = ()
    spacing_mm: float | None = None
    mirror: bool = False

    bottleneck: Kind = "codebook"
    keep_shares: bool = False
    downsampling: tuple[int, int, int] = (4, 4, 4)
    code_channels: int = 8
    codes: int = 2048
    widths: tuple[int, ...] = (32, 64)
    blocks: int = 1
    crop: tuple[int, int, int] = (32, 32, 32)
    critic_width: int = 16
    critic_levels: int = 3
    critics_from: int = 800
    perceptual: str = "lite0"
    absolute_weight: float = 4.0
    perceptual_weight: float = 4.0
    adversarial_weight: float = 0.1
    feature_weight: float = 0.5
    kl_weight: float = 1e-4
    least_psnr: float = 20.0
    least_ssim: float = 0.6
    noise_texture: bool = once_called("grain", "noise_texture", True)

    detail_widths: tuple[int, int] | None = None
    detail_blocks: int = 1
    detail_crop: int = 32
    detail_steps: int = 12

    denoiser_widths: tuple[int, ...] = (64, 128, 128)
    denoiser_blocks: int = 1
    attend_from: int = 1
    drop_condition: float = Field(default=0.1, ge=0, le=1)
    guidance: float = 1.0
    autoguidance: float = 1.0
    early: float = Field(default=0.5, gt=0, lt=1)
    sampler: Sampler = "dpm_solver_2m"
    sampler_steps: int = 30
    held_out: float = 0.1

    fit_autoencoder: FitRecipe = FitRecipe(
        steps=1000, batch_size=8, learning_rate=2e-3, betas=(0.5, 0.9), moving_average=0.98
    )
    fit_denoiser: FitRecipe = FitRecipe(steps=900, batch_size=8, learning_rate=1e-3)
    fit_detail: FitRecipe = FitRecipe(steps=600, batch_size=4, learning_rate=1e-3)

    @property
    def judges(self) -> JudgeRecipe:
        """Of what comes back from the autoencoder."""
        return JudgeRecipe(
            perceptual_weight=self.perceptual_weight, adversarial_weight=self.adversarial_weight,
            feature_weight=self.feature_weight, critics_from=self.critics_from,
            critic_width=self.critic_width, critic_levels=self.critic_levels,
        )  # fmt: skip


def with_codes(recipe: VolumesRecipe, kind: Kind) -> VolumesRecipe:
    """A recipe with codes of another kind, in about the same time.

    Components need no fit, so the denoiser takes the time of the autoencoder as well; and more of
    them, since they know nothing beyond their block, unless detail is added to them.

    >>> there = with_codes(VolumesRecipe(), "components")
    >>> there.code_channels, there.fit_denoiser.steps
    (32, 1650)
    >>> with_codes(there, "codebook") == VolumesRecipe()
    True
    >>> with_codes(VolumesRecipe(detail_widths=(48, 96)), "components").code_channels
    8
    """
    if (kind == "components") == (recipe.bottleneck == "components"):
        return recipe.changed(bottleneck=kind)
    fit, autoencoder = recipe.fit_denoiser, recipe.fit_autoencoder
    alike = autoencoder.batch_size / fit.batch_size
    extra = round(STEPS_FOR_ONE * alike * autoencoder.steps)
    wider = WIDER if recipe.detail_widths is None else 1
    channels, steps = recipe.code_channels // wider, fit.steps - extra
    if kind == "components":
        channels, steps = recipe.code_channels * wider, fit.steps + extra
    return recipe.changed(
        bottleneck=kind,
        keep_shares=kind == "components",
        code_channels=channels,
        fit_denoiser=fit.changed(steps=steps),
    )


def _published(
    preset: str, downsampling: tuple[int, int, int], widths: tuple[int, ...]
) -> VolumesRecipe:
    """What Khader et al. 2023 released, at the size of one of their data sets.

    Theirs: 16 channels doubling, 8 code channels, 16,384 codes, weights, critics from step 10,000,
    Adam at 3e-4 and two volumes a step; 300 steps of noise, multipliers 1, 2, 4, 8, Adam at 1e-4
    and an average of 0.995. Ours: the numbers of steps, the width of the denoiser, and a decoder
    that folds; noise is predicted in the preconditioned form of this house.
    """
    return VolumesRecipe(
        preset=preset, downsampling=downsampling, widths=widths, blocks=1, codes=16_384,
        crop=(0, 0, 0), critic_width=64, critics_from=10_000, adversarial_weight=1.0,
        feature_weight=4.0, noise_texture=False, attend_from=0, denoiser_widths=(64, 128, 256, 512),
        denoiser_blocks=2, sampler="ddpm", sampler_steps=300,
        fit_autoencoder=FitRecipe(
            steps=100_000, batch_size=2, learning_rate=3e-4, betas=(0.5, 0.9), warmup_steps=500,
            moving_average=0.999, precision="32-true",
        ),
        fit_denoiser=FitRecipe(
            steps=150_000, batch_size=8, learning_rate=1e-4, warmup_steps=500,
            moving_average=0.995, validate_every=5000,
        ),
    )  # fmt: skip


PRESETS: dict[str, VolumesRecipe] = {
    "smallest": VolumesRecipe(
        preset="smallest", code_channels=4, codes=16, widths=(8, 8), critic_width=4,
        critic_levels=1, critics_from=2, perceptual="none", least_psnr=0.0, least_ssim=-1.0,
        detail_widths=(8, 8), detail_crop=16, detail_steps=2, denoiser_widths=(8, 8),
        autoguidance=1.5,
        sampler_steps=2,
        fit_autoencoder=FitRecipe(steps=4, batch_size=2, betas=(0.5, 0.9)),
        fit_denoiser=FitRecipe(steps=4, batch_size=2),
        fit_detail=FitRecipe(steps=4, batch_size=2),
    ),
    "demo": VolumesRecipe(
        bottleneck="components", keep_shares=True, detail_widths=(48, 96), adversarial_weight=0.0,
        autoguidance=1.5, fit_denoiser=FitRecipe(steps=4000, batch_size=4, learning_rate=1e-3),
    ),
    "workstation": VolumesRecipe(
        preset="workstation", codes=8192, widths=(48, 96), blocks=2, crop=(64, 64, 64),
        critic_width=32, critics_from=5000, adversarial_weight=0.5,
        denoiser_widths=(128, 256, 384), denoiser_blocks=2,
        fit_autoencoder=FitRecipe(
            steps=40_000, batch_size=4, learning_rate=5e-4, betas=(0.5, 0.9), warmup_steps=500,
            moving_average=0.999,
        ),
        fit_denoiser=FitRecipe(
            steps=60_000, batch_size=16, learning_rate=2e-4, warmup_steps=500,
            moving_average=0.999, validate_every=2000,
        ),
    ),
    "knee_mri": _published("knee_mri", (8, 8, 4), (32, 64, 128)),
    "breast_mri": _published("breast_mri", (8, 8, 4), (32, 64, 128)),
    "brain_mri": _published("brain_mri", (4, 4, 4), (32, 64)),
    "chest_ct": _published("chest_ct", (4, 4, 4), (32, 64)),
}  # fmt: skip
"""`smallest` for tests, `demo` for CPU minutes, `workstation` for one GPU, and four published."""

PUBLISHED_SHAPES = {
    "knee_mri": (256, 256, 32),
    "breast_mri": (256, 256, 32),
    "brain_mri": (64, 64, 64),
    "chest_ct": (128, 128, 128),
}
"""Voxels of a volume in the four data sets of Khader et al. 2023."""
