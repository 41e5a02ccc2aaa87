"""Samplers: from noise to data along falling levels, over any denoiser.

A denoiser is a function `denoise(x, level) -> x₀` that guesses the clean sample from a noisy one.
`levels` `(N + 1, ...)` holds the level at the start and after each of N steps; each entry
broadcasts against the sample, so that every voxel may follow a schedule of its own. Where two
entries are equal, the sample stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from vesalius.diffusion.schedules import Schedule, against

Denoiser = Callable[[Tensor, Tensor], Tensor]
NoiseSource = Callable[[Tensor], Tensor]


def ddim(denoise: Denoiser, x: Tensor, levels: Tensor, schedule: Schedule) -> Tensor:
    """Deterministic implicit sampling (Song et al. 2021, "DDIM", eq. 12 with η = 0).

    On the straight path this is Euler's step of rectified flow.

    Args:
        denoise: guesses x₀ from `(x, level)`.
        x: noise `(B, ...)` at `levels[0]`.
        levels: falling levels `(N + 1, ...)`.
        schedule: that the denoiser was fitted with.

    >>> from vesalius.diffusion.schedules import SCHEDULES, even_levels
    >>> at_three = lambda x, level: torch.full_like(x, 3.0)
    >>> ddim(at_three, torch.zeros(1, 2), even_levels(4), SCHEDULES["cosine"]).tolist()
    [[3.0, 3.0]]
    """
    for here, there in _steps(levels, x):
        clean = denoise(x, here)
        x = _between(x, clean, here, there, schedule)
    return x


def ddpm(
    denoise: Denoiser, x: Tensor, levels: Tensor, schedule: Schedule, noise: NoiseSource
) -> Tensor:
    """Ancestral sampling from the posterior q(x_s | x_t, x₀) (Ho et al. 2020, eq. 6 and 7).

    Args:
        noise: gives fresh standard noise like its argument, such as `torch.randn_like`.
    """
    for here, there in _steps(levels, x):
        clean = denoise(x, here)
        a_t, s_t = schedule.alpha(here), schedule.sigma(here)
        a_s, s_s = schedule.alpha(there), schedule.sigma(there)
        ratio = a_t / a_s
        step_variance = (s_t**2 - ratio**2 * s_s**2).clamp(min=0)
        total = (s_t**2).clamp(min=1e-12)
        mean = (ratio * s_s**2 * x + a_s * step_variance * clean) / total
        std = torch.sqrt(step_variance / total) * s_s
        x = torch.where(here == there, x, mean + std * noise(x))
    return x


def dpm_solver_2m(denoise: Denoiser, x: Tensor, levels: Tensor, schedule: Schedule) -> Tensor:
    """Second-order multistep solver in log SNR (Lu et al. 2022, "DPM-Solver++", algorithm 2).

    One network call a step. The last step to level 0 is of first order, where λ is infinite.
    """
    before: tuple[Tensor, Tensor] | None = None
    for here, there in _steps(levels, x):
        clean = denoise(x, here)
        guess = clean
        if before is not None:
            last_clean, last_level = before
            h = schedule.log_snr(there) - schedule.log_snr(here)
            r = (schedule.log_snr(here) - schedule.log_snr(last_level)) / h
            weight = torch.where(torch.isfinite(h) & (h > 0) & (r > 0), 1 / (2 * r), 0.0)
            guess = clean + torch.nan_to_num(weight) * (clean - last_clean)
        x = _between(x, guess, here, there, schedule)
        before = (clean, here)
    return x


def heun(denoise: Denoiser, x: Tensor, levels: Tensor, schedule: Schedule) -> Tensor:
    """Heun's second-order step (Karras et al. 2022, algorithm 1), two calls a step.

    Any schedule is a straight path in the scaled sample z = x/(α + σ) and the share of noise
    r = σ/(α + σ), since z = (1 − r)·x₀ + r·ε; its slope dz/dr = (z − x₀)/r is averaged over both
    ends of a step. On the schedule `linear_flow` this is the second-order rectified flow. The last
    step to r = 0, where the slope is undefined, is of first order.
    """
    for here, there in _steps(levels, x):
        scale_here, r_here = _straight(here, schedule)
        scale_there, r_there = _straight(there, schedule)
        z = x / scale_here
        slope = (z - denoise(x, here)) / r_here.clamp(min=1e-12)
        moved = z + (r_there - r_here) * slope
        if bool((r_there > 0).any()):
            second = (moved - denoise(moved * scale_there, there)) / r_there.clamp(min=1e-12)
            average = z + (r_there - r_here) * (slope + second) / 2
            moved = torch.where(r_there > 0, average, moved)
        x = torch.where(here == there, x, moved * scale_there)
    return x


SAMPLERS = {"ddim": ddim, "dpm_solver_2m": dpm_solver_2m, "heun": heun}
"""Deterministic samplers by name; `ddpm` needs a source of noise besides."""


def _steps(levels: Tensor, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of levels, each ready to broadcast against the sample."""
    levels = levels.to(x.device, x.dtype)
    for here, there in zip(levels[:-1], levels[1:], strict=True):
        yield against(here, x), against(there, x)


def _between(
    x: Tensor, clean: Tensor, here: Tensor, there: Tensor, schedule: Schedule
) -> Tensor:  # fmt: skip
    """x_s = α_s·x₀ + (σ_s/σ_t)·(x_t − α_t·x₀): keep the noise that x and x₀ imply."""
    sigma = schedule.sigma(here)
    ratio = torch.where(sigma > 0, schedule.sigma(there) / sigma.clamp(min=1e-12), 1.0)
    moved = schedule.alpha(there) * clean + ratio * (x - schedule.alpha(here) * clean)
    return torch.where(here == there, x, moved)


def _straight(level: Tensor, schedule: Schedule) -> tuple[Tensor, Tensor]:
    """α + σ, and the share of noise σ/(α + σ)."""
    scale = schedule.alpha(level) + schedule.sigma(level)
    return scale, schedule.sigma(level) / scale
