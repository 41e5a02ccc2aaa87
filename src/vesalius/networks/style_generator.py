"""The generator of StyleGAN2: a learnt constant, convolved and doubled under the rule of styles.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", figure 2 and section 4:
output by skip connections, noise for what is left to chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.blurred_resampling import upsampled
from vesalius.networks.modulated_convolution import ModulatedConvolution, laid
from vesalius.networks.style_mapping import StyleMapping


class StyledLayer(nn.Module):
    """One modulated convolution, noise of its own strength, and the nonlinearity."""

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.convolution = ModulatedConvolution(inputs, outputs, width, 3)
        self.noise = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, maps: Tensor, styles: Tensor, noise: Tensor | None) -> Tensor:
        result = self.convolution(maps, styles)
        if noise is not None:
            result = result + self.noise * noise
        result = result + self.bias[:, None, None]
        return functional.leaky_relu(result, 0.2) * 2**0.5


class StyleGenerator(nn.Module):
    """Styles `(B, L, W)`, one for each layer, or `(B, W)` for all, to pictures `(B, C, S, S)`.

    Args:
        channels: of the pictures.
        widths: channels at 4², 8², 16² and so on.
        noise, style: lengths of the noise and of styles.
        mapping_layers: of the mapping.

    >>> generator = StyleGenerator(1, (8, 8, 4), 6, 10, 2)
    >>> styles = generator.mapping(torch.randn(2, 6))
    >>> generator.layers, generator(styles).shape
    (5, torch.Size([2, 1, 16, 16]))
    """

    def __init__(
        self, channels: int, widths: Sequence[int], noise: int, style: int, mapping_layers: int
    ) -> None:
        super().__init__()
        self.mapping = StyleMapping(noise, style, mapping_layers)
        self.constant = nn.Parameter(laid(torch.randn(1, widths[0], 4, 4)))
        pairs = list(zip([widths[0], *widths], widths, strict=False))
        self.first = nn.ModuleList(StyledLayer(a, b, style) for a, b in pairs)
        self.second = nn.ModuleList(StyledLayer(b, b, style) for _, b in pairs[1:])
        self.to_picture = nn.ModuleList(
            ModulatedConvolution(b, channels, style, 1, demodulate=False) for _, b in pairs
        )
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.layers = 2 * len(widths) - 1

    @property
    def side(self) -> int:
        """Pixels along each side of a picture."""
        return 4 * 2 ** (len(self.first) - 1)

    def forward(self, styles: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """Pictures of some styles; noise is left out where no source of chance is given."""
        each = styles if styles.dim() == 3 else styles[:, None].expand(-1, self.layers, -1)
        count, number = len(each), 0
        maps = self.constant.expand(count, -1, -1, -1)
        picture = maps.new_zeros(())
        for level, (first, to_picture) in enumerate(zip(self.first, self.to_picture, strict=True)):
            if level:
                maps = upsampled(maps)
                picture = upsampled(picture)
            maps = first(maps, each[:, number], _noise(maps, rng))
            if level:
                number += 1
                maps = self.second[level - 1](maps, each[:, number], _noise(maps, rng))
            picture = picture + to_picture(maps, each[:, number])
            number += 1
        return picture + self.bias


def _noise(maps: Tensor, rng: torch.Generator | None) -> Tensor | None:
    if rng is None:
        return None
    generated = torch.randn(len(maps), 1, *maps.shape[2:], generator=rng)
    return generated.to(maps.device, maps.dtype)
