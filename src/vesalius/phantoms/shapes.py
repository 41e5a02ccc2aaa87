"""Shapes as distances inside their border in mm, and how they are laid over one another."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def cover(
    signal: Array, labels: Array, inside: Array, value: Array | float, label: int | None,
    softness: float, strength: Array | float = 1.0,
) -> None:  # fmt: skip
    """Cover what lies inside with a value, in place, over an edge of some softness.

    Args:
        signal: float32, changed.
        labels: uint8 of the same shape, changed.
        inside: distance in mm from the border, above zero inside; broadcasts to the signal.
        value: of the signal; broadcasts too.
        label: written where more than half is covered; `None` leaves the labels.
        softness: width of the edge in mm, for instance that of a voxel.
        strength: how much of what lies below is covered at most.

    >>> signal, labels = np.zeros(3, np.float32), np.zeros(3, np.uint8)
    >>> cover(signal, labels, np.array([-1.0, 0.25, 1.0]), 10.0, 2, softness=1.0)
    >>> signal.tolist(), labels.tolist()
    ([0.0, 7.5, 10.0], [0, 2, 2])
    """
    share = np.clip(inside / softness + 0.5, 0, 1) * strength
    signal += share * (value - signal)
    if label is not None:
        np.copyto(labels, np.uint8(label), where=inside > 0)


def rounded(first: Array, second: Array, radius: float) -> Array:
    """Distance inside two borders whose corner is rounded.

    >>> float(rounded(np.array(0.0), np.array(5.0), 2.0))
    0.0
    """
    corner = radius - np.hypot(np.maximum(radius - first, 0), np.maximum(radius - second, 0))
    return np.minimum(np.minimum(first, second), corner)


def bump(x: Array, width: float) -> Array:
    """A Gaussian of height 1 and standard deviation `width`."""
    return np.exp(-0.5 * (x / width) ** 2)


def rise(x: Array) -> Array:
    """A smooth step from 0 at 0 to 1 at 1."""
    t = np.clip(x, 0, 1)
    return t * t * (3 - 2 * t)
