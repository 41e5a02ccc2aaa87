"""The critic of StyleGAN2: residual, halving, with a look at the spread of a whole batch.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", section 4; the spread
of the batch after Karras et al. 2018, "Progressive growing of GANs", section 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.blurred_resampling import downsampled
from vesalius.networks.modulated_convolution import laid
from vesalius.networks.style_mapping import EvenLinear

GROUP = 4


class EvenConvolution(nn.Module):
    """A convolution that keeps the size, its weights scaled when used, see `EvenLinear`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(laid(torch.randn(outputs, inputs, kernel, kernel)))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.gain = (inputs * kernel**2) ** -0.5

    def forward(self, maps: Tensor) -> Tensor:
        weight = (self.weight * self.gain).to(maps.dtype)
        bias = None if self.bias is None else self.bias.to(maps.dtype)
        return functional.conv2d(maps, weight, bias, padding=weight.shape[-1] // 2)


class ResidualHalving(nn.Module):
    """Two convolutions and a shortcut, at half the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EvenConvolution(inputs, inputs, 3)
        self.second = EvenConvolution(inputs, outputs, 3)
        self.shortcut = EvenConvolution(inputs, outputs, 1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        result = _active(self.second(downsampled(_active(self.first(maps)))))
        return (result + self.shortcut(downsampled(maps))) / 2**0.5


class StyleCritic(nn.Module):
    """Pictures `(B, C, S, S)` to how real they look `(B,)`, above zero for real.

    Args:
        channels: of the pictures.
        widths: channels at 4², 8² and so on, those of the generator.

    >>> StyleCritic(1, (8, 8, 4))(torch.randn(4, 1, 16, 16)).shape
    torch.Size([4])
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        falling = list(widths)[::-1]
        self.seen = EvenConvolution(channels, falling[0], 1)
        self.halvings = nn.Sequential(
            *(ResidualHalving(a, b) for a, b in zip(falling, falling[1:], strict=False))
        )
        self.last = EvenConvolution(falling[-1] + 1, falling[-1], 3)
        self.dense = EvenLinear(falling[-1] * 16, falling[-1])
        self.verdict = EvenLinear(falling[-1], 1)

    def forward(self, pictures: Tensor) -> Tensor:
        maps = self.halvings(_active(self.seen(pictures)))
        maps = _active(self.last(torch.cat([maps, batch_std(maps)], dim=1)))
        result: Tensor = self.verdict(_active(self.dense(maps.flatten(1))))[:, 0]
        return result


def batch_std(maps: Tensor) -> Tensor:
    """The mean spread within groups of a batch, as one more map `(B, 1, H, W)`.

    >>> std = batch_std(torch.ones(4, 3, 2, 2))
    >>> std.shape, bool(std.max() < 1e-3)
    (torch.Size([4, 1, 2, 2]), True)
    """
    count = len(maps)
    groups = max(1, count // GROUP)
    if count % groups:
        groups = 1
    grouped = maps.reshape(count // groups, groups, -1)
    std = (grouped.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=1)
    each = std.repeat(count // groups)
    return each[:, None, None, None].expand(-1, 1, *maps.shape[2:])


def _active(maps: Tensor) -> Tensor:
    return functional.leaky_relu(maps, 0.2) * 2**0.5
