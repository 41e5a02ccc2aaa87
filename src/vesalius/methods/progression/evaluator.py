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

from vesalius.methods.progression.recipe import EvaluatorRecipe
from vesalius.networks.classifier import residual_classifier
from vesalius.scans.visits import Visits
from vesalius.training.objective import Batch, Objective


class AttributeEvaluator(nn.Module):
    """Pictures `(B, C, S, S)` in [0, 1] to attributes `(B, K)` in their units.

    Args:
        channels: of the pictures.
        names: of the attributes.
        recipe: width of the network.

    >>> evaluator = AttributeEvaluator(1, ("joint_space_mm_medial",), EvaluatorRecipe(width=4))
    >>> pictures = torch.rand(2, 1, 32, 32)
    >>> evaluator(pictures).shape, [maps.shape[1] for maps in evaluator.inner(pictures)]
    (torch.Size([2, 1]), [4, 8, 16])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int, names: Sequence[str], recipe: EvaluatorRecipe) -> None:
        super().__init__()
        self.names = tuple(names)
        self.network = residual_classifier(channels, len(names), 2, 10, recipe.width, "fine")
        self.register_buffer("mean", torch.zeros(len(names)))
        self.register_buffer("std", torch.ones(len(names)))

    def forward(self, pictures: Tensor) -> Tensor:
        result: Tensor = self.network(pictures) * self.std + self.mean
        return result

    def inner(self, pictures: Tensor) -> list[Tensor]:
        """Maps after each of the first three stages."""
        parts = dict(self.network.named_children())
        maps = parts["act"](parts["bn1"](parts["conv1"](pictures)))
        result = []
        for stage in ("layer1", "layer2", "layer3"):
            maps = parts[stage](maps)
            result.append(maps)
        return result


class EvaluatorObjective(Objective):
    """Squared error of attributes that are known, each in its own spread.

    Args:
        evaluator: to fit.
        visits: to learn from.
        held_out: decide which weights are kept.
        recipe: settings.
    """

    def __init__(
        self,
        evaluator: AttributeEvaluator,
        visits: Visits,
        held_out: Visits,
        recipe: EvaluatorRecipe,
    ) -> None:
        super().__init__()
        self.evaluator, self.recipe = evaluator, recipe
        names = evaluator.names
        self.images, self.targets = visits.images, _targets(visits, names)
        self.held_out, self.reported = held_out.images, _targets(held_out, names)
        self.evaluator.mean.copy_(torch.from_numpy(np.nanmean(self.targets, axis=0)))
        self.evaluator.std.copy_(torch.from_numpy(np.nanstd(self.targets, axis=0)).clamp(min=1e-3))

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        chosen = rows.tolist()
        pictures = torch.from_numpy(self.images[chosen].astype(np.float32))
        shift = self.recipe.shift
        by = torch.randint(-shift, shift + 1, (2,), generator=rng).tolist()
        gain = 1 + 0.1 * torch.randn(len(chosen), 1, 1, 1, generator=rng)
        pictures = (pictures.roll(by, (2, 3)) * gain).clamp(0, 1)
        return pictures, torch.from_numpy(self.targets[chosen])

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        pictures, targets = batch
        return self._error(self.evaluator(pictures), targets)

    def validation_loss(self) -> float:
        """The same of held-out pictures as they are."""
        result = read_attributes(self.evaluator, self.held_out)
        std = self.evaluator.std.cpu().numpy()
        return float(np.nanmean(((result - self.reported) / std) ** 2))

    def _error(self, found: Tensor, targets: Tensor) -> Tensor:
        known = ~targets.isnan()
        gap = (found - torch.where(known, targets, found.detach())) / self.evaluator.std
        return functional.huber_loss(gap, torch.zeros_like(gap))


@torch.no_grad()
def read_attributes(
    evaluator: AttributeEvaluator, images: np.ndarray, batch: int = 128
) -> np.ndarray:
    """Attributes `(N, K)` of pictures `(N, C, S, S)` in [0, 1]."""
    evaluator.eval()
    device = evaluator.mean.device
    parts = np.array_split(images, max(1, -(-len(images) // batch)))
    result: np.ndarray = np.concatenate([
        evaluator(torch.from_numpy(part.astype(np.float32)).to(device)).cpu().numpy()
        for part in parts
    ])  # fmt: skip
    return result


def _targets(visits: Visits, names: Sequence[str]) -> np.ndarray:
    return np.stack([visits.attributes[name] for name in names], axis=1).astype(np.float32)
