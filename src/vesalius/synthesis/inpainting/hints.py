"""Hints: what is asked for, drawn to scale around the landmark.

A size in mm told as a number alone is learnt slowly. Beside it the networks see, for each
pathology, where it is wanted, and a ball as large as it is wanted.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vesalius.diffusion.noise_maps import distance_mm
from vesalius.scans.spine import PATHOLOGIES
from vesalius.synthesis.inpainting.latent import LATENT_FACTORS
from vesalius.synthesis.inpainting.seen import SeenPathologies

PRESENCE_MM = 6.0
EDGE_MM = 1.0


def latent_distance(
    crop: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> Tensor:  # fmt: skip
    """Distance in mm of each latent voxel from the middle of a crop, `(1, 1, D, H/2, W/2)`."""
    shape = [n // f for n, f in zip(crop, LATENT_FACTORS, strict=True)]
    sizes = [s * f for s, f in zip(spacing_mm, LATENT_FACTORS, strict=True)]
    return distance_mm(shape, sizes, [(n - 1) / 2 for n in shape])[None, None]


def hint_maps(condition: Tensor, distance: Tensor, seen: SeenPathologies) -> Tensor:
    """Maps `(B, 2·P, D, H, W)` of conditions `(B, A)`; all zero where there is no condition.

    Args:
        condition: see `SeenPathologies.condition`.
        distance: from the landmark in mm, `(1, 1, D, H, W)`.
        seen: pathologies of the run.

    >>> from vesalius.synthesis.inpainting.seen import SeenPathology
    >>> known = SeenPathologies(levels=("L4-L5",), pathologies=(
    ...     SeenPathology.of("herniation", [4.0, 8.0], ["L4-L5"] * 2),))
    >>> told = torch.tensor([known.condition("herniation", "L4-L5", {"herniation": 8.0})])
    >>> ball = hint_maps(told, torch.tensor([0.0, 8.0, 16.0]).reshape(1, 1, 1, 1, 3), known)[0, 1]
    >>> ball.flatten().round(decimals=2).tolist()
    [1.0, 0.5, 0.0]
    """
    maps = []
    for index, (pathology, (flag, value)) in enumerate(
        zip(seen.pathologies, seen.size_columns, strict=True)
    ):
        wanted = condition[:, 1 + index].reshape(-1, 1, 1, 1, 1)
        told = wanted * condition[:, flag].reshape(-1, 1, 1, 1, 1)
        size = condition[:, value].reshape(-1, 1, 1, 1, 1) * pathology.sd + pathology.mean
        radius = size if PATHOLOGIES[pathology.name].worse == "larger" else size / 2
        maps.append(wanted * torch.exp(-0.5 * (distance / PRESENCE_MM) ** 2))
        maps.append(told * torch.sigmoid((radius - distance) / EDGE_MM))
    return torch.cat(maps, dim=1)
