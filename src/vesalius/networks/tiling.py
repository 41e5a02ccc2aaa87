"""Working on a volume in tiles, when what is seen of a voxel lies in its neighbourhood."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor

from vesalius.networks.folding import Factors
from vesalius.scans.memory import free_memory_bytes

MAPS_AT_ONCE = 6
"""Maps of one resolution that are held while a block is computed, its folds included."""

MOST_CUTS = 16
"""Tiles along one axis, at most."""


def in_tiles(
    work: Callable[..., Tensor], inputs: Sequence[Tensor], sides: Sequence[int], tile: Factors,
    reach: Factors, growth: Factors,
) -> Tensor:  # fmt: skip
    """`work(*inputs)` tile by tile: each is worked on with its surroundings, its middle is kept.

    Args:
        work: gives `(B, C', f·D, g·H, h·W)` by layers that pad with zeros and see no further than
            `reach` voxels along each axis.
        inputs: each `(B, C, …)`, its sides some multiple of `sides`.
        sides: D, H and W, in which tiles and reach are counted.
        tile: sides of a tile.
        reach: of `work`.
        growth: f, g and h.

    >>> blur = torch.nn.Conv3d(1, 1, 3, padding=1).requires_grad_(False)
    >>> x = torch.rand(1, 1, 7, 6, 5)
    >>> tiled = in_tiles(blur, [x], (7, 6, 5), (3, 6, 2), (1, 1, 1), (1, 1, 1))
    >>> bool(torch.allclose(tiled, blur(x), atol=1e-6))
    True
    """
    scales = [[n // side for n, side in zip(one.shape[2:], sides, strict=True)] for one in inputs]
    whole: Tensor | None = None
    for corner in product(*map(range, [0, 0, 0], sides, tile)):
        ends = [min(start + n, side) for start, n, side in zip(corner, tile, sides, strict=True)]
        low = [max(0, start - far) for start, far in zip(corner, reach, strict=True)]
        high = [min(n, end + far) for end, n, far in zip(ends, sides, reach, strict=True)]
        windows = [
            one[:, :, *(slice(a * f, b * f) for a, b, f in zip(low, high, scale, strict=True))]
            for one, scale in zip(inputs, scales, strict=True)
        ]
        done = work(*windows)
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


def tile_within(
    sides: Sequence[int], reach: Factors, bytes_a_voxel: float, device: torch.device
) -> Factors:
    """The tile that repeats least work and fits into half of the memory that is free.

    Slabs come out where they suffice: cut along one axis, a volume repeats little. Where nothing
    fits, it is the smallest tile.

    Args:
        sides: of the whole, in voxels.
        reach: voxels that a tile needs around itself.
        bytes_a_voxel: of a tile with its surroundings, while it is worked on.
        device: that it is worked on.

    >>> tile_within((64, 64, 64), (6, 6, 6), 1.0, torch.device("cpu"))
    (64, 64, 64)
    >>> def smaller(sides, budget):
    ...     return _tile(sides, (6, 6, 6), 1.0, budget)
    >>> smaller((64, 64, 64), 60 * 64 * 64)
    (32, 64, 64)
    >>> round(repeated((64, 64, 64), (32, 64, 64), (6, 6, 6)), 3)
    1.188
    """
    return _tile(sides, reach, bytes_a_voxel, free_bytes(device) / 2)


def repeated(sides: Sequence[int], tile: Sequence[int], reach: Sequence[int]) -> float:
    """The work in tiles as a multiple of the work on the whole."""
    return math.prod(
        sum(stop - start for start, stop in _windows(side, n, far)) / side
        for side, n, far in zip(sides, tile, reach, strict=True)
    )


def free_bytes(device: torch.device) -> float:
    """Free memory where tensors of a device lie.

    >>> free_bytes(torch.device("cpu")) > 0
    True
    """
    if device.type == "cuda" and torch.cuda.is_available():
        return float(torch.cuda.mem_get_info(device)[0])
    return free_memory_bytes()


def _tile(sides: Sequence[int], reach: Factors, bytes_a_voxel: float, budget: float) -> Factors:
    choices = [
        sorted({-(-side // cuts) for cuts in range(1, min(MOST_CUTS, side) + 1)}) for side in sides
    ]

    def needed(tile: Sequence[int]) -> float:
        largest = (
            max(stop - start for start, stop in _windows(side, n, far))
            for side, n, far in zip(sides, tile, reach, strict=True)
        )
        return bytes_a_voxel * math.prod(largest)

    a, b, c = sides
    if needed(sides) <= budget:
        return a, b, c
    every = list(product(*choices))
    fitting = [tile for tile in every if needed(tile) <= budget]
    if not fitting:
        a, b, c = min(every, key=needed)
    else:
        a, b, c = min(fitting, key=lambda tile: (repeated(sides, tile, reach), needed(tile)))
    return a, b, c


def _windows(side: int, tile: int, reach: int) -> list[tuple[int, int]]:
    """Where the tiles along one axis begin and end, with their surroundings."""
    starts = range(0, side, tile)
    return [(max(0, a - reach), min(side, a + tile + reach)) for a in starts]
