"""What the networks of whole volumes are fitted to."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vesalius.diffusion.guidance import drop_condition
from vesalius.methods.volumes.code_denoiser import CodeDenoiser
from vesalius.methods.volumes.detail_denoiser import BLOCK, DetailDenoiser
from vesalius.methods.volumes.recipe import VolumesRecipe
from vesalius.networks.picture_features import PictureFeatures
from vesalius.networks.volume_autoencoder import VolumeAutoencoder
from vesalius.training.coding import Codes
from vesalius.training.judges import Judges, random_slice
from vesalius.training.objective import Batch, Objective
from vesalius.training.store import Store, random_box


class AutoencoderObjective(Objective):
    """Volumes that come back from the autoencoder as they went in, and that judges believe.

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
        self.network, self.store, self.recipe = network, store, recipe
        self.judges = Judges(recipe.judges, store.layout.channels, look)

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        shape = self.store.layout.shape
        sides = [c or side for c, side in zip(self.recipe.crop, shape, strict=True)]
        box = random_box(shape, sides, max(self.recipe.downsampling), rng)
        image = self.store.images(rows, box)
        if self.recipe.mirror:
            image = mirrored_half(image, image.flip(2), rng)
        return image, *random_slice(image.shape, rng)

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        image, axis, place = batch
        decoded, bottleneck_loss, _ = self.network(image)
        error = (decoded.float() - image).abs().mean()
        loss: Tensor = bottleneck_loss + 2 * self.recipe.absolute_weight * error
        return loss + self.judges(image, decoded, axis, place)

    def clipped_apart(self) -> list[list[nn.Parameter]]:
        """Autoencoder and critics, since the gradient of either would shorten that of the other."""
        return [list(self.network.parameters()), self.judges.critics()]


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


class DetailObjective(Objective):
    """Parts of volumes from what their codes decode to.

    Args:
        network: to fit.
        decoded: what comes back of each case, `(N, 1, C, D, H, W)`.
        store: of the cases.
        noise: of each scan, as the denoiser standardises it `(N, C·2)`.
        recipe: sizes.
        held_out: rows of validation cases.
    """

    validated_at_once = 4

    def __init__(
        self, network: DetailDenoiser, decoded: Codes, store: Store, noise: Tensor,
        recipe: VolumesRecipe, held_out: Sequence[int] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        self.network, self.decoded, self.store, self.noise = network, decoded, store, noise
        self.recipe, self.held_out = recipe, held_out

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        shape = self.store.layout.shape
        sides = [self.recipe.detail_crop or side for side in shape]
        box = random_box(shape, sides, 2 * BLOCK, rng)
        both = torch.stack([self.store.images(rows, box), *self.decoded.taken(rows, box)], dim=1)
        if self.recipe.mirror:
            both = mirrored_half(both, both.flip(3), rng)
        image, decoded = both.unbind(dim=1)
        return image, decoded, self.noise[rows]

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        image, decoded, noise = batch
        network = self.network
        maps = network.network.read_labels(decoded)
        clean = network.scaled(image - decoded)
        return network.loss(clean, rng, maps, noise, network.noise_map(decoded, noise))


def mirrored_half(plain: Tensor, exchanged: Tensor, rng: torch.Generator) -> Tensor:
    """Of each case `(B, ...)` one of two views, by chance.

    >>> rng = torch.Generator().manual_seed(0)
    >>> float(mirrored_half(torch.zeros(400, 1), torch.ones(400, 1), rng).mean().round(decimals=1))
    0.5
    """
    chosen = torch.rand(len(plain), generator=rng) < 0.5
    return torch.where(chosen.reshape(-1, *[1] * (plain.ndim - 1)), exchanged, plain)
