"""Noise maps: how much each voxel may change, from a landmark in millimetres.

A map `w` lies in [0, 1]: 1 at the landmark, falling with distance, 0 where nothing may change. The
noise level of a voxel at time t is τ(v) = w(v)·t, after Hansen et al. 2024 (arXiv 2406.02477),
whose map is rebuilt here from its description.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

SMALLEST = 0.02
"""Below it a Gaussian map is cut to zero, so that it has an end and context is kept exactly."""


def distance_mm(
    shape: Sequence[int], spacing_mm: Sequence[float], landmark: Sequence[float],
    stretch: Sequence[float] = (1.0, 1.0, 1.0),
) -> Tensor:  # fmt: skip
    """Distance of every voxel from a landmark, `(X, Y, Z)` in mm.

    Args:
        shape: of the grid.
        spacing_mm: along each axis, so that 4 mm slices and 1 mm pixels count as what they are.
        landmark: voxel coordinates, fractions allowed.
        stretch: factor on the width along each axis; 2 lets a map reach twice as far there.

    >>> far = distance_mm((3, 3, 3), (4.0, 1.0, 1.0), (1, 1, 1))
    >>> far[0, 1, 1].item(), far[1, 1, 2].item()
    (4.0, 1.0)
    """
    axes = [
        (torch.arange(n, dtype=torch.float32) - at) * size / wide
        for n, size, at, wide in zip(shape, spacing_mm, landmark, stretch, strict=True)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).norm(dim=0)


def distance_around_mm(region: np.ndarray, spacing_mm: Sequence[float]) -> Tensor:
    """Distance of every voxel from a region `(X, Y, Z)` in mm, 0 inside it; infinite from none.

    >>> region = np.zeros((1, 1, 4), dtype=bool); region[..., 1] = True
    >>> distance_around_mm(region, (4.0, 1.0, 2.0)).flatten().tolist()
    [2.0, 0.0, 2.0, 4.0]
    """
    if not region.any():
        return torch.full(region.shape, torch.inf)
    away = ndimage.distance_transform_edt(~region, sampling=spacing_mm)
    return torch.from_numpy(away.astype(np.float32))


def gaussian_map(distance: Tensor, sigma_mm: float) -> Tensor:
    """`w` = exp(−d²/2σ²), 0 below `SMALLEST`.

    >>> gaussian_map(torch.tensor([0.0, 10.0, 40.0]), 10.0).tolist()
    [1.0, 0.6065306663513184, 0.0]
    """
    w = torch.exp(-0.5 * (distance / sigma_mm) ** 2)
    return torch.where(w < SMALLEST, 0.0, w)


def linear_map(distance: Tensor, core_mm: float, reach_mm: float) -> Tensor:
    """`w` = 1 within `core_mm`, 0 beyond `reach_mm`, a straight line between.

    >>> linear_map(torch.tensor([3.0, 10.0, 15.0, 20.0]), core_mm=5.0, reach_mm=15.0).tolist()
    [1.0, 0.5, 0.0, 0.0]
    """
    if not 0 <= core_mm < reach_mm:
        raise ValueError(f"the core must end before the reach, not {core_mm} and {reach_mm} mm")
    return ((reach_mm - distance) / (reach_mm - core_mm)).clamp(0, 1)


def on_latent_grid(weight: Tensor, factors: Sequence[int]) -> Tensor:
    """A map `(B, 1, D, H, W)` on a grid coarser by whole factors: the largest of each block.

    A latent voxel stands for all voxels of its block, so it must be free to change where any of
    them is; and it stays exactly what it was only where all of them do.

    >>> fine = torch.zeros(1, 1, 1, 4, 4); fine[..., 1, 1] = 0.5
    >>> on_latent_grid(fine, (1, 2, 2))[0, 0, 0].tolist()
    [[0.5, 0.0], [0.0, 0.0]]
    """
    return functional.max_pool3d(weight, tuple(factors), tuple(factors))


def voxel_levels(weight: Tensor, times: Tensor) -> Tensor:
    """Levels `(N + 1, B, 1, D, H, W)` of a sampler from a map and falling times `(N + 1,)`.

    >>> levels = voxel_levels(torch.full((1, 1, 1, 1, 2), 0.5), torch.tensor([1.0, 0.5, 0.0]))
    >>> levels[:, 0, 0, 0, 0, 0].tolist()
    [0.5, 0.25, 0.0]
    """
    return times.reshape(-1, *[1] * weight.ndim) * weight
