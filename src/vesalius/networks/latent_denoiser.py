"""The SPADE latent denoiser: a code of an image from noise, told by a label map or an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.embedding import LevelAndCondition
from vesalius.networks.folding import depth_to_space, space_to_depth
from vesalius.networks.spade import LabelEncoder, Modulation, SpadeBlock

Kept = tuple[Tensor, list[tuple[Modulation, Modulation]]]
"""Features of labels at the resolution of the code, and what each block reads of them."""


class SpadeLatentDenoiser(nn.Module):
    """F(x, level; labels) on codes `(B, K, D, H, W)` of even sides, by a U-Net of SPADE blocks.

    Args:
        code_channels: K.
        labels: number of labels, the background included, or channels of an image that is given in
            the place of a label map.
        coarseness: of the code against the label map.
        widths: channels at the resolution of the code and at half of it.
        blocks: SPADE blocks on each way at each resolution.
        conditions: length of a condition of the whole image, 0 for none.

    >>> from vesalius.networks.spade import one_hot
    >>> net = SpadeLatentDenoiser(4, labels=3, coarseness=4, widths=(16, 16), blocks=1)
    >>> maps = net.read_labels(torch.zeros(1, 3, 16, 16, 16))
    >>> net(torch.rand(1, 4, 4, 4, 4), torch.tensor([0.5]), maps).shape
    torch.Size([1, 4, 4, 4, 4])
    """

    def __init__(
        self, code_channels: int, labels: int, coarseness: int, widths: tuple[int, int],
        blocks: int, conditions: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        fine, coarse = widths
        self.coarseness = coarseness
        self.embed = LevelAndCondition(conditions, coarse)
        self.read_labels = LabelEncoder(labels, (coarseness, 2 * coarseness), fine)
        self.conv_in = nn.Conv3d(code_channels + fine, fine, 3, padding=1)
        self.down_blocks = nn.ModuleList(
            [SpadeBlock(fine, fine, fine, coarse) for _ in range(blocks)]
        )
        self.down = nn.Conv3d(8 * fine, coarse, 1)
        self.middle = nn.ModuleList(
            [SpadeBlock(coarse, coarse, fine, coarse) for _ in range(2 * blocks)]
        )
        self.up = nn.Conv3d(coarse, 8 * fine, 1)
        self.up_blocks = nn.ModuleList(
            [SpadeBlock(2 * fine if i == 0 else fine, fine, fine, coarse) for i in range(blocks)]
        )
        self.conv_out = nn.Conv3d(fine, code_channels, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]

    def kept(self, maps: dict[int, Tensor]) -> Kept:
        """What each block reads of the labels, so that a sampler reads it once and not each step.

        Args:
            maps: of `read_labels`.
        """
        fine, coarse = maps[self.coarseness], maps[2 * self.coarseness]
        every = [(block, fine) for block in self.down_blocks]
        every += [(block, coarse) for block in self.middle]
        every += [(block, fine) for block in self.up_blocks]
        return fine, [block.read(own) for block, own in every]  # type: ignore[operator]

    def forward(
        self, x: Tensor, level: Tensor, maps: dict[int, Tensor] | Kept,
        condition: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """F of a scaled noisy code, with `maps` of `read_labels`, or `kept` of them."""
        fine, read = maps if isinstance(maps, tuple) else self.kept(maps)
        vector = self.embed(level.expand(len(x)) if level.ndim == 0 else level, condition)
        own = iter(read)
        h = self.conv_in(torch.cat([x, fine], dim=1))
        for block in self.down_blocks:
            h = block(h, next(own), vector)
        skip = h
        h = self.down(space_to_depth(h, 2))
        for block in self.middle:
            h = block(h, next(own), vector)
        h = torch.cat([depth_to_space(self.up(h), 2), skip], dim=1)
        for block in self.up_blocks:
            h = block(h, next(own), vector)
        out: Tensor = self.conv_out(functional.silu(h)).float()
        return out
