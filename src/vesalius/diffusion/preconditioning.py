"""Preconditioning: what a network is asked for, so that every level of noise is equally hard.

After Karras et al. 2022 (table 1), for data of unit spread at signal α and noise σ:

    x₀ = c_skip·x + c_out·F(c_in·x),
    c_skip = α/(α² + σ²),   c_out = σ/√(α² + σ²),   c_in = 1/√(α² + σ²).
"""

from __future__ import annotations

import torch
from torch import Tensor

from vesalius.diffusion.schedules import Schedule, against


def normalised_input(x: Tensor, level: Tensor, schedule: Schedule) -> Tensor:
    """c_in·x: the noisy sample at unit spread."""
    level = against(level, x)
    return x / torch.sqrt(schedule.alpha(level) ** 2 + schedule.sigma(level) ** 2)


def preconditioned(output: Tensor, x: Tensor, level: Tensor, schedule: Schedule) -> Tensor:
    """The guess of x₀ from the network's output F.

    >>> from vesalius.diffusion.schedules import SCHEDULES
    >>> clean, noise = torch.randn(2, 4, 8)
    >>> level = torch.tensor([0.1, 0.3, 0.6, 0.9])
    >>> flow = SCHEDULES["linear_flow"]
    >>> x = flow.noisy(clean, noise, level)
    >>> perfect = wanted_output(clean, noise, level, flow)
    >>> bool(torch.allclose(preconditioned(perfect, x, level, flow), clean, atol=1e-5))
    True
    """
    level = against(level, x)
    alpha, sigma = schedule.alpha(level), schedule.sigma(level)
    total = alpha**2 + sigma**2
    return alpha / total * x + sigma / torch.sqrt(total) * output


def wanted_output(clean: Tensor, noise: Tensor, level: Tensor, schedule: Schedule) -> Tensor:
    """What F should be: (σ·x₀ − α·ε)/√(α² + σ²)."""
    level = against(level, clean)
    alpha, sigma = schedule.alpha(level), schedule.sigma(level)
    return (sigma * clean - alpha * noise) / torch.sqrt(alpha**2 + sigma**2)


def output_spread(level: Tensor, x: Tensor, schedule: Schedule) -> Tensor:
    """c_out: how far off c_skip·x may be at a level."""
    level = against(level, x)
    alpha, sigma = schedule.alpha(level), schedule.sigma(level)
    return sigma / torch.sqrt(alpha**2 + sigma**2)
