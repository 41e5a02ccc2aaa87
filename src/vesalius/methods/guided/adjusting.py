"""A generated shape is moved until it measures what was requested.

In a deformation space the volume of a structure follows the code only loosely. So the code is moved
along the direction in which the attribute changes between cases, and measured again, until the
request is met: a search for a root by secants, a step for each attribute.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vesalius.networks.gaussian_prior import GaussianPrior

ROUNDS, CLOSE = 6, 0.02
"""How often a shape is measured again, and the error in units of a condition that is let be."""

FLATTEST, STEEPEST = 0.3, 3.0
"""Slopes of a measurement against its condition that are trusted."""


def directions(prior: GaussianPrior, wanted: Tensor) -> Tensor:
    """How codes change with each attribute by one unit of its condition, `(A, K)`.

    Args:
        prior: of codes given conditions.
        wanted: condition `(1, A + 1)` about which they change.
    """
    half = 0.5 * torch.eye(wanted.shape[1], device=wanted.device)[:-1]
    change: Tensor = prior.mean(wanted + half) - prior.mean(wanted - half)
    return change


def adjusted(
    code: Tensor, wanted: Tensor, along: Tensor, measured: Callable[[Tensor], Tensor]
) -> Tensor:
    """The code `(1, K)` whose measurements are nearest to what is wanted.

    Args:
        code: as it was generated `(1, K)`.
        wanted: standardised values of the attributes `(A,)`.
        along: see `directions`.
        measured: standardised values `(A,)` of a code.

    >>> along = torch.tensor([[1.0, 0.0]])
    >>> measured = lambda code: 1.6 * code[0, :1] - 0.5
    >>> found = adjusted(torch.zeros(1, 2), torch.tensor([2.0]), along, measured)
    >>> round(float(measured(found)), 1), float(found[0, 1])
    (2.0, 0.0)
    """
    moved, slope = torch.zeros_like(wanted), torch.ones_like(wanted)
    best, least = code, float("inf")
    before: tuple[Tensor, Tensor] | None = None
    for _ in range(ROUNDS):
        current = code + moved @ along
        value = measured(current)
        missing = wanted - value
        error = float(missing.abs().max())
        if error < least:
            best, least = current, error
        if error < CLOSE:
            break
        if before is not None:
            step, change = moved - before[0], value - before[1]
            secant = torch.where(step.abs() > 1e-6, change / step, slope)
            slope = secant.clamp(FLATTEST, STEEPEST)
        before = moved, value
        moved = moved + missing / slope
    return best
