"""The exact denoiser of a normal distribution of codes given attributes: what few cases support.

If codes given a condition c follow N(μ(c), Σ), the best guess of x₀ from x = αx₀ + σε is

    x₀ = μ + αΣ(α²Σ + σ²I)⁻¹(x − αμ),

the posterior mean of a linear Gaussian model. A network fitted beside it has only what departs from
this to learn, and on a few hundred cases often rightly learns nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GaussianPrior(nn.Module):
    """Codes `(B, K)` given conditions `(B, A + 1)`, whose last entry says whether there is one.

    Args:
        code_size: K.
        attributes: A.

    >>> rng = torch.Generator().manual_seed(0)
    >>> z = torch.randn(500, 1, generator=rng)
    >>> codes = torch.cat([z, torch.randn(500, 1, generator=rng)], dim=1)
    >>> prior = GaussianPrior(code_size=2, attributes=1)
    >>> prior.fit(codes, torch.cat([z, torch.ones(500, 1)], dim=1))
    >>> [round(float(x), 1) for x in prior.mean(torch.tensor([[1.5, 1.0]]))[0]]
    [1.5, 0.1]
    """

    def __init__(self, code_size: int, attributes: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.zeros(1 + 2 * attributes, code_size))
        self.register_buffer("axes", torch.eye(code_size))
        self.register_buffer("variances", torch.ones(code_size))
        self.weights: Tensor
        self.axes: Tensor
        self.variances: Tensor

    @staticmethod
    def features(condition: Tensor) -> Tensor:
        """1, z and z² of each attribute, `(B, 1 + 2A)`."""
        z = condition[:, :-1]
        return torch.cat([torch.ones_like(condition[:, :1]), z, z**2], dim=1)

    def fit(self, codes: Tensor, conditions: Tensor) -> None:
        """Least squares for μ, the covariance of what remains for Σ.

        μ bends with z² only where this predicts cases that were left out better than a straight
        line does. Else the few cases at the end of a range would draw it through themselves, and
        whatever is asked for there would look like them.
        """
        design = self.features(conditions)
        straight = 1 + (design.shape[1] - 1) // 2
        used = min((straight, design.shape[1]), key=lambda n: _left_out_error(design[:, :n], codes))
        design = design[:, :used]
        self.weights.zero_()
        self.weights[:used] = torch.linalg.solve(_gram(design), design.T @ codes)
        rest = codes - design @ self.weights[:used]
        freedom = max(1, len(codes) - used)
        variances, axes = torch.linalg.eigh(rest.T @ rest / freedom)
        self.variances.copy_(variances.clamp(min=1e-5))
        self.axes.copy_(axes)

    def mean(self, condition: Tensor) -> Tensor:
        """μ(c), zero without a condition."""
        expected: Tensor = condition[:, -1:] * (self.features(condition) @ self.weights)
        return expected

    def denoise(self, x: Tensor, alpha: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
        """The best guess of x₀ `(B, K)` from αx₀ + σε."""
        known = condition[:, -1:]
        variances = known * self.variances + (1 - known)
        gain = alpha * variances / (alpha**2 * variances + sigma**2)
        mean = self.mean(condition)
        return mean + (((x - alpha * mean) @ self.axes) * gain) @ self.axes.T


def _gram(design: Tensor) -> Tensor:
    """XᵀX with a slight ridge on all but the constant."""
    ridge = 1e-3 * len(design) * torch.eye(design.shape[1])
    ridge[0, 0] = 0
    return design.T @ design + ridge


def _left_out_error(design: Tensor, codes: Tensor) -> float:
    """Sum of squares by which each case is missed when the others are fitted.

    In closed form, each residual over one minus the case's leverage.
    """
    solved = torch.linalg.solve(_gram(design), design.T)
    leverage = (design * solved.T).sum(dim=1, keepdim=True)
    rest = codes - design @ (solved @ codes)
    return float((rest / (1 - leverage).clamp(min=1e-6)).square().sum())
