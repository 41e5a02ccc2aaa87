"""A canvas of thin sub-slices in the coordinates of the spine, painted from back to front."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vesalius.phantoms.shapes import Array, cover
from vesalius.phantoms.spine.curve import SpineCurve

SUBSLICES = 3
"""Thin sheets that one slice averages, over nine tenths of its width."""


@dataclass(frozen=True)
class Window:
    """A part of the canvas: where it lies, and `u`, `v`, `s` in mm that broadcast to its shape."""

    place: tuple[slice, slice, slice]
    u: Array
    v: Array
    s: Array


class Canvas:
    """Signal float32 and labels uint8 `(X · SUBSLICES, Y, Z)`.

    Args:
        shape: voxels.
        spacing_mm: edge lengths.
        curve: of the individual.
        shift_mm: of the middle of L3 from the middle of the field, along y and z.
    """

    def __init__(
        self, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float],
        curve: SpineCurve, shift_mm: tuple[float, float],
    ) -> None:  # fmt: skip
        self.shape, self.spacing_mm, self.curve = shape, spacing_mm, curve
        centres = (np.arange(shape[0]) - (shape[0] - 1) / 2) * spacing_mm[0]
        within = (np.arange(SUBSLICES) - (SUBSLICES - 1) / 2) / SUBSLICES * 0.9 * spacing_mm[0]
        self.x = (centres[:, None] + within).ravel().astype(np.float32)
        y = (np.arange(shape[1]) - (shape[1] - 1) / 2) * spacing_mm[1] - shift_mm[0]
        z = (np.arange(shape[2]) - (shape[2] - 1) / 2) * spacing_mm[2] - shift_mm[1]
        self.y, self.z = np.meshgrid(y, z, indexing="ij")
        self.v, self.s = curve.coordinates(self.y, self.z)
        self.lateral = curve.lateral(self.s).astype(np.float32)
        full = (len(self.x), *shape[1:])
        self.signal = np.zeros(full, np.float32)
        self.labels = np.zeros(full, np.uint8)
        self.softness = 0.5 * (spacing_mm[1] + spacing_mm[2])
        self.bend: Callable[[Array, Array], Array] = lambda v, s: s
        """Moves the position along the spine: how a finding lowers a disc."""

    def window(
        self, s: tuple[float, float], v: tuple[float, float],
        u: tuple[float, float] = (-1e9, 1e9),
    ) -> Window | None:  # fmt: skip
        """The part of the canvas between two positions, distances and sides, if there is any."""
        inside = (self.s >= s[0]) & (self.s <= s[1]) & (self.v >= v[0]) & (self.v <= v[1])
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        sheets = np.flatnonzero((self.x >= u[0] - 12) & (self.x <= u[1] + 12))
        if not (len(rows) and len(columns) and len(sheets)):
            return None
        place = (
            slice(sheets[0], sheets[-1] + 1), slice(rows[0], rows[-1] + 1),
            slice(columns[0], columns[-1] + 1),
        )  # fmt: skip
        plane = place[1:]
        across = self.x[place[0], None, None] - self.lateral[plane]
        v_here = self.v[plane][None]
        return Window(place, across, v_here, self.bend(v_here, self.s[plane][None]))

    def paint(
        self, window: Window, inside: Array, signal: Array | float, label: int | None = None,
        softness: float | None = None, strength: Array | float = 1.0,
    ) -> None:  # fmt: skip
        """Cover what lies inside with a signal, over an edge as soft as a voxel is wide.

        Args:
            window: where.
            inside: distance in mm from the border, above zero inside; broadcasts to the window.
            signal: number or array that broadcasts to the window.
            label: written where more than half is covered; `None` leaves the labels.
            softness: width of the edge in mm.
            strength: how much of what lies below is covered at most.
        """
        cover(
            self.signal[window.place], self.labels[window.place], inside, signal, label,
            softness or self.softness, strength,
        )  # fmt: skip

    def slices(self) -> tuple[Array, Array]:
        """Signal and labels `(X, Y, Z)`: the mean of each slice's sheets, and what most show."""
        parts = (self.shape[0], SUBSLICES, *self.shape[1:])
        sheets = self.labels.reshape(parts)
        first, middle, last = (sheets[:, index] for index in range(SUBSLICES))
        labels = np.where(first == last, first, middle)
        return self.signal.reshape(parts).mean(axis=1), labels
