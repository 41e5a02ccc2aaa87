"""Noise schedules: how much signal and how much noise there is at a level between 0 and 1.

A noisy sample at level t is x(t) = α(t)·x₀ + σ(t)·ε with ε from N(0, 1). Level 0 is the clean data,
level 1 is (almost) pure noise. A level is a tensor of any shape that broadcasts against the sample,
so one level for a batch, one for each case and one for each voxel are the same thing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Schedule:
    """Signal α(t) and noise σ(t), each a function of a tensor of levels in [0, 1].

    >>> schedule = SCHEDULES["linear_flow"]
    >>> schedule.alpha(torch.tensor([0.0, 0.25, 1.0])).tolist()
    [1.0, 0.75, 0.0]
    >>> x, noise = torch.ones(1, 1, 2, 2, 2), torch.zeros(1, 1, 2, 2, 2)
    >>> level = torch.zeros(1, 1, 2, 2, 2); level[..., 1] = 0.5   # a level for each voxel
    >>> schedule.noisy(x, noise, level)[0, 0, 0, 0].tolist()
    [1.0, 0.5]
    """

    name: str
    alpha: Callable[[Tensor], Tensor]
    sigma: Callable[[Tensor], Tensor]

    def noisy(self, clean: Tensor, noise: Tensor, level: Tensor) -> Tensor:
        """x(t) = α(t)·x₀ + σ(t)·ε."""
        level = against(level, clean)
        return self.alpha(level) * clean + self.sigma(level) * noise

    def log_snr(self, level: Tensor) -> Tensor:
        """λ(t) = log(α/σ), half the logarithm of the signal-to-noise ratio."""
        return torch.log(self.alpha(level)) - torch.log(self.sigma(level))


def against(level: Tensor, sample: Tensor) -> Tensor:
    """`level` with trailing axes so that it broadcasts against `sample` `(B, ...)`.

    >>> against(torch.zeros(4), torch.zeros(4, 2, 8, 8, 8)).shape
    torch.Size([4, 1, 1, 1, 1])
    """
    if level.ndim and level.ndim < sample.ndim:
        return level.reshape(*level.shape, *[1] * (sample.ndim - level.ndim))
    return level


def _cosine_alpha(level: Tensor) -> Tensor:
    """√ᾱ of Nichol and Dhariwal 2021, eq. 17, with the end cut so that α stays above zero."""
    offset = 0.008
    angle = (level + offset) / (1 + offset) * math.pi / 2
    start = math.cos(offset / (1 + offset) * math.pi / 2)
    return (torch.cos(angle) / start).clamp(min=1e-3, max=1.0)


def _linear_beta_alpha(level: Tensor) -> Tensor:
    """√ᾱ of DDPM's linear β from 1e-4 to 0.02 in the limit of 1,000 steps (Ho et al. 2020)."""
    return torch.exp(-0.5 * 1000 * (1e-4 * level + 0.5 * (0.02 - 1e-4) * level**2))


def _preserving(alpha: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """σ of a variance-preserving schedule: α² + σ² = 1."""
    return lambda level: torch.sqrt((1 - alpha(level) ** 2).clamp(min=0))


SCHEDULES = {
    "cosine": Schedule("cosine", _cosine_alpha, _preserving(_cosine_alpha)),
    "linear_beta": Schedule("linear_beta", _linear_beta_alpha, _preserving(_linear_beta_alpha)),
    "linear_flow": Schedule("linear_flow", lambda level: 1 - level, lambda level: level),
}
"""Cosine and linear-β diffusion, and the straight path of rectified flow (Liu et al. 2022)."""


def even_levels(steps: int, start: float = 1.0) -> Tensor:
    """`steps` + 1 levels from `start` down to 0, evenly apart.

    >>> even_levels(4).tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    return torch.linspace(start, 0, steps + 1)


def even_log_snr_levels(schedule: Schedule, steps: int, first: float, last: float) -> Tensor:
    """`steps` + 1 levels between `first` and `last` whose log SNR is evenly apart, then 0.

    Suits multistep solvers (Lu et al. 2022, "DPM-Solver++", section 6). Found by bisection.

    >>> levels = even_log_snr_levels(SCHEDULES["cosine"], 4, 0.99, 0.01)
    >>> gaps = SCHEDULES["cosine"].log_snr(levels[:-1]).diff()
    >>> bool((gaps - gaps[0]).abs().max() < 1e-3), float(levels[-1])
    (True, 0.0)
    """
    ends = schedule.log_snr(torch.tensor([first, last], dtype=torch.float64))
    wanted = torch.linspace(float(ends[0]), float(ends[1]), steps, dtype=torch.float64)
    low = torch.full_like(wanted, last)
    high = torch.full_like(wanted, first)
    for _ in range(60):
        middle = (low + high) / 2
        too_clean = schedule.log_snr(middle) > wanted
        low, high = torch.where(too_clean, middle, low), torch.where(too_clean, high, middle)
    return torch.cat([(low + high) / 2, torch.zeros(1, dtype=torch.float64)]).float()


LOWEST_LEVEL, HIGHEST_LEVEL = 0.02, 0.995
"""Levels on which denoisers of whole codes are fitted."""


def sampled_levels(count: int, rng: torch.Generator) -> Tensor:
    """Noise levels `(count,)` spread evenly over their range, each batch covering all of it.

    >>> sampled_levels(4, torch.Generator().manual_seed(0)).sort().values.diff().min() > 0
    tensor(True)
    """
    offset = torch.rand(1, generator=rng)
    place = (torch.arange(count) + offset) / count
    order = torch.randperm(count, generator=rng)
    return (LOWEST_LEVEL + (HIGHEST_LEVEL - LOWEST_LEVEL) * place)[order]
