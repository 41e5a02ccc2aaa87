"""The voxelwise denoiser: one network told, at every voxel, how noisy that voxel is.

A small U-Net on sagittal volumes: convolutions in the slice at full latent resolution, in all three
directions at half of it, attention among the coarse voxels if asked for. Level map, noise map
and place scale and shift the features of each voxel, as SPADE does (Park et al. 2019); pathology,
level of the spine and size do so for all voxels alike (FiLM, Perez et al. 2018).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.embedding import wave_features
from vesalius.networks.residual import voxel_norm


class ModulatedBlock(nn.Module):
    """Two normalised convolutions beside a skip, scaled and shifted by a vector and at each voxel.

    Args:
        channels_in, channels: in and out.
        embedding_dim: width of the vector.
        read: channels of what is told at each voxel.
        kernel: of the convolutions.
    """

    def __init__(
        self,
        channels_in: int,
        channels: int,
        embedding_dim: int,
        read: int,
        kernel: tuple[int, int, int],
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        self.first = nn.Conv3d(channels_in, channels, kernel, padding=padding)
        self.second = nn.Conv3d(channels, channels, kernel, padding=padding)
        self.film = nn.Linear(embedding_dim, 2 * channels)
        self.modulate = nn.Conv3d(read, 2 * channels, 1)
        self.skip = nn.Conv3d(channels_in, channels, 1) if channels_in != channels else None
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, vector: Tensor, read: Tensor) -> Tensor:
        everywhere = self.film(vector)[:, :, None, None, None]
        scale, shift = (self.modulate(read) + everywhere).chunk(2, dim=1)
        h = self.first(functional.silu(voxel_norm(x)))
        h = voxel_norm(h) * (1 + scale) + shift
        h = self.second(functional.silu(h))
        total: Tensor = h + (x if self.skip is None else self.skip(x))
        return total


class VoxelAttention(nn.Module):
    """Self-attention among all voxels of a coarse grid."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ask = nn.Linear(channels, 3 * channels)
        self.give = nn.Linear(channels, channels)
        nn.init.zeros_(self.give.weight)

    def forward(self, x: Tensor) -> Tensor:
        b, c, *grid = x.shape
        tokens = voxel_norm(x).flatten(2).transpose(1, 2)
        parts = self.ask(tokens).reshape(b, -1, 3, self.heads, c // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        out = self.give(mixed.transpose(1, 2).reshape(b, -1, c))
        total: Tensor = x + out.transpose(1, 2).reshape(b, c, *grid)
        return total


class VoxelwiseDenoiser(nn.Module):
    """F(x, level map; map, condition) on latents `(B, C, D, H, W)`, H and W even.

    Args:
        channels: C.
        context: further channels given beside x, such as a masked source.
        conditions: length of the condition.
        conditioning: maps that draw the condition to scale.
        widths: channels at the latent's resolution and at half of it in the slice.
        blocks: at each resolution on each way.
        heads: of the attention at the coarse resolution; 0 for none.

    >>> sizes = {"widths": (16, 32), "blocks": 1}
    >>> net = VoxelwiseDenoiser(4, context=0, conditions=6, conditioning=2, **sizes)
    >>> x, (level, weight) = torch.rand(2, 4, 3, 8, 8), torch.rand(2, 2, 1, 3, 8, 8)
    >>> net(x, level, weight, torch.rand(2, 6), torch.rand(2, 2, 3, 8, 8)).shape
    torch.Size([2, 4, 3, 8, 8])
    """

    READ = 32
    WAVES = (1.0, 2.0, 4.0)

    def __init__(
        self, channels: int, context: int, conditions: int, conditioning: int,
        widths: tuple[int, int], blocks: int = 2, heads: int = 4,
    ) -> None:  # fmt: skip
        super().__init__()
        fine, coarse = widths
        plane, volume = (1, 3, 3), (3, 3, 3)
        embedding_dim = coarse
        self.embed = nn.Sequential(
            nn.Linear(32 + conditions, embedding_dim),
            nn.SiLU(),
            nn.Linear(embedding_dim, embedding_dim),
            nn.SiLU(),
        )
        maps = 5 + 2 * len(self.WAVES) + conditioning
        self.read = nn.Sequential(
            nn.Conv3d(maps, self.READ, 1), nn.SiLU(), nn.Conv3d(self.READ, self.READ, 1), nn.SiLU()
        )
        self.conv_in = nn.Conv3d(channels + context + self.READ, fine, plane, padding=(0, 1, 1))
        self.down_blocks = nn.ModuleList(
            [ModulatedBlock(fine, fine, embedding_dim, self.READ, plane) for _ in range(blocks)]
        )
        self.down = nn.Conv3d(fine, coarse, (1, 2, 2), stride=(1, 2, 2))
        self.middle = nn.ModuleList(
            [
                ModulatedBlock(coarse, coarse, embedding_dim, self.READ, volume)
                for _ in range(blocks + 1)
            ]
        )
        self.attention = VoxelAttention(coarse, heads) if heads else None
        self.up = nn.ConvTranspose3d(coarse, fine, (1, 2, 2), stride=(1, 2, 2))
        self.up_blocks = nn.ModuleList(
            [
                ModulatedBlock(2 * fine if i == 0 else fine, fine, embedding_dim, self.READ, plane)
                for i in range(blocks)
            ]
        )
        self.finish = nn.Conv3d(self.READ, 2 * fine, 1)
        self.conv_out = nn.Conv3d(fine, channels, plane, padding=(0, 1, 1))
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]

    def begin_as(self, other: VoxelwiseDenoiser) -> None:
        """Take the weights of a network without context; what reads the context begins at zero."""
        weights = other.state_dict()
        missing = self.conv_in.in_channels - other.conv_in.in_channels
        if missing:
            entry = weights["conv_in.weight"]
            x, read = entry.split([entry.shape[1] - self.READ, self.READ], dim=1)
            nothing = entry.new_zeros(entry.shape[0], missing, *entry.shape[2:])
            weights["conv_in.weight"] = torch.cat([x, nothing, read], dim=1)
        self.load_state_dict(weights)

    def forward(
        self, x: Tensor, level: Tensor, weight: Tensor, condition: Tensor,
        conditioning: Tensor, context: Tensor | None = None, place: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """F of a scaled noisy latent.

        Args:
            x: `(B, C, D, H, W)`.
            level: noise level of each voxel `(B, 1, D, H, W)`.
            weight: noise map `(B, 1, D, H, W)`.
            condition: `(B, A)`.
            conditioning: `(B, K, D, H, W)`.
            context: `(B, K, D, H, W)` if the network was built for it.
            place: of each voxel from the landmark `(B, 3, D, H, W)`, see `places`; without it the
                landmark lies in the middle of the grid.
        """
        if place is None:
            place = places(x.shape[2:]).to(x.device).expand(len(x), -1, -1, -1, -1)
        angles = [torch.pi * wave * level for wave in self.WAVES]
        waves = [wave(angle) for angle in angles for wave in (torch.sin, torch.cos)]
        read = self.read(torch.cat([level, weight, place, conditioning, *waves], dim=1))
        half = functional.avg_pool3d(read, (1, 2, 2))
        time = level.amax(dim=(1, 2, 3, 4))
        vector = self.embed(torch.cat([wave_features(time, 32), condition], dim=1))
        given = [x, read] if context is None else [x, context, read]
        h = self.conv_in(torch.cat(given, dim=1))
        for block in self.down_blocks:
            h = block(h, vector, read)
        skip = h
        h = self.down(h)
        for index, block in enumerate(self.middle):
            h = block(h, vector, half)
            if index == 0 and self.attention is not None:
                h = self.attention(h)
        h = torch.cat([self.up(h), skip], dim=1)
        for block in self.up_blocks:
            h = block(h, vector, read)
        scale, shift = self.finish(read).chunk(2, dim=1)
        out: Tensor = self.conv_out(h * (1 + scale) + shift).float()
        return out


def places(grid: Sequence[int]) -> Tensor:
    """Where each voxel of a grid lies from its middle, -1 to 1, `(1, 3, D, H, W)`."""
    axes = [torch.linspace(-1, 1, n) for n in grid]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]
