"""A grid in millimetres on which anatomy is painted, each part over those behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.phantoms.shapes import Array, cover

Range = tuple[float, float]
EVERYWHERE: Range = (-1e9, 1e9)


@dataclass(frozen=True)
class Region:
    """A box of the grid; `x`, `y`, `z` in mm (right, anterior, superior) broadcast to its shape."""

    place: tuple[slice, slice, slice]
    x: Array
    y: Array
    z: Array


class Painting:
    """Values float32 and labels uint8 on a grid.

    Args:
        shape: voxels.
        spacing_mm: edge lengths.
        middle_mm: where the middle of the grid lies.
        outside: value of what is not painted.
    """

    def __init__(
        self, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float],
        middle_mm: tuple[float, float, float], outside: float,
    ) -> None:  # fmt: skip
        self.shape, self.spacing_mm = shape, spacing_mm
        self.axes = [
            ((np.arange(n) - (n - 1) / 2) * size + at).astype(np.float32)
            for n, size, at in zip(shape, spacing_mm, middle_mm, strict=True)
        ]
        self.values = np.full(shape, outside, np.float32)
        self.labels = np.zeros(shape, np.uint8)
        self.softness = float(np.mean(spacing_mm))

    def box(
        self, x: Range = EVERYWHERE, y: Range = EVERYWHERE, z: Range = EVERYWHERE
    ) -> Region | None:
        """The part of the grid between some planes and a voxel more, if there is any."""
        places = []
        for axis, (low, high), size in zip(self.axes, (x, y, z), self.spacing_mm, strict=True):
            result = np.flatnonzero((axis >= low - size) & (axis <= high + size))
            if not len(result):
                return None
            places.append(slice(int(result[0]), int(result[-1]) + 1))
        place = (places[0], places[1], places[2])
        own = [axis[part] for axis, part in zip(self.axes, place, strict=True)]
        return Region(place, own[0][:, None, None], own[1][None, :, None], own[2][None, None, :])

    @property
    def affine(self) -> Array:
        """From voxels to mm, right, anterior and superior."""
        result = np.diag([*self.spacing_mm, 1.0])
        result[:3, 3] = [axis[0] for axis in self.axes]
        return result

    def texture(
        self, width_mm: float | tuple[float, float, float], rng: np.random.Generator
    ) -> Array:
        """Smooth noise of unit SD on the whole grid, the same whatever is painted."""
        noise = rng.standard_normal(self.shape, dtype=np.float32)
        wide = np.broadcast_to(np.asarray(width_mm, dtype=float), 3) / self.spacing_mm
        smooth = ndimage.gaussian_filter(noise, wide, truncate=2.5)
        scaled: Array = smooth / smooth.std()
        return scaled

    def points_mm(self, voxels: Array) -> Array:
        """Where voxel coordinates `(N, 3)`, fractions allowed, lie in mm."""
        starts = np.array([axis[0] for axis in self.axes])
        result: Array = starts + voxels * np.array(self.spacing_mm)
        return result

    def nearest(self, point: Array) -> tuple[int, int, int]:
        """The voxel nearest to a point in mm, on the border for one outside."""
        result = [int(np.abs(axis - c).argmin()) for axis, c in zip(self.axes, point, strict=True)]
        return result[0], result[1], result[2]

    def paint(
        self, region: Region, inside: Array, value: Array | float, label: int | None = None,
        softness: float | None = None, strength: Array | float = 1.0,
    ) -> None:  # fmt: skip
        """Cover what lies inside, see `vesalius.phantoms.shapes.cover`."""
        cover(
            self.values[region.place], self.labels[region.place], inside, value, label,
            softness or self.softness, strength,
        )  # fmt: skip

    def tube(
        self, points: Sequence[Sequence[float] | Array], radius: float | Sequence[float],
        value: Array | float, label: int | None = None,
    ) -> None:  # fmt: skip
        """Paint a chain of cylinders with round ends, each thinner than a voxel by its share.

        Args:
            points: in mm, two or more.
            radius: of all, or at each point.
            value: inside.
            label: written where the tube fills more than half of a voxel.
        """
        radii = np.broadcast_to(np.asarray(radius, dtype=float), len(points))
        for start, end, near, far in zip(points, points[1:], radii, radii[1:], strict=False):
            a, b, wide = np.asarray(start, float), np.asarray(end, float), max(near, far)
            low, high = np.minimum(a, b) - wide, np.maximum(a, b) + wide
            ranges = [(float(low[k]), float(high[k])) for k in range(3)]
            region = self.box(*ranges)
            if region is None:
                continue
            along = b - a
            length = max(float(along @ along), 1e-6)
            offset = (region.x - a[0], region.y - a[1], region.z - a[2])
            share = sum(o * c for o, c in zip(offset, along, strict=True)) / length
            share = np.clip(share, 0, 1)
            apart = np.sqrt(sum((o - share * c) ** 2 for o, c in zip(offset, along, strict=True)))
            inside = near + share * (far - near) - apart
            filled = min(1.0, np.pi * wide**2 / self.softness**2)
            self.paint(region, inside, value, label if filled > 0.5 else None, strength=filled)
