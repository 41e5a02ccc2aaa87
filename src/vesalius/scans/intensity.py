"""The range of intensities of an image, and images brought to one range."""

from __future__ import annotations

import numpy as np

ENDS = (0.5, 99.5)
"""Percentiles, so that single bright or dark voxels do not count."""


def intensity_range(voxels: np.ndarray) -> tuple[float, float]:
    """The 0.5th and the 99.5th percentile of an image, whatever its shape.

    >>> intensity_range(np.arange(201.0))
    (1.0, 199.0)
    """
    low, high = np.percentile(voxels, ENDS)
    return float(low), float(high)


def to_unit_range(voxels: np.ndarray, ends: tuple[float, float] | None = None) -> np.ndarray:
    """Intensities in [0, 1], clipped at the ends of a range.

    Args:
        voxels: of any shape.
        ends: of the range; the image's own if `None`.

    >>> to_unit_range(np.array([-5.0, 0.0, 50.0, 200.0]), (0.0, 100.0)).tolist()
    [0.0, 0.0, 0.5, 1.0]
    """
    low, high = ends or intensity_range(voxels)
    scaled: np.ndarray = np.clip((voxels - low) / max(high - low, 1e-9), 0, 1)
    return scaled
