"""Another scanner: the same patients, softer, noisier, and of other contrast."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import ndimage

Place = Literal["source", "external"]
PLACES: tuple[Place, ...] = ("source", "external")
BLUR, NOISE = (0.4, 0.9), (0.02, 0.05)
"""Ranges of a further blur in voxels, and of noise as a share of the range of intensities."""


def from_external_site(
    image: np.ndarray, rng: np.random.Generator, axes: tuple[int, ...] = (0, 1, 2)
) -> np.ndarray:
    """An image as a scanner with less dose or field strength would show it.

    Args:
        image: `(D, H, W)`, of any unit, which is kept.
        rng: of blur and noise.
        axes: along which it is blurred.

    >>> ramp = np.linspace(0, 100, 1000).reshape(10, 10, 10)
    >>> observed = from_external_site(ramp, np.random.default_rng(0))
    >>> bool(1 < (observed - ramp).std() < 10)
    True
    """
    low, high = np.percentile(image, [1, 99])
    wide = float(rng.uniform(*BLUR))
    observed = ndimage.gaussian_filter(image, [wide if a in axes else 0.0 for a in range(3)])
    noise = float(rng.uniform(*NOISE)) * (high - low) * rng.standard_normal(image.shape)
    result: np.ndarray = (observed + noise).astype(image.dtype)
    return result
