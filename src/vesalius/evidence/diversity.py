"""Diversity: how alike pairs of images are, beside how alike pairs of real ones are."""

from __future__ import annotations

import numpy as np
import torch
from monai.metrics import MultiScaleSSIMMetric

from vesalius.evidence.figure import Figure, mean_figure


def pair_similarity(images: np.ndarray, pairs: int = 60, seed: int = 0) -> Figure:
    """Multi-scale SSIM between random pairs of images, lower where they differ more.

    Similarity measures diversity, not quality: a set should be as varied as the real one, and one
    that is less alike than real pairs is not better.

    Args:
        images: `(N, D, H, W)` in [0, 1], in one grid.
        pairs: how many pairs, each case as often as another.
        seed: which pairs.

    >>> images = np.random.default_rng(0).random((6, 24, 24, 24)).astype(np.float32)
    >>> pair_similarity(images, pairs=4).value < 0.1
    True
    """
    rng = np.random.default_rng(seed)
    metric = MultiScaleSSIMMetric(
        spatial_dims=3, data_range=1.0, kernel_size=5, kernel_sigma=1.0, weights=(0.3, 0.4, 0.3)
    )
    values: list[float] = []
    while len(values) < pairs and len(images) > 1:
        order = rng.permutation(len(images))
        for first, second in zip(order[::2], order[1::2], strict=False):
            a, b = (torch.from_numpy(images[i])[None, None].float() for i in (first, second))
            values.append(float(torch.as_tensor(metric(a, b))))
            if len(values) == pairs:
                break
    return mean_figure(np.array(values), "MS-SSIM")
