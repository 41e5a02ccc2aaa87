"""What the autoencoder and the denoiser of whole volumes are fitted to."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vesalius.diffusion.guidance import drop_condition
from vesalius.methods.volumes.model import CodeDenoiser
from vesalius.methods.volumes.recipe import VolumesRecipe
from vesalius.networks.critics import feature_distance, frozen, hinge_loss, patch_critic
from vesalius.networks.picture_features import PictureFeatures
from vesalius.networks.volume_autoencoder import VolumeAutoencoder
from vesalius.training.coding import Codes
from vesalius.training.objective import Batch, Objective
from vesalius.training.store import Store, random_box


class AutoencoderObjective(Objective):
    """Volumes that come back from the autoencoder as they went in, and that critics believe.

    Absolute error, perceptual difference of one random slice, hinge losses of a critic of slices
    and one of volumes, and the difference of what these critics see inside. Critics and autoencoder
    learn from one pass: where the autoencoder is judged, the weights of the critics are held; where
    the critics learn, the generated volume is. Critics and codebook work in full precision, without
    which the fit may collapse.

    Args:
        network: to fit.
        store: of volumes.
        recipe: weights and sizes.
        look: of the perceptual term, or `None` to leave it out.
    """

    def __init__(
        self, network: VolumeAutoencoder, store: Store, recipe: VolumesRecipe,
        look: PictureFeatures | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.network, self.store, self.recipe, self.look = network, store, recipe, look
        sizes = (store.layout.channels, recipe.critic_width, recipe.critic_levels)
        self.slice_critic, self.volume_critic = patch_critic(2, *sizes), patch_critic(3, *sizes)
        self.register_buffer("done", torch.zeros((), dtype=torch.long))
        self.done: Tensor

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        shape = self.store.layout.shape
        sides = [c or side for c, side in zip(self.recipe.crop, shape, strict=True)]
        box = random_box(shape, sides, max(self.recipe.downsampling), rng)
        image = self.store.images(rows, box)
        if self.recipe.mirror:
            image = mirrored_half(image, image.flip(2), rng)
        axis, place = (int(torch.randint(n, (1,), generator=rng)) for n in (3, 1 << 30))
        return image, axis, place % image.shape[2 + axis]

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        image, axis, place = batch
        judge = int(self.done) >= self.recipe.critics_from and self.recipe.adversarial_weight > 0
        loss = self.loss(image, axis, place, judge)
        self.done += 1
        return loss

    def clipped_apart(self) -> list[list[nn.Parameter]]:
        """Autoencoder and critics, since the gradient of either would shorten that of the other."""
        critics = (*self.slice_critic.parameters(), *self.volume_critic.parameters())
        return [list(self.network.parameters()), list(critics)]

    def loss(self, image: Tensor, axis: int, place: int, judge: bool) -> Tensor:
        """Of images `(B, C, D, H, W)`, looking closer at one slice across an axis.

        `judge` tells whether the critics take part.
        """
        recipe = self.recipe
        decoded, bottleneck_loss, _ = self.network(image)
        with torch.autocast(image.device.type, enabled=False):
            decoded = decoded.float()
            total = bottleneck_loss + 2 * recipe.absolute_weight * (decoded - image).abs().mean()
            real_slice, seen_slice = (v.select(2 + axis, place) for v in (image, decoded))
            if self.look is not None:
                pictures = (s.flatten(0, 1)[:, None] for s in (real_slice, seen_slice))
                total = total + recipe.perceptual_weight * self.look.distance(*pictures)
            if judge:
                for critic, real, generated in (
                    (self.slice_critic, 2 * real_slice - 1, 2 * seen_slice - 1),
                    (self.volume_critic, 2 * image - 1, 2 * decoded - 1),
                ):
                    total = total + self._judged(critic, real, generated)
        return total

    def _judged(self, critic: nn.Module, real: Tensor, generated: Tensor) -> Tensor:
        """What the autoencoder and a critic each have to learn from one pair."""
        with frozen(critic):
            *inner, verdict = critic(generated)
        *real_inner, real_logits = critic(real)
        fake_logits = critic(generated.detach())[-1]
        return (
            self.recipe.adversarial_weight * -verdict.mean()
            + self.recipe.feature_weight * feature_distance(real_inner, inner)
            + hinge_loss(real_logits, fake_logits)
        )


class CodeObjective(Objective):
    """Codes of volumes from noise, told attributes where the cohort has them.

    Args:
        network: to fit.
        codes: of each case; where there are two, the second is of the case exchanged left to right.
        conditions: `(N, A + 1)`, or `(N, 0)`.
        drop: share of conditions dropped.
        held_out: rows of validation cases.
    """

    def __init__(
        self, network: CodeDenoiser, codes: Codes, conditions: Tensor, drop: float,
        held_out: Sequence[int] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        self.network, self.drop, self.held_out = network, drop, held_out
        self.codes, self.conditions = codes, conditions

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        condition = self.conditions[rows]
        dropped = drop_condition(condition, torch.zeros_like(condition), self.drop, rng)
        code, *exchanged = self.codes.taken(rows)
        for one in exchanged:
            code = mirrored_half(code, one, rng)
        return code, dropped

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        code, condition = batch
        return self.network.loss(self.network.scaled(code), rng, condition)


def mirrored_half(plain: Tensor, exchanged: Tensor, rng: torch.Generator) -> Tensor:
    """Of each case `(B, ...)` one of two views, by chance.

    >>> rng = torch.Generator().manual_seed(0)
    >>> float(mirrored_half(torch.zeros(400, 1), torch.ones(400, 1), rng).mean().round(decimals=1))
    0.5
    """
    chosen = torch.rand(len(plain), generator=rng) < 0.5
    return torch.where(chosen.reshape(-1, *[1] * (plain.ndim - 1)), exchanged, plain)
