"""Smooth deformations that never fold: displacement fields, their flow, and their Jacobian.

A displacement `(3, X, Y, Z)` in mm lives on a grid of isotropic spacing and is read backwards: the
deformed image at `x` is the image at `x + displacement(x)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

SQUARINGS = 5
"""After which steps of 10 voxels began as a third of one."""


def voxel_grid(shape: tuple[int, ...], device: torch.device | None = None) -> Tensor:
    """Indices of every voxel as `(3, X, Y, Z)` floats."""
    axes = [torch.arange(n, dtype=torch.float32, device=device) for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def sample(image: Tensor, points: Tensor, nearest: bool = False) -> Tensor:
    """Values of `image` `(C, X, Y, Z)` at voxel coordinates `points` `(3, ...)`, edges continued.

    Returns:
        `(C, ...)`, linearly interpolated or nearest.

    >>> ramp = torch.arange(4.0).reshape(1, 4, 1, 1).expand(1, 4, 3, 3)
    >>> round(sample(ramp, torch.tensor([[0.5], [1.0], [1.0]])).item(), 4)
    0.5
    """
    size = torch.tensor(image.shape[1:], dtype=points.dtype, device=points.device)
    size = size.reshape(3, *[1] * (points.ndim - 1))
    unit = 2 * points / (size - 1).clamp(min=1) - 1
    flat = unit.flip(0).reshape(3, -1).T.reshape(1, 1, 1, -1, 3)
    mode = "nearest" if nearest else "bilinear"
    values = functional.grid_sample(
        image[None].float(), flat, mode=mode, padding_mode="border", align_corners=True
    )
    return values.reshape(image.shape[0], *points.shape[1:])


def warp(image: Tensor, displacement: Tensor, spacing_mm: float, nearest: bool = False) -> Tensor:
    """`image` `(C, X, Y, Z)` seen through a displacement on the same grid."""
    points = voxel_grid(image.shape[1:], image.device) + displacement / spacing_mm
    return sample(image, points, nearest)


def compose(outer: Tensor, inner: Tensor, spacing_mm: float) -> Tensor:
    """The displacement that looks through `outer` first and through `inner` from there."""
    return outer + warp(inner, outer, spacing_mm)


def exponential(velocity: Tensor, spacing_mm: float) -> Tensor:
    """Flow along a stationary velocity `(3, X, Y, Z)` in mm for unit time: a diffeomorphism.

    By scaling and squaring (Arsigny et al. 2006, "A Log-Euclidean framework for statistics on
    diffeomorphisms"): exp(v) = exp(v/2ⁿ) composed with itself n times.
    """
    longest = float(velocity.norm(dim=0).max()) / spacing_mm
    squarings = max(0, math.ceil(math.log2(max(longest, 1e-6) / 0.25)))
    displacement = velocity / 2**squarings
    for _ in range(squarings):
        displacement = compose(displacement, displacement, spacing_mm)
    return displacement


def jacobian_determinant(displacement: Tensor, spacing_mm: float) -> Tensor:
    """Local volume ratio `(X, Y, Z)` of `x + displacement(x)`; above zero where nothing folds.

    >>> shrink = -0.1 * voxel_grid((5, 5, 5))
    >>> round(float(jacobian_determinant(shrink, spacing_mm=1.0).mean()), 3)
    0.729
    """
    rows = torch.stack(torch.gradient(displacement, spacing=spacing_mm, dim=(1, 2, 3)), dim=1)
    matrix = rows.permute(2, 3, 4, 0, 1) + torch.eye(3, device=displacement.device)
    return torch.linalg.det(matrix)


def smooth_noise(
    shape: tuple[int, ...], width_mm: float, spacing_mm: float, generator: torch.Generator,
    channels: int = 3,
) -> Tensor:  # fmt: skip
    """Gaussian random fields `(channels, X, Y, Z)` of unit SD whose correlation has `width_mm`.

    Drawn on a coarse lattice and interpolated by cubic B-splines, whose smoothness no grid shows.
    """
    knots = [max(1, math.ceil(n * spacing_mm / width_mm)) + 3 for n in shape]
    field = torch.randn(channels, *knots, generator=generator)
    for axis, (n, count) in enumerate(zip(shape, knots, strict=True), start=1):
        place = torch.arange(n) * spacing_mm / width_mm
        place = place.clamp(max=count - 3.001)
        knot, t = place.floor().long(), place - place.floor()
        weights = torch.stack(
            [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
        ).div(6)
        taken = [field.index_select(axis, knot + k) for k in range(4)]
        form = [1] * field.ndim
        form[axis] = n
        field = sum(
            (w.reshape(form) * f for w, f in zip(weights, taken, strict=True)), 0 * taken[0]
        )
    return field / field.std().clamp(min=1e-6)


def warp_voxels(images: Tensor, displacement: Tensor, mode: str = "bilinear") -> Tensor:
    """Images `(B, C, D, H, W)` seen through displacements `(B, 3, D, H, W)` in voxels.

    One image may be seen through many displacements. Pictures `(B, C, H, W)` go through
    displacements `(B, 2, H, W)` alike; `bicubic` keeps their texture.

    >>> ramp = torch.arange(4.0).reshape(1, 1, 4, 1, 1).expand(1, 1, 4, 3, 3)
    >>> shift = torch.zeros(2, 3, 4, 3, 3); shift[:, 0] = 0.5
    >>> warp_voxels(ramp, shift)[0, 0, :, 1, 1].round(decimals=4).tolist()
    [0.5, 1.5, 2.5, 3.0]
    """
    sides = torch.tensor(displacement.shape[2:], device=displacement.device)
    points = voxel_grid(tuple(displacement.shape[2:]), displacement.device) + displacement
    ends = (sides - 1).clamp(min=1).reshape(1, len(sides), *[1] * len(sides))
    unit = 2 * points / ends - 1
    return functional.grid_sample(
        images.expand(len(displacement), *images.shape[1:]), unit.flip(1).movedim(1, -1),
        mode=mode, padding_mode="border", align_corners=True,
    )  # fmt: skip


def flow(velocity: Tensor) -> Tensor:
    """Displacements in voxels along stationary velocities `(B, 3, D, H, W)` or `(B, 2, H, W)`.

    For unit time as `exponential`, for a batch of any lengths, so always in as many squarings.
    """
    displacement = velocity / 2**SQUARINGS
    for _ in range(SQUARINGS):
        displacement = displacement + warp_voxels(displacement, displacement)
    return displacement


def gaussian_smooth(images: Tensor, sigma_voxels: float) -> Tensor:
    """Images `(B, C, D, H, W)`, or pictures, smoothed by a Gaussian, the edges continued.

    >>> point = torch.zeros(1, 1, 9, 9, 9); point[..., 4, 4, 4] = 1
    >>> round(float(gaussian_smooth(point, 1.0).sum()), 4)
    1.0
    """
    reach = max(1, math.ceil(3 * sigma_voxels))
    place = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    weights = torch.exp(-0.5 * (place / sigma_voxels) ** 2)
    weights = weights / weights.sum()
    count, axes = images.shape[1], images.ndim - 2
    convolved = functional.conv3d if axes == 3 else functional.conv2d
    for axis in range(axes):
        form = [1] * images.ndim
        form[2 + axis] = len(weights)
        padding = [0] * (2 * axes)
        padding[2 * (axes - 1 - axis)] = padding[2 * (axes - 1 - axis) + 1] = reach
        padded = functional.pad(images, padding, mode="replicate")
        kernel = weights.reshape(form).expand(count, 1, *form[2:])
        images = convolved(padded, kernel, groups=count)
    return images


def averaged(images: Tensor, factor: int) -> Tensor:
    """Images `(B, C, D, H, W)`, or pictures, with blocks of voxels averaged.

    >>> averaged(torch.ones(1, 1, 4, 4), 2).shape, averaged(torch.ones(1, 1, 4, 4, 4), 2).shape
    (torch.Size([1, 1, 2, 2]), torch.Size([1, 1, 2, 2, 2]))
    """
    if factor == 1:
        return images
    pooled = functional.avg_pool3d if images.ndim == 5 else functional.avg_pool2d
    return pooled(images, factor)


def enlarged(displacement: Tensor, sides: Sequence[int]) -> Tensor:
    """Displacements or velocities in voxels, on a grid whose blocks were averaged, on a finer one.

    >>> enlarged(torch.ones(1, 2, 4, 4), (8, 8))[0, :, 0, 0].tolist()
    [2.0, 2.0]
    """
    mode = "trilinear" if displacement.ndim == 5 else "bilinear"
    finer = functional.interpolate(displacement, size=tuple(sides), mode=mode, align_corners=False)
    return finer * (sides[0] / displacement.shape[2])
