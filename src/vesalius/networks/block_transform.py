"""Codes without a network: the principal components of blocks of voxels, whitened.

An orthonormal transform loses nothing that its number of channels need not lose, is found in one
pass, and leaves all steps to the denoiser. It suits small cohorts and small budgets; a learned
autoencoder that is fitted for long looks beyond its blocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.networks.folding import Factors, depth_to_space, space_to_depth


class BlockTransform(nn.Module):
    """Images `(B, C, D, H, W)` to codes `(B, K, D/f, H/g, W/h)` of unit SD, and back.

    Args:
        channels: C.
        code_channels: K, at most C·f·g·h, which lose nothing.
        downsampling: f, g and h.

    Raises:
        ValueError: for more channels than a block has voxels.

    >>> images = torch.rand(6, 1, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> whole = BlockTransform(1, 8, (2, 2, 2))
    >>> whole.fit(images[:, None])
    >>> bool(torch.allclose(whole.decode(whole.encode(images)), images, atol=1e-5))
    True
    """

    bottleneck = None

    def __init__(self, channels: int, code_channels: int, downsampling: Factors) -> None:
        super().__init__()
        numbers = channels * math.prod(downsampling)
        if code_channels > numbers:
            raise ValueError(f"a block has {numbers} voxels, fewer than {code_channels} channels")
        self.downsampling = downsampling
        self.register_buffer("mean", torch.zeros(numbers))
        self.register_buffer("axes", torch.eye(numbers)[:code_channels])
        self.register_buffer("std", torch.ones(code_channels))
        self.register_buffer("least_std", torch.tensor(1.0))
        self.mean: Tensor
        self.axes: Tensor
        self.std: Tensor
        self.least_std: Tensor
        """SD of the least of all components, kept or not: little more than noise."""

    @torch.no_grad()
    def fit(self, images: Iterable[Tensor]) -> None:
        """Find the components of all blocks of images `(B, C, D, H, W)`, some at a time."""
        size = len(self.mean)
        count, total = 0, torch.zeros(size, dtype=torch.float64)
        products = torch.zeros(size, size, dtype=torch.float64)
        for some in images:
            blocks = space_to_depth(some, self.downsampling).movedim(1, -1).flatten(0, -2).double()
            count += len(blocks)
            total += blocks.sum(dim=0)
            products += blocks.mT @ blocks
        mean = total / count
        variances, vectors = torch.linalg.eigh(products / count - mean[:, None] * mean)
        kept = len(self.axes)
        axes = vectors.flip(1)[:, :kept].mT
        # A sign that does not hang on the machine, for odd components as well, whose sum is 0.
        uneven = torch.linspace(1, 2, size, dtype=torch.float64).square()
        signs = torch.sign(axes @ uneven)[:, None]
        self.mean.copy_(mean)
        self.axes.copy_(axes * signs)
        self.std.copy_(variances.flip(0)[:kept].clamp(min=1e-10).sqrt())
        self.least_std.copy_(variances[0].clamp(min=1e-10).sqrt())

    def _load_from_state_dict(self, state: dict[str, Tensor], prefix: str, *others: Any) -> None:
        """Of weights from before the least was kept, the least of those that are."""
        state.setdefault(f"{prefix}least_std", state[f"{prefix}std"].min())
        super()._load_from_state_dict(state, prefix, *others)

    def encode(self, image: Tensor) -> Tensor:
        """The code of an image."""
        blocks = space_to_depth(image.float(), self.downsampling).movedim(1, -1)
        with torch.autocast(image.device.type, enabled=False):
            code: Tensor = (((blocks - self.mean) @ self.axes.mT) / self.std).movedim(-1, 1)
        return code

    def decode(self, code: Tensor) -> Tensor:
        """The image of a code."""
        with torch.autocast(code.device.type, enabled=False):
            blocks = (code.float().movedim(1, -1) * self.std) @ self.axes + self.mean
        return depth_to_space(blocks.movedim(-1, 1), self.downsampling)

    encode_in_tiles, decode_in_tiles = encode, decode
    """Blocks know nothing of each other, and there are no maps between image and code."""
