"""Folding: blocks of voxels become channels, so that fine detail is worked on at a coarse grid."""

from __future__ import annotations

from torch import Tensor

Factors = tuple[int, int, int]


def space_to_depth(x: Tensor, factor: int | Factors) -> Tensor:
    """Blocks of voxels become channels: `(B, C, D, H, W)` to `(B, C·fgh, D/f, H/g, W/h)`.

    Args:
        x: sides are multiples of the factors.
        factor: voxels of a block along each axis, or along all three.

    >>> import torch
    >>> x = torch.rand(1, 2, 4, 4, 4)
    >>> bool((depth_to_space(space_to_depth(x, 2), 2) == x).all())
    True
    >>> space_to_depth(x, (2, 2, 1)).shape
    torch.Size([1, 8, 2, 2, 4])
    """
    f, g, h = _three(factor)
    if f == g == h == 1:
        return x
    b, c, d, e, w = x.shape
    blocks = x.reshape(b, c, d // f, f, e // g, g, w // h, h).permute(0, 1, 3, 5, 7, 2, 4, 6)
    return blocks.reshape(b, c * f * g * h, d // f, e // g, w // h)


def depth_to_space(x: Tensor, factor: int | Factors) -> Tensor:
    """The inverse of `space_to_depth`."""
    f, g, h = _three(factor)
    if f == g == h == 1:
        return x
    b, c, d, e, w = x.shape
    own = c // (f * g * h)
    blocks = x.reshape(b, own, f, g, h, d, e, w).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return blocks.reshape(b, own, d * f, e * g, w * h)


def _three(factor: int | Factors) -> Factors:
    return (factor, factor, factor) if isinstance(factor, int) else factor
