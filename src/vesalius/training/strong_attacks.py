"""Attacks that are hard to fool: adaptive steps, losses that do not saturate, no gradient at all.

The parts of AutoAttack (Croce and Hein 2020, "Reliable evaluation of adversarial robustness with an
ensemble of diverse parameter-free attacks") for classifiers of many labels, which the published
library, made for one class of many, does not attack: APGD on two losses, and Square Attack.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vesalius.training.attacks import (
    Attack,
    Losses,
    ascent,
    direction,
    each,
    projected,
    start,
)

MOMENTUM, RISING = 0.75, 0.75
FIRST_CHECK, FEWER, FEWEST = 0.22, 0.03, 0.06
"""Share of the steps before the first look at the step size, by how much later looks come sooner,
and the shortest time between two."""
SQUARE_SHARE = 0.3
"""Share of the image that the first squares cover."""


def margins(logits: Tensor, targets: Tensor) -> Tensor:
    """A loss `(B,)` without a sigmoid that could saturate: how far logits lie on the wrong side.

    >>> margins(torch.tensor([[2.0, -1.0]]), torch.tensor([[1.0, 1.0]])).tolist()
    [-0.5]
    """
    known = ~targets.isnan()
    signs = torch.where(known, 1 - 2 * targets, 0.0)
    return (signs * logits.float()).sum(dim=1) / known.sum(dim=1).clamp(min=1)


def checkpoints(steps: int) -> list[int]:
    """Steps after which the step size is looked at (Croce and Hein 2020, section 3.2).

    >>> checkpoints(100)
    [22, 41, 57, 70, 80, 87, 93, 99]
    """
    shares = [0.0, FIRST_CHECK]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - FEWER, FEWEST))
    result = sorted({math.ceil(round(steps * share, 6)) for share in shares[1:] if share < 1})
    return [step for step in result if step > 0]


def apgd(losses: Losses, images: Tensor, attack: Attack, rng: torch.Generator) -> Tensor:
    """Projected gradient ascent with momentum whose steps are halved where an image stops rising.

    Algorithm 1 of Croce and Hein 2020. `attack.step` is not used: the first step is twice ε.

    >>> weights = torch.tensor([1.0, -2.0])
    >>> attack = Attack(epsilon=0.1, steps=20)
    >>> image = torch.full((1, 2), 0.5)
    >>> change = apgd(lambda images: images @ weights, image, attack, torch.Generator()) - image
    >>> [f"{voxel:.3f}" for voxel in change[0]]
    ['0.100', '-0.100']
    """
    here = projected(images + start(images, attack, rng), images, attack)
    size = torch.full((len(images),), 2 * attack.epsilon, device=images.device)
    value, gradient = ascent(losses, here)
    best, highest, before = here, value, here
    rises = torch.zeros_like(value)
    last_size, last_highest, last_check = size.clone(), highest.clone(), 0
    evaluations = set(checkpoints(attack.steps))
    for step in range(1, attack.steps + 1):
        ahead = here + each(size, images) * direction(gradient, attack.norm)
        ahead = projected(ahead, images, attack)
        moved = here + MOMENTUM * (ahead - here) + (1 - MOMENTUM) * (here - before)
        before, here = here, projected(moved if step > 1 else ahead, images, attack)
        old = value
        value, gradient = ascent(losses, here)
        rises += (value > old).float()
        better = value > highest
        highest = torch.where(better, value, highest)
        best = torch.where(each(better, images), here, best)
        if step in evaluations:
            stalled = (size == last_size) & (highest == last_highest)
            halved = (rises < RISING * (step - last_check)) | stalled
            last_size, last_highest, last_check = size.clone(), highest.clone(), step
            rises = torch.zeros_like(value)
            size = torch.where(halved, size / 2, size)
            here = torch.where(each(halved, images), best, here)
            before = torch.where(each(halved, images), best, before)
            value, gradient = ascent(losses, here)
    return best


def square_attack(losses: Losses, images: Tensor, attack: Attack, rng: torch.Generator) -> Tensor:
    """Random squares of ± ε that are kept where the loss rises: no gradient to be fooled by.

    Andriushchenko et al. 2020, "Square Attack", for L∞, in two and in three dimensions.

    Raises:
        ValueError: for another norm.
    """
    if attack.norm != "linf":
        raise ValueError("Square Attack is written for linf")
    batch, channels, *sides = images.shape
    signs = _signs((batch, channels, 1, *sides[1:]), rng).to(images.device)
    here = projected(images + attack.epsilon * signs, images, attack)
    queries = attack.queries or attack.steps
    with torch.no_grad():
        highest = losses(here)
        for step in range(queries):
            share = SQUARE_SHARE * 0.5 ** (8 * step / queries)
            wide = [max(1, round(side * share ** (1 / len(sides)))) for side in sides]
            mask = torch.zeros(batch, 1, *sides)
            for row in range(batch):
                part = tuple(
                    slice(at, at + w)
                    for w, side in zip(wide, sides, strict=True)
                    for at in [int(torch.randint(side - w + 1, (1,), generator=rng))]
                )
                mask[row][:, *part] = 1
            signs = _signs((batch, channels, *[1] * len(sides)), rng)
            mask, signs = mask.to(images.device), signs.to(images.device)
            tried = torch.where(mask > 0, images + attack.epsilon * signs, here).clamp(0, 1)
            value = losses(tried)
            better = value > highest
            highest = torch.where(better, value, highest)
            here = torch.where(each(better, images), tried, here)
    return here


def strongest(
    judge: Losses, against: Sequence[Losses], images: Tensor, attack: Attack,
    rng: torch.Generator,
) -> Tensor:  # fmt: skip
    """The worst that APGD on each of some losses and Square Attack find, as `judge` sees it.

    Args:
        judge: losses of the predictor that is attacked.
        against: that gradients are taken of, such as those of other paths; for instance `judge`.
        images: `(B, C, …)` in [0, 1].
        attack: ball, steps, and restarts of each.
        rng: of starts and squares.
    """
    result = images.clone()
    with torch.no_grad():
        worst = judge(images)
    for _ in range(attack.restarts):
        tried = [apgd(losses, images, attack, rng) for losses in against]
        if attack.norm == "linf":
            tried.append(square_attack(judge, images, attack, rng))
        for one in tried:
            with torch.no_grad():
                value = judge(one)
            better = value > worst
            worst = torch.where(better, value, worst)
            result = torch.where(each(better, images), one, result)
    return result


def _signs(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    return 2.0 * torch.randint(0, 2, shape, generator=rng) - 1
