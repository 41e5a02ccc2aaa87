"""Working on a volume in tiles, when what is seen of a voxel lies in its neighbourhood."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from torch import Tensor

from vesalius.networks.folding import Factors


def in_tiles(
    work: Callable[[Tensor], Tensor], x: Tensor, tile: int, reach: Factors, growth: Factors
) -> Tensor:
    """`work(x)` tile by tile: each is worked on with its surroundings, and its middle is kept.

    Args:
        work: takes `(B, C, D, H, W)` to `(B, C', f·D, g·H, h·W)` by layers that pad with zeros and
            see no further than `reach` voxels of x along each axis.
        x: of any size.
        tile: side of a tile in voxels of x.
        reach: of `work`.
        growth: f, g and h.

    >>> import torch
    >>> blur = torch.nn.Conv3d(1, 1, 3, padding=1).requires_grad_(False)
    >>> x = torch.rand(1, 1, 7, 6, 5)
    >>> bool(torch.allclose(in_tiles(blur, x, 3, (1, 1, 1), (1, 1, 1)), blur(x), atol=1e-6))
    True
    """
    sides = x.shape[2:]
    whole: Tensor | None = None
    for corner in product(*(range(0, side, tile) for side in sides)):
        ends = [min(start + tile, side) for start, side in zip(corner, sides, strict=True)]
        low = [max(0, start - far) for start, far in zip(corner, reach, strict=True)]
        high = [min(n, end + far) for end, n, far in zip(ends, sides, reach, strict=True)]
        window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        done = work(x[:, :, *window])
        if whole is None:
            size = [side * factor for side, factor in zip(sides, growth, strict=True)]
            whole = done.new_empty(*done.shape[:2], *size)
        middle = tuple(
            slice((a - b) * f, (c - b) * f)
            for a, b, c, f in zip(corner, low, ends, growth, strict=True)
        )
        place = tuple(slice(a * f, c * f) for a, c, f in zip(corner, ends, growth, strict=True))
        whole[:, :, *place] = done[:, :, *middle]
    assert whole is not None
    return whole
