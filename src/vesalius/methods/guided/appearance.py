"""How a scan looks beside what its label map says: contrast of tissues, and noise of the scanner.

A denoiser that learns from crops cannot see from one how bright white matter is in the rest of the
scan. It is therefore told, and a new scan draws its own appearance first.
"""

from __future__ import annotations

import numpy as np

from vesalius.scans.noise_texture import interior, noise_texture

BACKGROUND_NOISE, NOISE, SPREAD = -3, -2, -1
"""Columns of `appearance_of` after the labels."""

BESIDE_LABELS = 3
"""How many these are."""


def appearance_of(image: np.ndarray, labels: np.ndarray, label_count: int) -> np.ndarray:
    """What a case looks like, in the units of its image, `(C, label_count + 3)`.

    Mean intensity of each label, NaN where it is absent; standard deviation of the noise of the
    background, which is less than in tissue in a magnitude image; that of the tissue where it is
    least, as structure adds to it; standard deviation about the means.

    Args:
        image: `(C, D, H, W)`.
        labels: whole numbers from 0, the background, `(D, H, W)`.
        label_count: the background included.

    >>> labels = np.zeros((12, 12, 12), dtype=int); labels[4:] = 1
    >>> image = np.where(labels == 1, 0.8, 0.1)[None]
    >>> appearance_of(image, labels, 2).round(3).tolist()
    [[0.1, 0.8, 0.0, 0.0, 0.0]]
    """
    counts = np.bincount(labels.ravel(), minlength=label_count).astype(np.float64)
    inside = interior(labels)
    regions = [inside & (labels == label) for label in range(label_count)]
    rows = []
    for channel in image.astype(np.float64):
        sums = np.bincount(labels.ravel(), weights=channel.ravel(), minlength=label_count)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        spread = float(np.sqrt(np.mean((channel - means[labels]) ** 2)))
        background, *tissues = (noise_texture(channel, region) for region in regions)
        least = min(filter(np.isfinite, tissues), default=background)
        rows.append([*means, min(background, least), least, spread])
    return np.array(rows)
