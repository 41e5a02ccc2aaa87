"""Attacks: the small change of an image that raises a loss most.

Projected gradient descent in a ball of L∞ or L2 (Madry et al. 2018, "Towards deep learning models
resistant to adversarial attacks"), from a random start, with restarts. Intensities lie in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vesalius.training.recipe import Settings

Losses = Callable[[Tensor], Tensor]
"""Loss of each image `(B,)` of images `(B, C, …)`."""
Norm = Literal["linf", "l2"]


class Attack(Settings):
    """How an image may be changed, and how the worst change is looked for.

    Attributes:
        norm: of the change: the largest of any voxel, or root of the sum of squares of all.
        epsilon: largest change, on intensities in [0, 1].
        step: of each ascent, as a share of `epsilon`; half of it as published.
        steps: of ascent.
        restarts: from different random starts; the worst is kept.
        random_start: begin anywhere in the ball, not at the image itself.
        queries: of an attack without gradients; as many as `steps` if 0.

    >>> Attack().epsilon, Attack().step
    (0.005, 0.5)
    """

    later: ClassVar[frozenset[str]] = frozenset({"queries"})

    norm: Norm = "linf"
    epsilon: float = Field(default=0.005, ge=0)
    step: float = Field(default=0.5, gt=0)
    steps: int = Field(default=10, ge=1)
    restarts: int = Field(default=1, ge=1)
    random_start: bool = True
    queries: int = Field(default=0, ge=0)


def pgd(losses: Losses, images: Tensor, attack: Attack, rng: torch.Generator) -> Tensor:
    """Images `(B, C, …)` changed within the ball so that each one's loss is as high as was found.

    Never lower than that of the image itself.

    Args:
        losses: differentiable; the network should be `frozen`.
        images: in [0, 1].
        attack: ball and steps.
        rng: of the starts, on the CPU.

    >>> weights = torch.tensor([1.0, -2.0])
    >>> losses = lambda images: images @ weights
    >>> image = torch.full((1, 2), 0.5)
    >>> for norm in ("linf", "l2"):
    ...     attack = Attack(norm=norm, epsilon=0.1, random_start=False)
    ...     change = pgd(losses, image, attack, torch.Generator()) - image
    ...     [f"{voxel:.3f}" for voxel in change[0]]
    ['0.100', '-0.100']
    ['0.045', '-0.089']
    """
    with torch.no_grad():
        worst, result = losses(images), images.clone()
    for _ in range(attack.restarts):
        here = images
        if attack.random_start:
            here = projected(images + start(images, attack, rng), images, attack)
        for _ in range(attack.steps):
            _, gradient = ascent(losses, here)
            change = attack.step * attack.epsilon * direction(gradient, attack.norm)
            here = projected(here + change, images, attack)
        with torch.no_grad():
            reached = losses(here)
        better = reached > worst
        worst = torch.where(better, reached, worst)
        result = torch.where(each(better, images), here, result)
    return result


def ascent(losses: Losses, images: Tensor) -> tuple[Tensor, Tensor]:
    """Losses `(B,)` and their gradient in the images."""
    with torch.enable_grad():
        requested = images.detach().requires_grad_(True)
        result = losses(requested)
        (gradient,) = torch.autograd.grad(result.sum(), requested)
    return result.detach(), gradient


def start(images: Tensor, attack: Attack, rng: torch.Generator) -> Tensor:
    """A random point of the ball, evenly."""
    size = images[0].numel()
    if attack.norm == "linf":
        noise = 2 * torch.rand(images.shape, generator=rng) - 1
        return attack.epsilon * noise.to(images.device)
    noise = direction(torch.randn(images.shape, generator=rng), "l2")
    radius = torch.rand(len(images), generator=rng) ** (1 / size)
    return attack.epsilon * (each(radius, noise) * noise).to(images.device)


def direction(gradient: Tensor, norm: Norm) -> Tensor:
    """The change of unit norm that follows a gradient most: its sign, or itself at length 1."""
    if norm == "linf":
        return gradient.sign()
    return gradient / each(_length(gradient).clamp(min=1e-12), gradient)


def projected(changed: Tensor, images: Tensor, attack: Attack) -> Tensor:
    """The nearest images in the ball around `images` and in [0, 1]."""
    change = changed - images
    if attack.norm == "linf":
        change = change.clamp(-attack.epsilon, attack.epsilon)
    else:
        over = (_length(change) / max(attack.epsilon, 1e-12)).clamp(min=1)
        change = change / each(over, change)
    return (images + change).clamp(0, 1).detach()


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """A network in evaluation mode whose weights take no gradient; as it was, afterwards."""
    modes = [(part, part.training) for part in network.modules()]
    taken = [(weight, weight.requires_grad) for weight in network.parameters()]
    network.eval()
    for weight, _ in taken:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
        for weight, needed in taken:
            weight.requires_grad_(needed)


def _length(images: Tensor) -> Tensor:
    return images.flatten(1).norm(dim=1)


def each(values: Tensor, images: Tensor) -> Tensor:
    """Values `(B,)` in a shape that broadcasts over images."""
    return values.reshape(-1, *[1] * (images.dim() - 1))
