"""Registration: the smooth velocity under whose flow one volume looks like another.

Log-domain demons (Vercauteren et al. 2008, "Symmetric log-domain diffeomorphic image registration:
a demons-based approach", without the symmetric term): each round finds for every voxel the step
that would mend its difference, smooths the steps, adds them to the velocity, and smooths that. Its
flow folds nowhere, and velocities, unlike displacements, may be averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vesalius.geometry.deformation import (
    averaged,
    enlarged,
    flow,
    gaussian_smooth,
    warp_voxels,
)


@dataclass(frozen=True)
class Level:
    """One resolution of a registration.

    Attributes:
        factor: voxels that are averaged along each axis.
        rounds: of demons.
        fluid: SD in voxels of this level over which steps are smoothed.
        elastic: SD over which the velocity is.
    """

    factor: int
    rounds: int
    fluid: float = 0.7
    elastic: float = 0.4


LEVELS = (Level(4, 20, 0.7, 0.4), Level(2, 25, 0.7, 0.4))
"""Coarse first; velocities are found at half the resolution of the volumes."""

LONGEST_STEP = 0.5
"""In voxels of a level, so that no round overshoots."""


@torch.no_grad()
def register(moving: Tensor, fixed: Tensor, levels: Sequence[Level] = LEVELS) -> Tensor:
    """Velocities under whose flow `moving` looks like `fixed`.

    Args:
        moving: `(1, C, D, H, W)` or `(B, C, D, H, W)`, sides are multiples of the coarsest factor;
            pictures `(B, C, H, W)` as well.
        fixed: `(B, C, D, H, W)`.
        levels: from coarse to fine.

    Returns:
        `(B, 3, D/f, H/f, W/f)` in voxels of the last level, whose factor is f.

    >>> from vesalius.geometry.deformation import gaussian_smooth
    >>> ball = torch.zeros(1, 1, 16, 16, 16); ball[:, :, 5:11, 5:11, 5:11] = 1
    >>> moved = ball.roll(2, dims=2)
    >>> velocity = register(ball, moved, (Level(2, 30), Level(1, 30)))
    >>> after = warp_voxels(ball, flow(velocity))
    >>> bool((after - moved).abs().mean() < 0.4 * (ball - moved).abs().mean())
    True
    """
    axes = fixed.ndim - 2
    coarsest = (side // levels[0].factor for side in fixed.shape[2:])
    velocity = torch.zeros(len(fixed), axes, *coarsest, device=fixed.device)
    for level in levels:
        own, other = (averaged(one, level.factor) for one in (moving, fixed))
        if other.shape[2:] != velocity.shape[2:]:
            velocity = enlarged(velocity, other.shape[2:])
        for _ in range(level.rounds):
            warped = warp_voxels(own, flow(velocity))
            step = gaussian_smooth(_demons_step(warped, other), level.fluid)
            velocity = gaussian_smooth(velocity + step, level.elastic)
    return velocity


def _demons_step(warped: Tensor, fixed: Tensor) -> Tensor:
    """The step `(B, 3, D, H, W)` in voxels that mends the difference of each voxel.

    For several channels: Σ difference·∇warped / (Σ |∇warped|² + Σ difference²).
    """
    difference = fixed - warped
    gradient = torch.stack(torch.gradient(warped, dim=tuple(range(2, warped.ndim))), dim=1)
    force = (gradient * difference[:, None]).sum(dim=2)
    strength = gradient.square().sum(dim=(1, 2)) + difference.square().sum(dim=1)
    step = force / strength.clamp(min=1e-4)[:, None]
    length = step.norm(dim=1, keepdim=True).clamp(min=1e-6)
    return step * (LONGEST_STEP / length).clamp(max=1.0)
