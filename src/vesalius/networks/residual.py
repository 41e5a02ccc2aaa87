"""Residual convolutions whose normalisation looks at one voxel at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def voxel_norm(x: Tensor) -> Tensor:
    """Channels of each voxel brought to unit root mean square (Karras et al. 2018, section 4.2).

    Nothing is taken over the volume, so a network may be fitted on parts of it and used on all of
    it, and a volume may be worked on in tiles.

    >>> float(voxel_norm(torch.full((1, 4, 1, 1, 1), 3.0)).mean().round(decimals=4))
    1.0
    """
    return x * torch.rsqrt((x * x).mean(dim=1, keepdim=True) + 1e-6)


class Residual(nn.Module):
    """Two voxel-normalised convolutions of `(B, C, D, H, W)` beside a skip.

    >>> Residual(4)(torch.rand(1, 4, 3, 3, 3)).shape
    torch.Size([1, 4, 3, 3, 3])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(channels, channels, 3, padding=1)
        self.second = nn.Conv3d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(functional.silu(voxel_norm(x)))
        total: Tensor = x + self.second(functional.silu(voxel_norm(h)))
        return total
