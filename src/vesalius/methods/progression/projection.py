"""From a picture to the style that draws it: by optimisation as published, or by an encoder.

Optimisation starts from the mean style and takes a thousand steps (Karras et al. 2020, "Analyzing
and improving the image quality of StyleGAN", appendix D; Han et al. 2021); an encoder starts near
the end and takes a few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.methods.progression.projection_loss import ProjectionLoss
from vesalius.methods.progression.recipe import EncoderRecipe, ProjectionRecipe
from vesalius.networks.classifier import residual_classifier
from vesalius.networks.style_generator import StyleGenerator
from vesalius.scans.arrays import filled
from vesalius.scans.progress import Progress, no_progress
from vesalius.training.objective import Batch, Objective

GENERATED_AT_ONCE = 512
"""Pictures, where all of a cohort are generated."""


class StyleEncoder(nn.Module):
    """Pictures `(B, C, S, S)` in [-1, 1] to styles `(B, W)`.

    Args:
        channels: of the pictures.
        generator: whose styles are meant; their mean and SD scale what comes out.
        recipe: width.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int, generator: StyleGenerator, recipe: EncoderRecipe) -> None:
        super().__init__()
        mean, std = style_std(generator)
        self.network = residual_classifier(channels, len(mean), 2, 10, recipe.width, "fine")
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def learn_scale(self, generator: StyleGenerator) -> None:
        """Take mean and SD from the styles of a fitted generator."""
        for own, result in zip((self.mean, self.std), style_std(generator), strict=True):
            own.copy_(result)

    def forward(self, pictures: Tensor) -> Tensor:
        result: Tensor = self.network(pictures) * self.std + self.mean
        return result


class EncoderObjective(Objective):
    """Styles of generated pictures, which are known, and similarity of real ones when generated
    again.

    Args:
        encoder: to fit.
        images: real pictures `(N, C, S, S)` in [0, 1].
        generator: fitted; its weights are held.
        projection_loss: of generated and real ones.
        recipe: settings.
    """

    def __init__(
        self, encoder: StyleEncoder, images: np.ndarray, generator: StyleGenerator,
        projection_loss: ProjectionLoss, recipe: EncoderRecipe,
    ) -> None:  # fmt: skip
        super().__init__()
        self.images, self.recipe = images, recipe
        self.generator = generator.requires_grad_(False)
        self.projection_loss = projection_loss
        self.encoder = encoder

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        return torch.from_numpy(self.images[rows.tolist()].astype(np.float32)) * 2 - 1

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        self.generator.eval()
        self.projection_loss.eval()
        real = batch
        noise = torch.randn(len(real), self.generator.mapping.noise, generator=rng).to(real.device)
        with torch.no_grad():
            known = self.generator.mapping(noise)
            generated = self.generator(known, rng)
            target_features = self.projection_loss.of(real)
        result = self.encoder(torch.cat([generated, real]))
        of_generated, of_real = result.chunk(2)
        gap = ((of_generated - known) / self.encoder.std).square().mean()
        again = self.projection_loss(self.generator(of_real), target_features).mean()
        return self.recipe.styles_weight * gap + again


@dataclass(frozen=True)
class Projected:
    """Styles of pictures, and how far what they draw is from them.

    Attributes:
        styles: `(N, W)`.
        difference: by the similarity that was minimised, `(N,)`.
        pixels: root of the mean square difference of pictures in [0, 1], `(N,)`.
    """

    styles: np.ndarray
    difference: np.ndarray
    pixels: np.ndarray


def project(
    images: np.ndarray,
    generator: StyleGenerator,
    projection_loss: ProjectionLoss,
    recipe: ProjectionRecipe,
    encoder: StyleEncoder | None = None,
    progress: Progress = no_progress,
) -> Projected:
    """Find the styles of pictures.

    Args:
        images: `(N, C, S, S)` in [0, 1].
        generator: fitted.
        projection_loss: that is maximised.
        recipe: steps, rate and batch.
        encoder: to start from; the mean style without it.
        progress: called after each batch.
    """
    generator.eval().requires_grad_(False)
    mean, std = (encoder.mean, encoder.std) if encoder is not None else style_std(generator)
    parts = np.array_split(images, max(1, -(-len(images) // recipe.batch)))
    result: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for number, part in enumerate(parts, 1):
        real = torch.from_numpy(part.astype(np.float32)).to(mean.device) * 2 - 1
        with torch.no_grad():
            target_features = projection_loss.of(real)
            start = encoder.eval()(real) if encoder is not None else mean.expand(len(real), -1)
        moved = ((start - mean) / std).clone().requires_grad_(True)
        optimizer = torch.optim.Adam([moved], lr=recipe.rate, betas=(0.9, 0.999))
        for step in range(recipe.steps):
            optimizer.param_groups[0]["lr"] = recipe.rate * _rate(step / recipe.steps)
            optimizer.zero_grad()
            generated = generator(mean + std * moved)
            loss = (
                projection_loss(generated, target_features).sum()
                + recipe.prior * moved.square().mean(dim=1).sum()
            )
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            styles = mean + std * moved
            generated = generator(styles)
            difference = projection_loss(generated, target_features)
            pixels = ((generated - real) / 2).square().mean(dim=(1, 2, 3)).sqrt()
        result.append((styles.cpu().numpy(), difference.cpu().numpy(), pixels.cpu().numpy()))
        progress("projecting pictures", number, len(parts))
    return Projected(*(np.concatenate(one) for one in zip(*result, strict=True)))


@torch.no_grad()
def draw_styles(
    generator: StyleGenerator,
    styles: np.ndarray,
    batch: int = 128,
    rng: torch.Generator | None = None,
) -> np.ndarray:
    """Pictures `(N, C, S, S)` in [0, 1] of styles `(N, W)`; without chance they have no noise."""
    generator.eval()
    device = generator.mapping.mean.device
    parts = np.array_split(styles, max(1, -(-len(styles) // batch)))
    generated: np.ndarray = np.concatenate([
        (generator(torch.from_numpy(part.astype(np.float32)).to(device), rng) / 2 + 0.5)
        .clamp(0, 1).cpu().numpy()
        for part in parts
    ])  # fmt: skip
    return generated


def generated_on_disk(
    generator: StyleGenerator, styles: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Pictures of this shape `(N, C, S, S)` of as many styles, some at a time."""
    parts = np.array_split(styles, max(1, -(-len(styles) // GENERATED_AT_ONCE)))
    rows = (one for part in parts for one in draw_styles(generator, part))
    return filled(np.float32, shape, rows)


@torch.no_grad()
def style_std(generator: StyleGenerator, count: int = 4096) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation `(W,)` of styles that noise is mapped to."""
    generator.eval()
    noise = torch.randn(count, generator.mapping.noise, generator=torch.Generator().manual_seed(0))
    styles = generator.mapping(noise.to(generator.mapping.mean.device))
    return styles.mean(dim=0), styles.std(dim=0).clamp(min=1e-3)


def _rate(share: float) -> float:
    """Rate over the steps: up in the first twentieth, down in the last quarter."""
    return min(1.0, (share + 1e-2) / 0.05, 4 * (1 - share))
