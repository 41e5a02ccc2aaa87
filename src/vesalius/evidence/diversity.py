"""Diversity: how alike pairs of images are, beside how alike pairs of real ones are."""

from __future__ import annotations

import numpy as np
import torch
from monai.metrics import MultiScaleSSIMMetric

from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import jackknifed


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
    chosen: list[tuple[int, int]] = []
    while len(chosen) < pairs and len(images) > 1:
        order = rng.permutation(len(images)).tolist()
        chosen += list(zip(order[::2], order[1::2], strict=False))
    alike = [
        (pair, float(torch.as_tensor(metric(*(torch.from_numpy(images[i])[None, None].float()
                                              for i in pair)))))
        for pair in chosen[:pairs]
    ]  # fmt: skip

    def mean_of(cases: np.ndarray) -> float:
        kept = set(cases.tolist())
        own = [value for pair, value in alike if kept.issuperset(pair)]
        return float(np.mean(own)) if own else float("nan")

    return jackknifed([np.arange(len(images))], mean_of, "MS-SSIM", "cases", bounds=(0.0, 1.0))
