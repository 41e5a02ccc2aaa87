"""Resampling of pictures by two through a small blur, so that no grid of the network shows.

The filter 1-3-3-1 of Karras et al. 2020 ("Analyzing and improving the image quality of StyleGAN",
appendix B); without it, every other pixel learns from other weights than its neighbours.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8


def upsampled(maps: Tensor) -> Tensor:
    """Maps `(B, C, H, W)` at twice the size; flat ones stay as they are.

    >>> upsampled(torch.ones(1, 1, 4, 4))[0, 0, 4].tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    channels = maps.shape[1]
    filters = (4 * torch.outer(_TAPS, _TAPS)).to(maps).expand(channels, 1, 4, 4)
    padded = functional.pad(maps, (1, 1, 1, 1), mode="replicate")
    return functional.conv_transpose2d(padded, filters, stride=2, padding=3, groups=channels)


def downsampled(maps: Tensor) -> Tensor:
    """Maps `(B, C, H, W)` at half the size.

    >>> downsampled(torch.ones(1, 1, 8, 8))[0, 0, 1].tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    channels = maps.shape[1]
    filters = torch.outer(_TAPS, _TAPS).to(maps).expand(channels, 1, 4, 4)
    padded = functional.pad(maps, (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(padded, filters, stride=2, groups=channels)
