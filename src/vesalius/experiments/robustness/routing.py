"""What attacks do: with the routing that no deployment has, and with the one that it has.

As published each image takes the path of its kind: attacked ones, made against the adversarial
path, the adversarial one. Nobody can know which are attacked, so a deployed classifier sends all
through the clean path; that is what an attacker would attack, and the worst of several
attacks is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.methods.classification.training import losses
from vesalius.networks.dual_norm import Path, is_dual, route
from vesalius.scans.classified import Classified
from vesalius.training.attacks import Attack, Losses, frozen, pgd
from vesalius.training.strong_attacks import margins, strongest

BATCH = 100
Made = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""Attacked images of images and targets."""


def published_scores(network: nn.Module, images: Classified, attack: Attack) -> np.ndarray:
    """Logits `(N, K)` when attacked images are known as such."""

    def made(given: Tensor, targets: Tensor, rng: torch.Generator) -> Tensor:
        return pgd(_loss(network, targets, "adversarial"), given, attack, rng)

    return _scores(network, images, made, "adversarial")


def clean_path_scores(network: nn.Module, images: Classified, attack: Attack) -> np.ndarray:
    """Logits `(N, K)` of the clean path, attacked itself."""

    def made(given: Tensor, targets: Tensor, rng: torch.Generator) -> Tensor:
        return pgd(_loss(network, targets, "clean"), given, attack, rng)

    return _scores(network, images, made, "clean")


def strongest_scores(network: nn.Module, images: Classified, attack: Attack) -> np.ndarray:
    """Logits `(N, K)` of the clean path under the worst of every attack, each label by its own.

    An attack on the mean loss of all labels spends its change on those that give way most, and the
    area of each of the others is higher than an attacker of that label would leave it.
    Gradients are taken of the clean path by two losses, and where there are two paths of the
    adversarial one and of both together, as an attacker who does not know the routing would.
    """
    columns = []
    for label in range(images.targets.shape[1]):
        alone = np.full(images.targets.shape, np.nan, dtype=images.targets.dtype)
        alone[:, label] = images.targets[:, label]
        attacked = _strongest(network, replace(images, targets=alone), attack)
        columns.append(attacked[:, label])
    return np.stack(columns, axis=1)


def _strongest(network: nn.Module, images: Classified, attack: Attack) -> np.ndarray:
    def made(given: Tensor, targets: Tensor, rng: torch.Generator) -> Tensor:
        clean = _loss(network, targets, "clean")
        against: list[Losses] = [clean, _loss(network, targets, "clean", margins)]
        if is_dual(network):
            other = _loss(network, targets, "adversarial")
            against += [other, lambda images: clean(images) + other(images)]
        return strongest(clean, against, given, attack, rng)

    return _scores(network, images, made, "clean")


def _loss(
    network: nn.Module, targets: Tensor, path: Path,
    kind: Callable[[Tensor, Tensor], Tensor] = losses,
) -> Losses:  # fmt: skip
    def found(images: Tensor) -> Tensor:
        with route(network, path):
            return kind(network(images), targets)

    return found


def _scores(network: nn.Module, images: Classified, made: Made, path: Path) -> np.ndarray:
    device = next(network.parameters()).device
    rng = torch.Generator().manual_seed(0)
    result = []
    with frozen(network), route(network, path):
        for first in range(0, len(images), BATCH):
            rows = slice(first, first + BATCH)
            given = torch.from_numpy(images.images[rows].astype(np.float32)).to(device)
            targets = torch.from_numpy(images.targets[rows]).to(device)
            attacked = made(given, targets, rng)
            with torch.no_grad():
                result.append(network(attacked).float().cpu().numpy())
    scores: np.ndarray = np.concatenate(result)
    return scores
