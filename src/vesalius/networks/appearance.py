"""How scans differ as a whole, such as in contrast and noise, and what a new one looks like."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FURTHEST_SD = 2.0
"""Beyond which a sampled appearance is not followed."""


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
