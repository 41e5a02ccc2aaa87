"""The volume denoiser: a 3D U-Net whose attention looks along slices and across them in turn.

After the space-time U-Net of Ho et al. 2022, "Video diffusion models", section 3, whose frames are
slices here, as Khader et al. 2023 use it for volumes. Attention costs H²W² in a slice and D² along
the depth, not D²H²W².
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.embedding import LevelAndCondition
from vesalius.networks.folding import Factors, depth_to_space, space_to_depth
from vesalius.networks.residual import voxel_norm


class EmbeddedBlock(nn.Module):
    """Two normalised convolutions beside a skip, scaled and shifted by a vector between them.

    Perez et al. 2018, "FiLM", eq. 2.

    Args:
        channels_in, channels: in and out.
        embedding_dim: width of the vector.
        kernel: voxels along each axis, all odd.
    """

    def __init__(
        self, channels_in: int, channels: int, embedding_dim: int, kernel: Factors = (3, 3, 3)
    ) -> None:
        super().__init__()
        self.first = _convolution(channels_in, channels, kernel)
        self.second = _convolution(channels, channels, kernel)
        self.film = nn.Linear(embedding_dim, 2 * channels)
        self.skip = nn.Conv3d(channels_in, channels, 1) if channels_in != channels else None
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        scale, shift = self.film(vector)[:, :, None, None, None].chunk(2, dim=1)
        h = self.first(functional.silu(voxel_norm(x)))
        h = voxel_norm(h) * (1 + scale) + shift
        h = self.second(functional.silu(h))
        total: Tensor = h + (x if self.skip is None else self.skip(x))
        return total


class SliceAndDepthAttention(nn.Module):
    """Each voxel looks at those of its slice, then at those above and below it.

    Where a voxel lies is told by a learnt vector for each place along each axis, read at any size.

    Args:
        channels: a multiple of `heads`.
        heads: of the attention.
        depth_axis: 0, 1 or 2: the axis across slices.
    """

    PLACES = 16

    def __init__(self, channels: int, heads: int, depth_axis: int = 2) -> None:
        super().__init__()
        self.heads, self.depth_axis = heads, depth_axis
        self.places = nn.Parameter(0.02 * torch.randn(3, channels, self.PLACES))
        self.ask_slice, self.give_slice = nn.Linear(channels, 3 * channels), _zeroed(channels)
        self.ask_depth, self.give_depth = nn.Linear(channels, 3 * channels), _zeroed(channels)

    def forward(self, x: Tensor) -> Tensor:
        h = x.movedim(2 + self.depth_axis, 2)
        b, c, d, *plane = h.shape
        count = plane[0] * plane[1]
        place = self._placed(x.shape[2:]).movedim(1 + self.depth_axis, 1).reshape(1, c, d, count)
        tokens = h.reshape(b, c, d, count)
        placed = (voxel_norm(tokens) + place).permute(0, 2, 3, 1)
        mixed = self._attend(placed.reshape(b * d, count, c), self.ask_slice, self.give_slice)
        tokens = tokens + mixed.reshape(b, d, count, c).permute(0, 3, 1, 2)
        placed = (voxel_norm(tokens) + place).permute(0, 3, 2, 1)
        mixed = self._attend(placed.reshape(b * count, d, c), self.ask_depth, self.give_depth)
        tokens = tokens + mixed.reshape(b, count, d, c).permute(0, 3, 2, 1)
        return tokens.reshape(b, c, d, *plane).movedim(2, 2 + self.depth_axis)

    def _attend(self, tokens: Tensor, ask: nn.Linear, give: nn.Linear) -> Tensor:
        b, n, c = tokens.shape
        parts = ask(tokens).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*parts)
        out: Tensor = give(mixed.transpose(1, 2).reshape(b, n, c))
        return out

    def _placed(self, sides: torch.Size) -> Tensor:
        """A vector for each voxel, `(C, D, H, W)`."""
        d, h, w = (
            functional.interpolate(axis[None], side, mode="linear", align_corners=False)[0]
            for axis, side in zip(self.places, sides, strict=True)
        )
        return d[:, :, None, None] + h[:, None, :, None] + w[:, None, None, :]


class VolumeDenoiser(nn.Module):
    """F(x, level; condition) on codes `(B, K, D, H, W)`.

    Args:
        code_channels: K.
        shape: D, H and W.
        conditions: length of the condition, 0 for none.
        widths: channels of each resolution, finest first; each is half of the one before along the
            axes that can be halved.
        blocks: at each resolution on each way.
        attend_from: first resolution with attention, 0 for all.
        heads: of the attention.
        depth_axis: 0, 1 or 2: the axis across slices.
        given: channels that are given beside the code and not denoised, such as a code of before.
        thin: let kernels be one voxel along axes of one voxel, where all else only costs time.

    >>> net = VolumeDenoiser(4, (8, 8, 4), conditions=2, widths=(8, 16, 16), blocks=1)
    >>> net(torch.rand(2, 4, 8, 8, 4), torch.rand(2), torch.rand(2, 2)).shape
    torch.Size([2, 4, 8, 8, 4])
    """

    def __init__(
        self, code_channels: int, shape: Factors, conditions: int, widths: tuple[int, ...],
        blocks: int = 2, attend_from: int = 0, heads: int = 4, depth_axis: int = 2,
        given: int = 0, thin: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        embedding_dim = widths[-1]
        a, b, c = (1 if thin and side == 1 else 3 for side in shape)
        kernel: Factors = (a, b, c)
        self.embed = LevelAndCondition(conditions, embedding_dim)
        self.halvings = halvings(shape, len(widths) - 1)
        self.conv_in = _convolution(code_channels + given, widths[0], kernel)
        self.conv_out = _convolution(widths[0], code_channels, kernel)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]

        def attention(level: int) -> nn.Module:
            if level < attend_from:
                return nn.Identity()
            return SliceAndDepthAttention(widths[level], heads, depth_axis)

        self.down_blocks, self.down_attention = nn.ModuleList(), nn.ModuleList()
        self.up_blocks, self.up_attention = nn.ModuleList(), nn.ModuleList()
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(widths):
            self.down_blocks.append(_blocks(width, width, embedding_dim, blocks, kernel))
            self.down_attention.append(attention(level))
            if level == len(widths) - 1:
                break
            folded = width * self.halvings[level][0] * self.halvings[level][1]
            folded *= self.halvings[level][2]
            self.down.append(nn.Conv3d(folded, widths[level + 1], 1))
            self.up.append(nn.Conv3d(widths[level + 1], folded, 1))
            self.up_blocks.append(_blocks(2 * width, width, embedding_dim, blocks, kernel))
            self.up_attention.append(attention(level))
        self.middle = _blocks(widths[-1], widths[-1], embedding_dim, 1, kernel)

    def forward(
        self, x: Tensor, level: Tensor, condition: Tensor | None = None, given: Tensor | None = None
    ) -> Tensor:
        """F of a scaled noisy code."""
        vector = self.embed(level.expand(len(x)) if level.ndim == 0 else level, condition)
        h = self.conv_in(x if given is None else torch.cat([x, given], dim=1))
        skips = []
        for depth, blocks in enumerate(self.down_blocks):
            for block in blocks:  # type: ignore[attr-defined]
                h = block(h, vector)
            h = self.down_attention[depth](h)
            if depth < len(self.down):
                skips.append(h)
                h = self.down[depth](space_to_depth(h, self.halvings[depth]))
        for block in self.middle:
            h = block(h, vector)
        for depth in reversed(range(len(self.up))):
            h = depth_to_space(self.up[depth](h), self.halvings[depth])
            h = torch.cat([h, skips[depth]], dim=1)
            for block in self.up_blocks[depth]:  # type: ignore[attr-defined]
                h = block(h, vector)
            h = self.up_attention[depth](h)
        out: Tensor = self.conv_out(functional.silu(voxel_norm(h))).float()
        return out


def halvings(shape: Factors, count: int) -> tuple[Factors, ...]:
    """Which axes are halved at each step: those whose side is even and above one.

    >>> halvings((8, 8, 2), 2)
    ((2, 2, 2), (2, 2, 1))
    """
    steps = []
    for _ in range(count):
        a, b, c = (2 if side % 2 == 0 and side > 1 else 1 for side in shape)
        steps.append((a, b, c))
        shape = (shape[0] // a, shape[1] // b, shape[2] // c)
    return tuple(steps)


def _blocks(
    channels_in: int, channels: int, embedding_dim: int, count: int, kernel: Factors
) -> nn.ModuleList:
    sizes = [channels_in] + [channels] * (count - 1)
    return nn.ModuleList([EmbeddedBlock(size, channels, embedding_dim, kernel) for size in sizes])


def _convolution(channels_in: int, channels: int, kernel: Factors) -> nn.Conv3d:
    a, b, c = (side // 2 for side in kernel)
    return nn.Conv3d(channels_in, channels, kernel, padding=(a, b, c))


def _zeroed(channels: int) -> nn.Linear:
    """A layer that says nothing at first."""
    layer = nn.Linear(channels, channels)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
