"""3D convolutions of one volume at a time on a processor, by oneDNN at every size.

PyTorch gives a single volume in 32 bits to a convolution of its own unless channels × depth ×
height are more than 20,480; oneDNN, which it takes for all others, is up to 17 times as fast there
(16 channels of 32³ voxels on two cores with AVX2: 81 against 6 ms), and the numbers are equal
within rounding. Sampling, inpainting and segmentation go a case at a time, so most of their
convolutions are such.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class SingleVolumeConv3d(nn.Conv3d):
    """`nn.Conv3d` that gives single volumes in 32 bits to oneDNN.

    >>> own = at_speed(nn.Sequential(nn.Conv3d(2, 3, 3, padding=1)))
    >>> image = torch.randn(1, 2, 5, 5, 5, generator=torch.Generator().manual_seed(0))
    >>> expected = nn.functional.conv3d(image, own[0].weight, own[0].bias, padding=1)
    >>> type(own[0]).__name__, bool(torch.allclose(own(image), expected, atol=1e-5))
    ('SingleVolumeConv3d', True)
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        plain = self.padding_mode == "zeros" and not isinstance(self.padding, str)
        if not plain or not passed_over(input, weight):
            return super()._conv_forward(input, weight, bias)
        result: Tensor = torch.ops.aten.mkldnn_convolution(
            input, weight, bias, self.padding, self.stride, self.dilation, self.groups
        )
        return result


def passed_over(volume: Tensor, weight: Tensor) -> bool:
    """Whether PyTorch might pass oneDNN over: one volume in 32 bits, on a processor.

    >>> weight = torch.zeros(1, 1, 3, 3, 3)
    >>> [passed_over(torch.zeros(count, 1, 4, 4, 4), weight) for count in (1, 2)]
    [True, False]
    """
    return (
        type(volume) is Tensor
        and volume.ndim == 5
        and len(volume) == 1
        and volume.device.type == "cpu"
        and volume.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and torch.backends.mkldnn.is_available()
    )


def at_speed(network: Network) -> Network:
    """Let all 3D convolutions of a network be by oneDNN; its weights and their names stay."""
    for part in network.modules():
        if type(part) is nn.Conv3d:
            part.__class__ = SingleVolumeConv3d
    return network
