"""The mapping of StyleGAN: from Gaussian noise to the space W in which styles lie.

Karras et al. 2019, "A style-based generator architecture for generative adversarial networks".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOW = 0.01
"""Learning rate of the mapping as a share of the others', section C of the paper."""


class EvenLinear(nn.Module):
    """A linear layer whose weights have unit SD and are scaled when used.

    So every weight learns at the same pace (Karras et al. 2018, "Progressive growing of GANs",
    section 4.1).

    Args:
        inputs, outputs: widths.
        pace: factor on the learning rate.
        bias: to begin with.
    """

    def __init__(self, inputs: int, outputs: int, pace: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / pace)
        self.bias = nn.Parameter(torch.full((outputs,), bias / pace))
        self.gain, self.pace = pace / inputs**0.5, pace

    def forward(self, values: Tensor) -> Tensor:
        return functional.linear(values, self.weight * self.gain, self.bias * self.pace)


class StyleMapping(nn.Module):
    """Noise `(B, Z)` to styles `(B, W)`; the mean style is kept, for truncation and projection.

    Args:
        noise: length of the noise, brought to unit length first.
        width: of the styles.
        layers: of the network.

    >>> mapping = StyleMapping(8, 16, 2)
    >>> mapping(torch.randn(3, 8)).shape
    torch.Size([3, 16])
    """

    mean: Tensor

    def __init__(self, noise: int, width: int, layers: int) -> None:
        super().__init__()
        widths = [noise] + [width] * layers
        self.layers = nn.ModuleList(
            EvenLinear(a, b, SLOW) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.noise = noise
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, noise: Tensor) -> Tensor:
        styles = noise * torch.rsqrt(noise.square().mean(dim=1, keepdim=True) + 1e-8)
        for layer in self.layers:
            styles = functional.leaky_relu(layer(styles), 0.2) * 2**0.5
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(styles.float().mean(dim=0), 0.005)
        return styles
