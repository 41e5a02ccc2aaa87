"""What is minimised when a style-based generator learns to draw pictures."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.methods.progression.augmentation import AdaptiveAugmentation
from vesalius.methods.progression.recipe import StyleRecipe
from vesalius.networks.critics import frozen, hinge_loss
from vesalius.networks.feature_critic import FeatureCritic
from vesalius.networks.picture_features import lite0_stages
from vesalius.networks.style_critic import StyleCritic
from vesalius.networks.style_generator import StyleGenerator
from vesalius.training.objective import Batch, Objective


class StyleObjective(Objective):
    """The game of generator and critic, with path length, and R1 for pixels, now and then.

    Both learn from one pass: where the generator is judged, the weights of the critic are held;
    where the critic learns, the generated pictures are (Karras et al. 2020, "Analyzing and
    improving
    the image quality of StyleGAN"). Pictures lie in [-1, 1] here. A critic of pixels loses by the
    logistic loss; one of features by the hinge, and spectral norms do what R1 does for the other.
    The generator loses by the logistic loss either way.

    Args:
        generator: to fit.
        images: to learn from `(N, C, S, S)` in [0, 1].
        recipe: widths and weights.
    """

    done: Tensor
    path_mean: Tensor

    def __init__(self, generator: StyleGenerator, images: np.ndarray, recipe: StyleRecipe) -> None:
        super().__init__()
        self.generator, self.images, self.recipe = generator, images, recipe
        channels = images.shape[1]
        self.critic: nn.Module = (
            FeatureCritic(lite0_stages()) if recipe.critic == "features"
            else StyleCritic(channels, recipe.critic_widths)
        )  # fmt: skip
        self.augment = AdaptiveAugmentation(recipe.adaptation_images)
        self.register_buffer("done", torch.zeros((), dtype=torch.long))
        self.register_buffer("path_mean", torch.zeros(()))

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        return torch.from_numpy(self.images[rows.tolist()].astype(np.float32)) * 2 - 1

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        recipe, step, real = self.recipe, int(self.done), batch
        generated = self.generator(self._styles(len(real), rng), rng)
        with frozen(self.critic):
            verdicts = self.judged(self.augment(generated, rng))
            loss = torch.stack([functional.softplus(-one).mean() for one in verdicts]).sum()
        real_logits = self.judged(self.augment(real, rng))
        fake_logits = self.judged(self.augment(generated.detach(), rng))
        losing = logistic_loss if recipe.critic == "pixels" else hinge_loss
        pairs = zip(real_logits, fake_logits, strict=True)
        loss = loss + torch.stack([losing(one, other) for one, other in pairs]).sum()
        self.augment.judged(
            torch.stack([one.flatten(1).mean(dim=1) for one in real_logits]).mean(0)
        )
        if recipe.critic == "pixels" and step % recipe.r1_every == 0:
            loss = loss + recipe.r1_every * self._r1(real, rng)
        if recipe.path_weight and step % recipe.path_every == 0:
            loss = loss + recipe.path_every * self._path(len(real) // 2, rng)
        self.done += 1
        return loss

    def clipped_apart(self) -> list[list[nn.Parameter]]:
        """Generator and critic, since the gradient of either would shorten that of the other."""
        return [list(self.generator.parameters()), list(self.critic.parameters())]

    def judged(self, pictures: Tensor) -> list[Tensor]:
        """What the critic says, of the whole or of its several parts."""
        result = self.critic(pictures)
        return result if isinstance(result, list) else [result[:, None]]

    def _styles(self, count: int, rng: torch.Generator) -> Tensor:
        """Styles `(B, L, W)`; of most pictures those of two draws, one from some layer on."""
        device = self.path_mean.device
        noise = torch.randn(2, count, self.recipe.noise, generator=rng).to(device)
        one, two = self.generator.mapping(noise.flatten(0, 1)).unflatten(0, (2, count))
        layers = self.generator.layers
        turn = torch.randint(1, layers, (count,), generator=rng)
        turn[torch.rand(count, generator=rng) >= self.recipe.mixing] = layers
        from_two = (torch.arange(layers)[None] >= turn[:, None]).to(device)
        return torch.where(from_two[..., None], two[:, None], one[:, None])

    def _r1(self, real: Tensor, rng: torch.Generator) -> Tensor:
        """Half of γ times the squared gradient of the critic at real pictures (Mescheder 2018)."""
        with torch.autocast(real.device.type, enabled=False):
            requested = self.augment(real, rng).detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(
                self.critic(requested).sum(), requested, create_graph=True
            )  # fmt: skip
        return self.recipe.r1 / 2 * slope.square().sum(dim=(1, 2, 3)).mean()

    def _path(self, count: int, rng: torch.Generator) -> Tensor:
        """How unevenly pictures follow their styles: (|Jᵀy| − a)², equation 4 of the paper."""
        with torch.autocast(self.path_mean.device.type, enabled=False):
            styles = self._styles(max(1, count), rng)
            generated = self.generator(styles, rng)
            pixels = math.sqrt(generated.shape[2] * generated.shape[3])
            noise = torch.randn(generated.shape, generator=rng).to(generated.device) / pixels
            (slope,) = torch.autograd.grad((generated * noise).sum(), styles, create_graph=True)
            lengths = slope.square().sum(dim=2).mean(dim=1).sqrt()
        with torch.no_grad():
            self.path_mean.lerp_(lengths.mean(), 0.01)
        return self.recipe.path_weight * (lengths - self.path_mean).square().mean()


def logistic_loss(real: Tensor, generated: Tensor) -> Tensor:
    """What a critic minimises: ln(1 + e^−D(x)) + ln(1 + e^D(x̂)) (Goodfellow et al. 2014).

    >>> round(logistic_loss(torch.zeros(1), torch.zeros(1)).item(), 3)
    1.386
    """
    return functional.softplus(-real).mean() + functional.softplus(generated).mean()
