"""A network that reads attributes off pictures, such as joint spaces in mm.

What a projection must keep is told by one reader's inner maps; what came out is measured by another
one, fitted from another seed on other patients.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.methods.progression.recipe import ReaderRecipe
from vesalius.networks.classifier import residual_classifier
from vesalius.scans.visits import Visits


class AttributeReader(nn.Module):
    """Pictures `(B, C, S, S)` in [0, 1] to attributes `(B, K)` in their units.

    Args:
        channels: of the pictures.
        names: of the attributes.
        recipe: width of the network.

    >>> reader = AttributeReader(1, ("joint_space_mm_medial",), ReaderRecipe(width=4))
    >>> pictures = torch.rand(2, 1, 32, 32)
    >>> reader(pictures).shape, [maps.shape[1] for maps in reader.inner(pictures)]
    (torch.Size([2, 1]), [4, 8, 16])
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, channels: int, names: Sequence[str], recipe: ReaderRecipe) -> None:
        super().__init__()
        self.names = tuple(names)
        self.network = residual_classifier(channels, len(names), 2, 10, recipe.width, "fine")
        self.register_buffer("mean", torch.zeros(len(names)))
        self.register_buffer("spread", torch.ones(len(names)))

    def forward(self, pictures: Tensor) -> Tensor:
        found: Tensor = self.network(pictures) * self.spread + self.mean
        return found

    def inner(self, pictures: Tensor) -> list[Tensor]:
        """Maps after each of the first three stages."""
        parts = dict(self.network.named_children())
        maps = parts["act"](parts["bn1"](parts["conv1"](pictures)))
        found = []
        for stage in ("layer1", "layer2", "layer3"):
            maps = parts[stage](maps)
            found.append(maps)
        return found


class ReaderObjective(nn.Module):
    """Squared error of attributes that are known, each in its own spread.

    Args:
        reader: to fit.
        visits: to learn from.
        held_out: decide which weights are kept.
        recipe: settings.
    """

    def __init__(
        self, reader: AttributeReader, visits: Visits, held_out: Visits, recipe: ReaderRecipe
    ) -> None:
        super().__init__()
        self.reader, self.recipe = reader, recipe
        names = reader.names
        self.images, self.targets = visits.images, _targets(visits, names)
        self.held_out, self.told = held_out.images, _targets(held_out, names)
        self.reader.mean.copy_(torch.from_numpy(np.nanmean(self.targets, axis=0)))
        self.reader.spread.copy_(torch.from_numpy(np.nanstd(self.targets, axis=0)).clamp(min=1e-3))

    def forward(self, rows: Tensor, chance: torch.Generator) -> Tensor:
        device, chosen = self.reader.mean.device, rows.tolist()
        pictures = torch.from_numpy(self.images[chosen].astype(np.float32))
        shift = self.recipe.shift
        by = torch.randint(-shift, shift + 1, (2,), generator=chance).tolist()
        gain = 1 + 0.1 * torch.randn(len(chosen), 1, 1, 1, generator=chance)
        pictures = (pictures.roll(by, (2, 3)) * gain).clamp(0, 1).to(device)
        return self._error(self.reader(pictures), torch.from_numpy(self.targets[chosen]).to(device))

    def validation_loss(self) -> float:
        """The same of held-out pictures as they are."""
        found = read_attributes(self.reader, self.held_out)
        spread = self.reader.spread.cpu().numpy()
        return float(np.nanmean(((found - self.told) / spread) ** 2))

    def _error(self, found: Tensor, targets: Tensor) -> Tensor:
        known = ~targets.isnan()
        gap = (found - torch.where(known, targets, found.detach())) / self.reader.spread
        return functional.huber_loss(gap, torch.zeros_like(gap))


@torch.no_grad()
def read_attributes(reader: AttributeReader, images: np.ndarray, batch: int = 128) -> np.ndarray:
    """Attributes `(N, K)` of pictures `(N, C, S, S)` in [0, 1]."""
    reader.eval()
    device = reader.mean.device
    parts = np.array_split(images, max(1, -(-len(images) // batch)))
    found: np.ndarray = np.concatenate([
        reader(torch.from_numpy(part.astype(np.float32)).to(device)).cpu().numpy()
        for part in parts
    ])  # fmt: skip
    return found


def _targets(visits: Visits, names: Sequence[str]) -> np.ndarray:
    return np.stack([visits.attributes[name] for name in names], axis=1).astype(np.float32)
