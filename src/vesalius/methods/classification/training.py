"""Training of a classifier: standard, adversarial, or both through paths of their own.

The published loss is the sum over clean images through the clean path and adversarial ones through
the adversarial path, which the attack is made against in evaluation mode (Han et al. 2021,
"Advancing diagnostic performance and clinical usability of neural networks via adversarial training
and dual batch normalization"); here it is their mean.
"""

from __future__ import annotations

import math
from copy import deepcopy
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.classifier import Depth, Stem, residual_classifier
from vesalius.networks.dual_norm import route, to_dual_bn
from vesalius.scans.classified import Classified
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress
from vesalius.training.attacks import Attack, frozen, pgd
from vesalius.training.loop import fit_network
from vesalius.training.objective import Batch, Objective
from vesalius.training.recipe import FitRecipe, Settings

Training = Literal["standard", "adversarial", "dual"]
FEWEST = 2
VOXELS_AT_ONCE = 2**20


def _fit(steps: int, batch_size: int, learning_rate: float, every: int) -> FitRecipe:
    return FitRecipe(
        steps=steps, batch_size=batch_size, learning_rate=learning_rate, weight_decay=1e-3,
        moving_average=0.0, precision="32-true", validate_every=every,
    )  # fmt: skip


class ClassifierTraining(Settings):
    """Settings of a classifier and its training, the same steps whatever the training.

    Attributes:
        training: `standard` on images as they are, `adversarial` on attacked ones through one
            path, `dual` on both.
        depth, width, stem: see `residual_classifier`.
        first: fit on images as they are, which all trainings begin with.
        second: fit in the way of the training. Weights are kept of the look with the lowest loss
            on held-out images as they are.
        attack: that is trained against, see `Attack`.
        momentum: of the running statistics of two paths; 0.01 as published lags in short fits.
        shift: largest shift in pixels, as augmentation.
        mirror: axes of the image along which it may be mirrored.
    """

    training: Training = "dual"
    depth: Depth = 10
    width: int = 16
    stem: Stem = "fine"
    first: FitRecipe = _fit(2400, 32, 3e-3, 200)
    second: FitRecipe = _fit(600, 32, 1e-3, 100)
    attack: Attack = Attack(steps=3, step=0.67)
    momentum: float = 0.01
    shift: int = 4
    mirror: tuple[int, ...] = ()


PRESETS = {
    "smallest": ClassifierTraining(
        width=4, first=_fit(2, 4, 2e-3, 1), second=_fit(2, 4, 1e-3, 1), attack=Attack(steps=1)
    ),
    "demo": ClassifierTraining(momentum=0.05),
    "workstation": ClassifierTraining(
        depth=18, width=64, stem="fine", first=_fit(10_000, 64, 1e-3, 500),
        second=_fit(10_000, 64, 5e-4, 500), attack=Attack(),
    ),
    "published": ClassifierTraining(
        depth=50, width=64, stem="published", first=_fit(0, 64, 1e-4, 0),
        second=_fit(100_000, 64, 1e-4, 2000), attack=Attack(),
    ),
}  # fmt: skip


def untrained(recipe: ClassifierTraining, channels: int, labels: int, dimensions: int) -> nn.Module:
    """The network of a training before any fit, with one path."""
    return residual_classifier(
        channels, labels, dimensions, recipe.depth, recipe.width, recipe.stem
    )


def losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy of each image `(B,)`, the mean over labels that are known.

    >>> losses(torch.zeros(1, 2), torch.tensor([[1.0, float("nan")]])).tolist()
    [0.6931471824645996]
    """
    known = ~targets.isnan()
    each = functional.binary_cross_entropy_with_logits(
        logits.float(), torch.where(known, targets, 0.0), reduction="none"
    )
    return (each * known).sum(dim=1) / known.sum(dim=1).clamp(min=1)


class TrainingObjective(Objective):
    """The loss of some images, see `ClassifierTraining`.

    Args:
        network: with two paths where the training is dual.
        images: to learn from.
        held_out: for the validation loss.
        recipe: augmentation and attack.
        training: of this stage.
    """

    def __init__(
        self, network: nn.Module, images: Classified, held_out: Classified,
        recipe: ClassifierTraining, training: Training,
    ) -> None:  # fmt: skip
        super().__init__()
        self.network, self.recipe, self.training_way = network, recipe, training
        self.data, self.held_out = images, held_out

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        chosen = rows.tolist()
        images = torch.from_numpy(self.data.images[chosen].astype(np.float32))
        return augmented(images, self.recipe, rng), torch.from_numpy(self.data.targets[chosen])

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        images, targets = batch
        if self.training_way == "standard":
            return losses(self.network(images), targets).mean()

        def attacked(changed: Tensor) -> Tensor:
            return losses(self.network(changed), targets)

        with route(self.network, "adversarial"):
            with frozen(self.network):
                adversarial = pgd(attacked, images, self.recipe.attack, rng)
            loss = losses(self.network(adversarial), targets).mean()
        if self.training_way == "adversarial":
            return loss
        with route(self.network, "clean"):
            return (losses(self.network(images), targets).mean() + loss) / 2

    def validation_loss(self) -> float:
        """Cross entropy of the held-out images as they are, through the clean path."""
        logits = predicted(self.network, self.held_out.images)
        return float(losses(logits, torch.from_numpy(self.held_out.targets)).mean())


def train_classifier(
    images: Classified, held_out: Classified, recipe: ClassifierTraining, seed: int, folder: Path,
    progress: Progress = no_progress, initialised: nn.Module | None = None,
) -> nn.Module:  # fmt: skip
    """Train a classifier, or go on with one that was killed; its state lies in `folder`.

    Args:
        images: to learn from.
        held_out: decide which weights are kept.
        recipe: settings.
        seed: of weights and order.
        folder: of the run.
        progress: called after each step.
        initialised: what the first fit would give, where several trainings share it.

    Returns:
        the network, with two paths where the training is dual.

    Raises:
        InputError: for a label that no image, or every image, shows.
    """
    require_both(images)
    if initialised is None:
        network = first_stage(images, held_out, recipe, seed, folder, progress)
    else:
        network = deepcopy(initialised)
    if recipe.training == "dual":
        network = to_dual_bn(network, recipe.momentum)
    return _stage(network, images, held_out, recipe, recipe.training, recipe.second, seed, folder,
                  progress)  # fmt: skip


def first_stage(
    images: Classified, held_out: Classified, recipe: ClassifierTraining, seed: int, folder: Path,
    progress: Progress = no_progress,
) -> nn.Module:  # fmt: skip
    """The network after the fit that all trainings begin with."""
    torch.manual_seed(seed)
    network = untrained(recipe, images.images.shape[1], len(images.labels), images.dimensions)
    return _stage(network, images, held_out, recipe, "standard", recipe.first, seed, folder,
                  progress, "first_")  # fmt: skip


def _stage(
    network: nn.Module, images: Classified, held_out: Classified, recipe: ClassifierTraining,
    training: Training, steps: FitRecipe, seed: int, folder: Path, progress: Progress,
    stage: str = "",
) -> nn.Module:  # fmt: skip
    objective = TrainingObjective(network, images, held_out, recipe, training)
    fit_network(objective, len(images), steps, seed, f"{stage}{training}", folder, progress)
    return network.eval()


def require_both(images: Classified) -> None:
    """Refuse images of which too few show a label, or do not."""
    for column, name in enumerate(images.labels):
        reported = images.targets[:, column]
        for value, words in ((1.0, "with"), (0.0, "without")):
            count = int((reported == value).sum())
            if count < FEWEST:
                fault = f"is learnt from {count} images {words} it"
                raise InputError(name, fault, f"add some: {FEWEST} is the least")


def augmented(images: Tensor, recipe: ClassifierTraining, rng: torch.Generator) -> Tensor:
    """Images `(B, C, …)` shifted and mirrored all alike, and each a little brighter or darker."""
    axes = range(2, images.dim())
    for axis in recipe.mirror:
        if float(torch.rand(1, generator=rng)) < 0.5:
            images = images.flip(2 + axis)
    for axis in axes if recipe.shift else ():
        by = int(torch.randint(-recipe.shift, recipe.shift + 1, (1,), generator=rng))
        side = images.shape[axis]
        rows = (torch.arange(side) + by).clamp(0, side - 1)
        images = images.index_select(axis, rows)
    gain = 1 + 0.05 * torch.randn(len(images), *[1] * (images.dim() - 1), generator=rng)
    return (images * gain).clamp(0, 1)


@torch.no_grad()
def predicted(network: nn.Module, images: np.ndarray, batch: int = 128) -> Tensor:
    """Logits `(N, K)` of images `(N, C, …)`, through the path that the network stands on.

    At most `batch` of them at once, and fewer where they are large.
    """
    batch = max(1, min(batch, VOXELS_AT_ONCE // math.prod(images.shape[2:])))
    device = next(network.parameters()).device
    network.eval()
    parts = np.array_split(images, max(1, -(-len(images) // batch)))
    result = [
        network(torch.from_numpy(part.astype(np.float32)).to(device)).float().cpu()
        for part in parts
    ]
    return torch.cat(result)
