"""A convolution whose weights follow a style.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", equations 1 to 3. The
weights of each image are w'ᵢⱼₖ = sᵢ wᵢⱼₖ / √(Σᵢₖ (sᵢ wᵢⱼₖ)² + ε). As sᵢ scales inputs and the root
scales outputs, one convolution serves a whole batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.style_mapping import EvenLinear


def laid(weights: Tensor) -> Tensor:
    """Weights `(O, I, K, K)` with channels last in memory, as convolutions like their maps."""
    return weights.to(memory_format=torch.channels_last)


class ModulatedConvolution(nn.Module):
    """Maps `(B, C, H, W)` and styles `(B, W)` to maps `(B, O, H, W)`.

    Args:
        inputs, outputs: channels.
        width: of the styles.
        kernel: size.
        demodulate: bring every output back to unit SD, equation 3.

    >>> layer = ModulatedConvolution(4, 6, 8, 3)
    >>> maps, styles = torch.randn(2, 4, 5, 5), torch.randn(2, 8)
    >>> torch.allclose(layer(2 * maps, styles), 2 * layer(maps, styles), atol=1e-5)
    True
    """

    def __init__(
        self, inputs: int, outputs: int, width: int, kernel: int, demodulate: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(laid(torch.randn(outputs, inputs, kernel, kernel)))
        self.style = EvenLinear(width, inputs, bias=1.0)
        self.gain = (inputs * kernel**2) ** -0.5
        self.demodulate = demodulate

    def forward(self, maps: Tensor, styles: Tensor) -> Tensor:
        scale = self.style(styles)
        weight = (self.weight * self.gain).to(maps.dtype)
        result = functional.conv2d(
            maps * scale[:, :, None, None].to(maps.dtype), weight, padding=weight.shape[-1] // 2
        )
        if self.demodulate:
            power = (self.weight * self.gain).square().sum(dim=(2, 3))
            std = torch.rsqrt(scale.square() @ power.T + 1e-8)
            result = result * std[:, :, None, None].to(maps.dtype)
        return result
