"""What is minimised when a style-based generator learns to draw pictures."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.critics import held
from vesalius.networks.style_critic import StyleCritic
from vesalius.networks.style_generator import StyleGenerator
from vesalius.synthesis.progression.augmentation import AdaptiveAugmentation
from vesalius.synthesis.progression.recipe import StyleRecipe


class StyleObjective(nn.Module):
    """The logistic game of generator and critic, with R1 and path length now and then.

    Both learn from one pass: where the generator is judged, the weights of the critic are held;
    where the critic learns, the drawn pictures are (Karras et al. 2020, "Analyzing and improving
    the image quality of StyleGAN"). Pictures lie in [-1, 1] here.

    Args:
        images: to learn from `(N, C, S, S)` in [0, 1].
        recipe: widths and weights.
    """

    done: Tensor
    path_mean: Tensor

    def __init__(self, images: np.ndarray, recipe: StyleRecipe) -> None:
        super().__init__()
        self.images, self.recipe = images, recipe
        channels = images.shape[1]
        self.generator = StyleGenerator(
            channels, recipe.widths, recipe.noise, recipe.style, recipe.mapping_layers
        )
        self.critic = StyleCritic(channels, recipe.critic_widths)
        self.augment = AdaptiveAugmentation(recipe.adaptation_images)
        self.register_buffer("done", torch.zeros((), dtype=torch.long))
        self.register_buffer("path_mean", torch.zeros(()))

    def forward(self, rows: Tensor, chance: torch.Generator) -> Tensor:
        recipe, step = self.recipe, int(self.done)
        device = self.path_mean.device
        real = torch.from_numpy(self.images[rows.tolist()].astype(np.float32)).to(device) * 2 - 1
        drawn = self.generator(self._styles(len(real), chance), chance)
        with held(self.critic):
            loss = functional.softplus(-self.critic(self.augment(drawn, chance))).mean()
        believed = self.critic(self.augment(real, chance))
        doubted = self.critic(self.augment(drawn.detach(), chance))
        loss = loss + functional.softplus(doubted).mean() + functional.softplus(-believed).mean()
        self.augment.judged(believed)
        if step % recipe.r1_every == 0:
            loss = loss + recipe.r1_every * self._r1(real, chance)
        if recipe.path_weight and step % recipe.path_every == 0:
            loss = loss + recipe.path_every * self._path(len(real) // 2, chance)
        self.done += 1
        return loss

    def _styles(self, count: int, chance: torch.Generator) -> Tensor:
        """Styles `(B, L, W)`; of most pictures those of two draws, one from some layer on."""
        device = self.path_mean.device
        noise = torch.randn(2, count, self.recipe.noise, generator=chance).to(device)
        one, two = self.generator.mapping(noise.flatten(0, 1)).unflatten(0, (2, count))
        layers = self.generator.layers
        turn = torch.randint(1, layers, (count,), generator=chance)
        turn[torch.rand(count, generator=chance) >= self.recipe.mixing] = layers
        from_two = (torch.arange(layers)[None] >= turn[:, None]).to(device)
        return torch.where(from_two[..., None], two[:, None], one[:, None])

    def _r1(self, real: Tensor, chance: torch.Generator) -> Tensor:
        """Half of γ times the squared gradient of the critic at real pictures (Mescheder 2018)."""
        with torch.autocast(real.device.type, enabled=False):
            asked = self.augment(real, chance).detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(
                self.critic(asked).sum(), asked, create_graph=True
            )  # fmt: skip
        return self.recipe.r1 / 2 * slope.square().sum(dim=(1, 2, 3)).mean()

    def _path(self, count: int, chance: torch.Generator) -> Tensor:
        """How unevenly pictures follow their styles: (|Jᵀy| − a)², equation 4 of the paper."""
        with torch.autocast(self.path_mean.device.type, enabled=False):
            styles = self._styles(max(1, count), chance)
            drawn = self.generator(styles, chance)
            pixels = math.sqrt(drawn.shape[2] * drawn.shape[3])
            noise = torch.randn(drawn.shape, generator=chance).to(drawn.device) / pixels
            (slope,) = torch.autograd.grad((drawn * noise).sum(), styles, create_graph=True)
            lengths = slope.square().sum(dim=2).mean(dim=1).sqrt()
        with torch.no_grad():
            self.path_mean.lerp_(lengths.mean(), 0.01)
        return self.recipe.path_weight * (lengths - self.path_mean).square().mean()
