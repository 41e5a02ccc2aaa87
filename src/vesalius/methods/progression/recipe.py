"""Settings of everything that is fitted for progression, and presets."""

from __future__ import annotations

from typing import ClassVar, Literal

from vesalius.training.recipe import FitRecipe, Settings, once_called


class StyleRecipe(Settings):
    """Settings of the generator.

    Attributes:
        widths: channels of the generator at 4², 8² and so on; they give the side of pictures.
        critic: what it judges: `pixels`, as published, or `features` of a frozen network, which
            brings textured pictures in far fewer steps.
        critic_widths: of a critic of pixels.
        noise, style, mapping_layers: lengths of noise and styles, and layers between them.
        mixing: share of pictures whose styles are those of two draws.
        r1, r1_every: weight of the gradient of a critic of pixels, and steps between looks at it.
        path_weight, path_every: of the path length.
        adaptation_images: after which the probability of augmentation may have risen to 1.
        fit: of generator and critic.
    """

    widths: tuple[int, ...] = (96, 96, 96, 64, 32)
    critic: Literal["pixels", "features"] = "pixels"
    critic_widths: tuple[int, ...] = (96, 96, 64, 32, 16)
    noise: int = 64
    style: int = 64
    mapping_layers: int = 4
    mixing: float = 0.5
    r1: float = 0.1
    r1_every: int = 16
    path_weight: float = 2.0
    path_every: int = 8
    adaptation_images: int = 50_000
    fit: FitRecipe = FitRecipe(
        steps=2000, batch_size=32, learning_rate=2.5e-3, weight_decay=0.0, moving_average=0.995,
        betas=(0.0, 0.99), gradient_clip=1e3, precision="32-true", warmup_steps=20,
    )  # fmt: skip


class EvaluatorRecipe(Settings):
    """Settings of a network that reads attributes.

    Attributes:
        width: channels of its first stage.
        shift: largest shift of a picture as augmentation, in pixels.
        fit: of the network.
    """

    width: int = 16
    shift: int = 3
    fit: FitRecipe = FitRecipe(
        steps=600, batch_size=32, learning_rate=2e-3, weight_decay=1e-3, moving_average=0.99,
        precision="32-true", validate_every=100,
    )  # fmt: skip


FORECAST = EvaluatorRecipe(
    shift=4,
    fit=FitRecipe(
        steps=500, batch_size=32, learning_rate=2e-3, weight_decay=3e-2, moving_average=0.99,
        precision="32-true", validate_every=50,
    ),
)  # fmt: skip
"""Of a network that predicts: there are far fewer trajectories than pictures."""


class EncoderRecipe(Settings):
    """Settings of the encoder.

    Attributes:
        width: channels of its first stage.
        styles_weight: of known styles against similarity.
        fit: of the network.
    """

    width: int = 16
    styles_weight: float = 0.1
    fit: FitRecipe = FitRecipe(
        steps=1000, batch_size=16, learning_rate=2e-3, weight_decay=1e-4, moving_average=0.99,
        precision="32-true",
    )  # fmt: skip


class ProjectionRecipe(Settings):
    """How styles are looked for.

    Attributes:
        steps: of Adam.
        rate: highest learning rate, of styles in their spread.
        prior: weight that keeps styles near the mean.
        batch: pictures at once.
    """

    steps: int
    rate: float
    prior: float = 0.0
    batch: int = 32


PUBLISHED_PROJECTION = ProjectionRecipe(steps=1000, rate=0.1)
REFINEMENT = ProjectionRecipe(steps=14, rate=0.05)
"""After an encoder."""


class DiffusionRecipe(Settings):
    """Settings of the second generator.

    Attributes:
        code_channels, widths, kl_weight: of the autoencoder, at half and quarter resolution.
        denoiser_widths: at each resolution of the code.
        steps: of the solver.
        autoencoder_fit, denoiser_fit: of both networks.
    """

    code_channels: int = 4
    widths: tuple[int, int] = (32, 64)
    kl_weight: float = 1e-4
    denoiser_widths: tuple[int, ...] = (64, 96, 128)
    steps: int = 12
    autoencoder_fit: FitRecipe = FitRecipe(
        steps=400, batch_size=16, learning_rate=2e-3, moving_average=0.99, precision="32-true"
    )
    denoiser_fit: FitRecipe = FitRecipe(
        steps=800, batch_size=32, learning_rate=2e-3, moving_average=0.99, precision="32-true"
    )


class PictureDetailRecipe(Settings):
    """Settings of the fine stage.

    Attributes:
        widths: of its denoiser, at each resolution of blocks of pixels.
        steps: of the solver.
        fit: of the denoiser.
    """

    widths: tuple[int, ...] = (48, 96, 128)
    steps: int = 12
    fit: FitRecipe = FitRecipe(steps=1500, batch_size=16, learning_rate=1e-3, moving_average=0.99)


class ProgressionRecipe(Settings):
    """Settings of a progression run.

    Attributes:
        method: what this run is.
        preset: the name this recipe started from.
        seed: of every fit and split.
        held_out: share of the patients kept for choosing metric and K.
        attributes: that are read off pictures.
        generator, evaluator, forecast, encoder: see there.
        folds: networks that predict, each fitted without a share of the patients.
        refinement: steps after the encoder.
        inner, readings: weights of a reader's inner maps and readings in a projection.
        neighbours: numbers K that are tried.
        generated: outcomes of a patient that are generated, evenly out of those of K neighbours.
        all_visits: fit trajectories over all visits, not over first and last alone.
        diffusion: the second generator, if there is to be one.
        detail: the fine stage of generated pictures, if there is to be one.
    """

    later: ClassVar[frozenset[str]] = frozenset({"detail"})

    method: str = "progression"
    preset: str = "demo"
    seed: int = 0
    held_out: float = 0.2
    attributes: tuple[str, ...] = ("joint_space_mm_medial", "joint_space_mm_lateral")
    generator: StyleRecipe = StyleRecipe()
    evaluator: EvaluatorRecipe = once_called("reader", "evaluator", EvaluatorRecipe())
    forecast: EvaluatorRecipe = FORECAST
    folds: int = 4
    encoder: EncoderRecipe = EncoderRecipe()
    refinement: ProjectionRecipe = REFINEMENT
    inner: float = 1.0
    readings: float = 0.3
    neighbours: tuple[int, ...] = (1, 20, 100)
    generated: int = once_called("drawn", "generated", 8)
    all_visits: bool = True
    diffusion: DiffusionRecipe | None = DiffusionRecipe()
    detail: PictureDetailRecipe | None = None

    @property
    def side(self) -> int:
        """Pixels along each side of a picture."""
        return 4 * 2 ** (len(self.generator.widths) - 1)


def _steps(recipe: FitRecipe, steps: int, batch_size: int) -> FitRecipe:
    return recipe.changed(steps=steps, batch_size=batch_size)


_FULL = (512, 512, 512, 512, 256, 128, 64)
PRESETS = {
    "smallest": ProgressionRecipe(
        preset="smallest",
        generator=StyleRecipe(
            widths=(8, 8, 8), critic="features", critic_widths=(8, 8, 8), noise=8, style=8,
            mapping_layers=2, fit=_steps(StyleRecipe().fit, 3, 4),
        ),
        evaluator=EvaluatorRecipe(width=4, fit=_steps(EvaluatorRecipe().fit, 3, 4)),
        forecast=EvaluatorRecipe(width=4, fit=_steps(FORECAST.fit, 3, 4)),
        encoder=EncoderRecipe(width=4, fit=_steps(EncoderRecipe().fit, 3, 4)),
        refinement=REFINEMENT.changed(steps=2), neighbours=(1, 3), generated=4,
        folds=3,
        diffusion=DiffusionRecipe(
            widths=(8, 8), denoiser_widths=(8, 16), steps=2,
            autoencoder_fit=_steps(DiffusionRecipe().autoencoder_fit, 2, 4),
            denoiser_fit=_steps(DiffusionRecipe().denoiser_fit, 2, 4),
        ),
        detail=PictureDetailRecipe(
            widths=(8, 8), steps=2, fit=_steps(PictureDetailRecipe().fit, 2, 4)
        ),
    ),
    "demo": ProgressionRecipe(
        generator=StyleRecipe(critic="features", fit=_steps(StyleRecipe().fit, 1400, 16)),
        evaluator=EvaluatorRecipe(fit=_steps(EvaluatorRecipe().fit, 400, 32)),
        forecast=FORECAST.changed(fit=_steps(FORECAST.fit, 300, 32)),
        encoder=EncoderRecipe(fit=_steps(EncoderRecipe().fit, 350, 16)),
        diffusion=DiffusionRecipe(
            autoencoder_fit=_steps(DiffusionRecipe().autoencoder_fit, 75, 16),
            denoiser_fit=_steps(DiffusionRecipe().denoiser_fit, 100, 32),
        ),
        detail=PictureDetailRecipe(),
    ),
    "study": ProgressionRecipe(
        preset="study",
        detail=PictureDetailRecipe(fit=_steps(PictureDetailRecipe().fit, 4000, 16)),
    ),
    "published": ProgressionRecipe(
        preset="published",
        generator=StyleRecipe(
            widths=_FULL, critic_widths=_FULL, noise=512, style=512, mapping_layers=8, mixing=0.9,
            r1=0.41, path_every=4, adaptation_images=500_000,
            fit=_steps(StyleRecipe().fit, 780_000, 32),
        ),
        evaluator=EvaluatorRecipe(width=64, shift=8, fit=_steps(EvaluatorRecipe().fit, 20_000, 32)),
        forecast=EvaluatorRecipe(width=64, shift=8, fit=_steps(FORECAST.fit, 10_000, 32)),
        encoder=EncoderRecipe(width=64, fit=_steps(EncoderRecipe().fit, 50_000, 32)),
        diffusion=DiffusionRecipe(
            code_channels=8, widths=(64, 128), denoiser_widths=(128, 256, 384), steps=30,
            autoencoder_fit=_steps(DiffusionRecipe().autoencoder_fit, 50_000, 32),
            denoiser_fit=_steps(DiffusionRecipe().denoiser_fit, 200_000, 64),
        ),
        detail=PictureDetailRecipe(
            widths=(64, 128, 256, 256), steps=30,
            fit=_steps(PictureDetailRecipe().fit, 100_000, 32),
        ),
    ),
}  # fmt: skip
"""`demo` for CPU minutes and `study` for an hour at 64², `published` at 256² on GPUs (25 million
pictures)."""
