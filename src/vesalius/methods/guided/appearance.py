"""How a scan looks beside what its label map says: contrast of tissues, and noise of the scanner.

A denoiser that learns from crops cannot see from one how bright white matter is in the rest of the
scan. It is therefore told, and a new scan draws its own appearance first.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.scans.noise_texture import interior, noise_texture

FURTHEST_SD = 2.0
"""Beyond which a sampled appearance is not followed."""

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


class Appearance(nn.Module):
    """A normal distribution of appearances, standardised, from which new scans draw theirs.

    Args:
        size: numbers of an appearance.

    >>> rng = torch.Generator().manual_seed(0)
    >>> known = torch.randn(50, 2, generator=rng) * torch.tensor([2.0, 0.5]) + 3
    >>> appearance = Appearance(2)
    >>> appearance.fit(known)
    >>> appearance.standardised(known).std(dim=0).round(decimals=1).tolist()
    [1.0, 1.0]
    >>> appearance.sample(rng).shape
    torch.Size([1, 2])
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))
        self.register_buffer("axes", torch.eye(size))
        self.mean: Tensor
        self.std: Tensor
        self.axes: Tensor

    def fit(self, known: Tensor) -> None:
        """Learn from appearances `(N, A)`; what one of them lacks stands at the mean."""
        mean = torch.nan_to_num(known.nanmean(dim=0))
        rest = torch.where(known.isnan(), 0.0, known - mean)
        std = rest.square().mean(dim=0).sqrt()
        self.mean.copy_(mean)
        std = torch.where(std > 1e-6, std, 1.0)
        self.std.copy_(std)
        alike = rest / std
        variances, vectors = torch.linalg.eigh((alike.T @ alike / max(1, len(alike) - 1)).double())
        self.axes.copy_(vectors * variances.clamp(min=0).sqrt())

    def standardised(self, known: Tensor) -> Tensor:
        """Appearances `(N, A)` at mean 0 and unit SD."""
        return torch.nan_to_num((known - self.mean) / self.std)

    def sample(self, rng: torch.Generator) -> Tensor:
        """A new appearance `(1, A)`, standardised, on the device of the distribution."""
        normal = torch.randn(1, len(self.mean), generator=rng).to(self.axes.device)
        return (normal @ self.axes.T).clamp(-FURTHEST_SD, FURTHEST_SD)
