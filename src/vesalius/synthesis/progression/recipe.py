"""Settings of everything that is fitted for progression, and presets."""

from __future__ import annotations

from vesalius.training.recipe import FitRecipe, Settings


class StyleRecipe(Settings):
    """Settings of the generator.

    Attributes:
        widths: channels of the generator at 4², 8² and so on; they give the side of pictures.
        critic_widths: of its critic.
        noise, style, mapping_layers: lengths of noise and styles, and layers between them.
        mixing: share of pictures whose styles are those of two draws.
        r1, r1_every: weight of the critic's gradient, and steps between looks at it.
        path_weight, path_every: of the path length.
        adaptation_images: after which the probability of augmentation may have risen to 1.
        fit: of generator and critic.
    """

    widths: tuple[int, ...] = (96, 96, 96, 64, 48)
    critic_widths: tuple[int, ...] = (96, 96, 64, 48, 32)
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


class ReaderRecipe(Settings):
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


class EncoderRecipe(Settings):
    """Settings of the encoder.

    Attributes:
        width: channels of its first stage.
        styles_weight: of known styles against likeness.
        fit: of the network.
    """

    width: int = 16
    styles_weight: float = 0.1
    fit: FitRecipe = FitRecipe(
        steps=800, batch_size=16, learning_rate=2e-3, weight_decay=1e-4, moving_average=0.99,
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
