"""Resampling of pictures by two through a small blur, so that no grid of the network shows.

The filter 1-3-3-1 of Karras et al. 2020 ("Analyzing and improving the image quality of StyleGAN",
appendix B): without it, every other pixel learns from other weights than its neighbours. Upwards it
is linear interpolation, which is faster than a transposed convolution.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8


def upsampled(maps: Tensor) -> Tensor:
    """Maps `(B, C, H, W)` at twice the size; flat ones stay as they are.

    >>> upsampled(torch.tensor([[[[0.0, 8.0]]]]))[0, 0, 0].tolist()
    [0.0, 2.0, 6.0, 8.0]
    """
    return functional.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)


def downsampled(maps: Tensor) -> Tensor:
    """Maps `(B, C, H, W)` at half the size.

    >>> line = torch.tensor([0.0, 0.0, 8.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    >>> downsampled(line.expand(1, 1, 8, 8))[0, 0, 1].tolist()
    [1.0, 3.0, 0.0, 0.0]
    """
    channels = maps.shape[1]
    filters = torch.outer(_TAPS, _TAPS).to(maps).expand(channels, 1, 4, 4)
    padded = functional.pad(maps, (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(padded, filters, stride=2, groups=channels)
