"""Preconditioning: what a network is asked for, so that every level of noise is equally hard.

After Karras et al. 2022 (table 1), for data of unit SD at signal α and noise σ:

    x₀ = c_skip·x + c_out·F(c_in·x),
    c_skip = α/(α² + σ²),   c_out = σ/√(α² + σ²),   c_in = 1/√(α² + σ²).
"""

from __future__ import annotations

import torch
from torch import Tensor

from vesalius.diffusion.schedules import Schedule, against


def normalised_input(x: Tensor, level: Tensor, schedule: Schedule) -> Tensor:
    """c_in·x: the noisy sample at unit SD."""
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


def output_std(level: Tensor, x: Tensor, schedule: Schedule) -> Tensor:
    """c_out: how far off c_skip·x may be at a level."""
    level = against(level, x)
    alpha, sigma = schedule.alpha(level), schedule.sigma(level)
    return sigma / torch.sqrt(alpha**2 + sigma**2)


def clean_prediction(
    output: Tensor, x: Tensor, level: Tensor, schedule: Schedule, noise_texture: Tensor | float
) -> Tensor:
    """The guess of x₀ from a network that predicts x₀ itself, trusting x where it is cleaner.

    x₀ = c·x + (1 − α·c)·F with c = g²α/(g²α² + σ²): what is best where the prediction is off by
    the noise texture g of the data. A narrow network needs this form: it returns something smooth,
    while the form above has it carry the noise of every voxel through.

    Args:
        output: F.
        x: noisy sample.
        level: of its noise.
        schedule: of noise.
        noise_texture: g, spread of what no network can predict, such as noise of the scanner.

    >>> from vesalius.diffusion.schedules import SCHEDULES
    >>> x, reported = torch.full((1, 1), 2.0), torch.zeros(1, 1)
    >>> guess = clean_prediction(reported, x, torch.tensor(0.0), SCHEDULES["cosine"], 0.1)
    >>> round(guess.item(), 4)
    2.0
    """
    level = against(level, x)
    alpha, sigma = schedule.alpha(level), schedule.sigma(level)
    trust = noise_texture**2 * alpha / ((noise_texture * alpha) ** 2 + sigma**2)
    return trust * x + (1 - alpha * trust) * output


def expected_error(
    level: Tensor,
    x: Tensor,
    schedule: Schedule,
    prior: Tensor | float,
    floor: Tensor | float,
) -> Tensor:
    """Squared error of x₀ that a fair guess has at a level: p²σ²/(p²α² + σ²), at least floor².

    Dividing a loss by it makes every level of noise count alike.

    Args:
        prior: p, the error of a guess from context alone; broadcasts to x.
        floor: below which an error does not matter.
    """
    level = against(level, x)
    alpha, sigma = schedule.alpha(level), schedule.sigma(level)
    error = (prior * sigma) ** 2 / ((prior * alpha) ** 2 + sigma**2).clamp(min=1e-12)
    return error.clamp(min=floor**2)
