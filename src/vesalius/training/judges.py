"""Who judges images that come back from an autoencoder: a picture network, and two critics.

Critics and autoencoder learn from one pass: where the autoencoder is judged, the weights of the
critics are held; where the critics learn, what came back is. All of it is computed in full
precision, without which a fit may collapse.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vesalius.networks.critics import feature_distance, frozen, hinge_loss, patch_critic
from vesalius.networks.picture_features import PictureFeatures
from vesalius.training.recipe import Settings


class JudgeRecipe(Settings):
    """Weights and sizes of the judges.

    Attributes:
        perceptual_weight: of the difference of one random slice in the layers of a picture network.
        adversarial_weight: of what both critics say.
        feature_weight: of the difference of what the critics see inside.
        critics_from: step at which the critics set in.
        critic_width, critic_levels: of both critics.
    """

    perceptual_weight: float = 4.0
    adversarial_weight: float = 0.1
    feature_weight: float = 0.5
    critics_from: int = 800
    critic_width: int = 16
    critic_levels: int = 3


class Judges(nn.Module):
    """A critic of slices, a critic of volumes, and perhaps a picture network that is held.

    Args:
        recipe: weights and sizes.
        channels: of the images.
        look: the picture network, or `None` to leave it out.

    >>> judges = Judges(JudgeRecipe(critics_from=0, critic_width=4, critic_levels=1), 1, None)
    >>> image = torch.rand(2, 1, 16, 16, 16)
    >>> judges(image, image.flip(2), axis=0, place=3).ndim
    0
    """

    def __init__(self, recipe: JudgeRecipe, channels: int, look: PictureFeatures | None) -> None:
        super().__init__()
        self.recipe, self.look = recipe, look
        sizes = (channels, recipe.critic_width, recipe.critic_levels)
        self.slice_critic, self.volume_critic = patch_critic(2, *sizes), patch_critic(3, *sizes)
        self.register_buffer("done", torch.zeros((), dtype=torch.long))
        self.done: Tensor

    def forward(self, image: Tensor, seen: Tensor, axis: int, place: int) -> Tensor:
        """What autoencoder and critics have to learn from images `(B, C, D, H, W)` in [0, 1].

        Args:
            image: as it is.
            seen: as it came back.
            axis: across which a closer look at one slice is taken.
            place: of that slice.
        """
        critics = self.recipe.adversarial_weight > 0
        critics = critics and int(self.done) >= self.recipe.critics_from
        self.done += 1
        total = image.new_zeros((), dtype=torch.float32)
        with torch.autocast(image.device.type, enabled=False):
            seen = seen.float()
            slices = [one.select(2 + axis, place) for one in (image, seen)]
            if self.look is not None and self.recipe.perceptual_weight:
                pictures = (one.flatten(0, 1)[:, None] for one in slices)
                total = total + self.recipe.perceptual_weight * self.look.distance(*pictures)
            if critics:
                total = total + self._judged(self.slice_critic, *slices)
                total = total + self._judged(self.volume_critic, image, seen)
        return total

    def critics(self) -> list[nn.Parameter]:
        """The weights of both, whose gradients are clipped apart from those of what they judge."""
        return [*self.slice_critic.parameters(), *self.volume_critic.parameters()]

    def _judged(self, critic: nn.Module, real: Tensor, seen: Tensor) -> Tensor:
        """What the autoencoder and a critic each have to learn from one pair."""
        real, seen = 2 * real - 1, 2 * seen - 1
        with frozen(critic):
            *inner, verdict = critic(seen)
        *real_inner, real_logits = critic(real)
        seen_logits = critic(seen.detach())[-1]
        return (
            self.recipe.adversarial_weight * -verdict.mean()
            + self.recipe.feature_weight * feature_distance(real_inner, inner)
            + hinge_loss(real_logits, seen_logits)
        )


def random_slice(shape: tuple[int, ...], rng: torch.Generator) -> tuple[int, int]:
    """An axis and a place along it, for images `(B, C, D, H, W)`.

    >>> random_slice((1, 1, 8, 1, 1), torch.Generator().manual_seed(0))[0] in (0, 1, 2)
    True
    """
    axis, place = (int(torch.randint(n, (1,), generator=rng)) for n in (3, 1 << 30))
    return axis, place % shape[2 + axis]
