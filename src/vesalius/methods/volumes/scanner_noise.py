"""The noise of the scanner alone, apart from structure: in the air and in tissue.

Structure adds to what neighbours differ by, so the noise of tissue is taken where a scan is most
even. Magnitude images have less noise in the air, as has CT that is cut off at -1024 HU.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from vesalius.scans.noise_texture import noise_texture

DARK, BRIGHT = 1 / 12, 1 / 6
"""Intensities, on the scale of the networks, up to which a voxel is air and from which tissue."""

KINDS = 2
"""Air and tissue."""

BINS = 12


def scanner_noise(image: np.ndarray, smooth: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """Standard deviation of the noise in the air and in tissue of each channel, `(C, 2)`.

    Where there is none of either, that of the other.

    Args:
        image: `(C, D, H, W)`, on intensities in about [0, 1].
        smooth: the same without noise, by which voxels are told apart.
        axes: along which neighbours are compared.

    >>> rng = np.random.default_rng(0)
    >>> smooth = np.zeros((1, 24, 24, 24)); smooth[:, 12:] = 0.6
    >>> noise = rng.normal(0, 1, smooth.shape) * np.where(smooth > 0, 0.05, 0.02)
    >>> scanner_noise(smooth + noise, smooth, (1, 2)).round(2).tolist()
    [[0.02, 0.05]]
    """
    edges = np.linspace(0, 1, BINS + 1)
    edges[0], edges[-1] = -np.inf, np.inf
    inner = np.zeros(image.shape[1:], dtype=bool)
    inner[1:-1, 1:-1, 1:-1] = True
    rows = []
    for real, plain in zip(image, smooth, strict=True):
        air: list[float] = []
        tissue: list[float] = []
        for low, high in pairwise(edges):
            inside = inner & (plain >= low) & (plain < high)
            if np.count_nonzero(inside) < inner.size // 500:
                continue
            found = noise_texture(real, inside, axes)
            if np.isfinite(found):
                (air if high <= BRIGHT + 1e-6 else tissue).append(found)
        least = min(tissue or air, default=0.0)
        rows.append([min([*air, least]), least])
    return np.array(rows)
