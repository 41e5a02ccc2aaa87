"""Calibration: of those called 0.7, do seven of ten have it?

The expected calibration error of Guo et al. 2017, "On calibration of modern neural networks",
equation 3.
"""

from __future__ import annotations

import numpy as np

BINS = 10


def calibration_error(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Mean distance of probability and frequency over ten bins, weighted by their images.

    >>> calibration_error(np.array([0.95, 0.95]), np.array([1.0, 0.0]))
    0.45
    """
    known = ~np.isnan(targets)
    p, y = probabilities[known], targets[known]
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    gaps = [
        abs(p[bins == b].mean() - y[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)
    ]
    return float(round(sum(gaps), 12))
