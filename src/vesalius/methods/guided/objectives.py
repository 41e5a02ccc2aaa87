"""What each network of guided synthesis is fitted to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.diffusion.guidance import drop_condition
from vesalius.methods.guided.image_denoiser import BlockDenoiser, ImageDenoiser
from vesalius.methods.guided.model import LabelDenoiser
from vesalius.networks.block_transform import BlockTransform
from vesalius.networks.image_autoencoder import ImageAutoencoder
from vesalius.networks.label_vae import LabelVae
from vesalius.networks.spade import one_hot
from vesalius.training.coding import Codes
from vesalius.training.judges import Judges, random_slice
from vesalius.training.objective import Batch, Objective, mean_loss, moved
from vesalius.training.store import Store, random_box

VALIDATED_AT_ONCE = 64
"""Codes of label maps."""

BOXES = 2
"""Of which a step learns from the one that holds more of the labels, as most of a scan is air."""


class LabelVaeObjective(Objective):
    """Label maps that come back from the label VAE as they went in."""

    def __init__(self, network: LabelVae, store: Store, kl_weight: float) -> None:
        super().__init__()
        self.network, self.store, self.kl_weight = network, store, kl_weight

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        return self.store.labels(rows)

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        noise = torch.randn(len(batch), *self.network.code_shape, generator=rng).to(batch.device)
        return self.network.loss(batch, noise, self.kl_weight)


class LabelDenoiserObjective(Objective):
    """Codes of label maps from noise, given attributes.

    Between two training codes every mixture is trained on as well, with its condition mixed alike:
    the space between cases belongs to the distribution, and no single case can be learnt by heart.

    Args:
        network: to fit.
        codes: mean and standard deviation of the code of each case.
        conditions: `(N, A + 1)`.
        held_out: rows of validation cases.
        drop: share of conditions dropped.
    """

    def __init__(
        self, network: LabelDenoiser, codes: Codes, conditions: Tensor, held_out: Sequence[int],
        drop: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.network, self.drop = network, drop
        self.codes, self.conditions, self.held_out = codes, conditions, held_out

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        mean, std = self.codes.taken(rows)
        clean = mean + std * torch.randn(mean.shape, generator=rng)
        condition = self.conditions[rows]
        if self.network.prior is not None:
            share = torch.rand(len(rows), 1, generator=rng) / 2
            partner = torch.randperm(len(rows), generator=rng)
            clean = torch.sqrt(1 - share**2) * clean + share * clean[partner]
            condition = torch.sqrt(1 - share**2) * condition + share * condition[partner]
            condition[:, -1] = 1
        return clean, drop_condition(condition, torch.zeros_like(condition), self.drop, rng)

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        code, condition = batch
        clean = (code - self.network.code_mean) / self.network.code_scale
        return self.network.loss(clean, rng, condition)

    def validation_loss(self) -> float:
        """The loss on held-out cases at eight levels of noise each."""
        return mean_loss(self._held_out_loss, 8 * list(self.held_out), VALIDATED_AT_ONCE)

    @torch.no_grad()
    def held_out_losses(self) -> np.ndarray:
        """The loss of each held-out case, at the same levels of noise and with the same noise
        whenever it is asked for.
        """
        return np.array([
            mean_loss(self._held_out_loss, VALIDATED_AT_ONCE * [row], VALIDATED_AT_ONCE)
            for row in self.held_out
        ])  # fmt: skip

    def _held_out_loss(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        device = next(self.network.parameters()).device
        batch = self.codes.taken(rows)[0], self.conditions[rows]
        return self(moved(batch, device), rng)


class ImageAutoencoderObjective(Objective):
    """Parts of images that come back from the autoencoder as they went in.

    Args:
        network: to fit.
        store: images and labels.
        crop: side in voxels of the part that is taken from each case, 0 for all of it.
        kl_weight: see `ImageAutoencoder.loss`.
        judges: of images sampled from what the decoder says, noise of the scanner included.
    """

    def __init__(
        self, network: ImageAutoencoder, store: Store, crop: int, kl_weight: float,
        judges: Judges | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.network, self.store, self.crop, self.kl_weight = network, store, crop, kl_weight
        self.judges = judges

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        sides = [min(self.crop or side, side) for side in self.store.layout.shape]
        box = random_box(self.store.layout.shape, sides, self.network.coarseness, rng)
        image = self.store.images(rows, box)
        looked_at = random_slice(image.shape, rng) if self.judges else None
        return image, self.store.labels(rows, box), looked_at

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        image, labels, looked_at = batch
        sides = [side // self.network.coarseness for side in image.shape[2:]]
        code = (len(image), self.network.code_channels, *sides)
        noise = torch.randn(code, generator=rng).to(image.device)
        painted = one_hot(labels, self.store.layout.label_count)
        loss, decoded, std = self.network.loss(image, painted, noise, self.kl_weight)
        if self.judges is not None:
            texture = torch.randn(image.shape, generator=rng).to(image.device)
            loss = loss + self.judges(image, decoded + std.detach() * texture, *looked_at)
        return loss

    def clipped_apart(self) -> list[list[nn.Parameter]]:
        """Autoencoder and critics, as in whole volumes."""
        own = [list(self.network.parameters())]
        return own if self.judges is None else [*own, self.judges.critics()]


class ImageDenoiserObjective(Objective):
    """Codes of images from noise, given their label maps.

    Args:
        network: to fit.
        codes: mean and standard deviation of the image codes; each use draws anew from them.
        store: for the labels.
        held_out: rows of validation cases.
    """

    def __init__(
        self, network: ImageDenoiser, codes: Codes, store: Store, held_out: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.network, self.codes, self.store, self.held_out = network, codes, store, held_out

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        mean, std = self.codes.taken(rows)
        return mean + std * torch.randn(mean.shape, generator=rng), self.store.labels(rows)

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        code, labels = batch
        maps = self.network.network.read_labels(one_hot(labels, self.store.layout.label_count))
        return self.network.loss(self.network.scaled(code), rng, maps)


class BlockDenoiserObjective(Objective):
    """Crops of images from noise, given their label maps and the appearance of the whole scan.

    Args:
        network: to fit.
        transform: between images and blocks.
        store: images and labels.
        appearances: of each case, as the denoiser standardises them `(N, A)`.
        crop: side in voxels of the part that is taken from each case, 0 for all of it.
        held_out: rows of validation cases.
    """

    validated_at_once = 4

    def __init__(
        self, network: BlockDenoiser, transform: BlockTransform, store: Store,
        appearances: Tensor, crop: int, held_out: Sequence[int] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        self.network, self.transform, self.store = network, transform, store
        self.appearances, self.crop, self.held_out = appearances, crop, held_out

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        shape = self.store.layout.shape
        sides = [min(self.crop or side, side) for side in shape]
        crops = []
        for _ in range(BOXES):
            box = random_box(shape, sides, 2 * self.network.network.coarseness, rng)
            labels = self.store.labels(rows, box)
            crops.append((int(torch.count_nonzero(labels)), box, labels))
        _, box, labels = max(crops, key=lambda crop: crop[0])
        return self.store.images(rows, box), labels, self.appearances[rows]

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        image, labels, appearance = batch
        painted = one_hot(labels, self.store.layout.label_count)
        maps = self.network.network.read_labels(painted)
        noise = self.network.noise_map(painted, appearance)
        clean = self.network.scaled(self.transform.encode(image))
        return self.network.loss(clean, rng, maps, appearance, noise)
