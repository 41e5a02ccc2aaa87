"""Classifier-free guidance: one batched call for both branches, and the drop of conditions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vesalius.diffusion.samplers import Denoiser


def guided(
    denoise: Callable[[Tensor, Tensor, Tensor], Tensor], condition: Tensor, null: Tensor,
    scale: float,
) -> Denoiser:  # fmt: skip
    """A denoiser that leans towards its condition (Ho and Salimans 2022, eq. 6, on x₀).

    x₀ = x₀(∅) + scale · (x₀(c) − x₀(∅)); scale 1 is the plain conditional denoiser.

    Args:
        denoise: guesses x₀ from `(x, level, condition)`.
        condition: `(B, ...)`, one for each sample.
        null: of the same shape, what stands for no condition.
        scale: 0 ignores the condition, above 1 exaggerates it.

    >>> shift = lambda x, level, c: x + c
    >>> guided_denoiser = guided(shift, torch.ones(2, 1), torch.zeros(2, 1), scale=1.5)
    >>> guided_denoiser(torch.zeros(2, 1), torch.tensor(0.5)).flatten().tolist()
    [1.5, 1.5]
    """
    if scale == 1:
        return lambda x, level: denoise(x, level, condition)
    both = torch.cat([condition, null])

    def guided_denoiser(x: Tensor, level: Tensor) -> Tensor:
        twice = torch.cat([level, level]) if level.ndim and len(level) == len(x) else level
        with_condition, without = denoise(torch.cat([x, x]), twice, both).chunk(2)
        return without + scale * (with_condition - without)

    return guided_denoiser


def autoguided(denoise: Denoiser, worse: Denoiser, scale: float) -> Denoiser:
    """A denoiser that leans away from a worse one of its kind, such as itself at an early step.

    x₀ = x₀ʷ + scale · (x₀ − x₀ʷ): what both get wrong, the worse one gets wrong more, so the
    difference points away from it (Karras, Aittala, Kynkäänniemi, Lehtinen, Aila and Laine 2024,
    "Guiding a diffusion model with a bad version of itself").

    Args:
        denoise: guesses x₀ from `(x, level)`.
        worse: likewise, less trained.
        scale: 1 is the plain denoiser.

    >>> better, worse = (lambda x, level: x + 1), (lambda x, level: x)
    >>> autoguided(better, worse, 1.5)(torch.zeros(2), torch.tensor(0.5)).tolist()
    [1.5, 1.5]
    """
    if scale == 1:
        return denoise

    def guided_denoiser(x: Tensor, level: Tensor) -> Tensor:
        least = worse(x, level)
        return least + scale * (denoise(x, level) - least)

    return guided_denoiser


def drop_condition(
    condition: Tensor, null: Tensor, share: float, generator: torch.Generator
) -> Tensor:
    """Replace a `share` of the conditions `(B, ...)` by `null`, as training for guidance needs."""
    dropped = torch.rand(len(condition), generator=generator) < share
    form = (-1, *[1] * (condition.ndim - 1))
    return torch.where(dropped.reshape(form).to(condition.device), null, condition)
