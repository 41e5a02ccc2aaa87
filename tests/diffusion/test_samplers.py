"""Samplers against the closed form on a normal distribution, where the exact denoiser is known.

For x₀ from N(m, s²) the best guess is x₀ = m + αs²/(α²s² + σ²)·(x − αm), and the deterministic flow
takes a noise ε to m + s·ε exactly when the start is pure noise.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vesalius.diffusion.guidance import guided
from vesalius.diffusion.samplers import SAMPLERS, Denoiser, ddim, ddpm, heun
from vesalius.diffusion.schedules import (
    SCHEDULES,
    Schedule,
    against,
    even_levels,
    even_log_snr_levels,
)

MEAN, SPREAD = 1.5, 0.4


def exact(schedule: Schedule) -> Denoiser:
    def denoise(x: Tensor, level: Tensor) -> Tensor:
        level = against(level, x)
        alpha, sigma = schedule.alpha(level), schedule.sigma(level)
        gain = alpha * SPREAD**2 / (alpha**2 * SPREAD**2 + sigma**2)
        return MEAN + gain * (x - alpha * MEAN)

    return denoise


def levels_for(schedule: Schedule, steps: int) -> Tensor:
    if schedule.name == "linear_flow":
        return even_levels(steps)
    return even_log_snr_levels(schedule, steps, 0.999, 0.002)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=lambda schedule: schedule.name)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_deterministic_samplers_reach_the_closed_form(schedule: Schedule, sampler: str) -> None:
    noise = torch.randn(2000, 1, generator=torch.Generator().manual_seed(0))
    levels = levels_for(schedule, 1000)
    out = SAMPLERS[sampler](exact(schedule), noise, levels, schedule)
    alpha = schedule.alpha(levels[0])
    start = (noise - alpha * MEAN) / torch.sqrt(
        alpha**2 * SPREAD**2 + schedule.sigma(levels[0]) ** 2
    )
    assert torch.allclose(out, MEAN + SPREAD * start, atol=0.02)


@pytest.mark.parametrize("name", ["cosine", "linear_beta"])
def test_second_order_needs_fewer_steps_for_the_same_error(name: str) -> None:
    schedule = SCHEDULES[name]
    noise = torch.randn(2000, 1, generator=torch.Generator().manual_seed(0))
    reference = ddim(exact(schedule), noise, levels_for(schedule, 3000), schedule)

    def error(sampler: str, steps: int) -> float:
        out = SAMPLERS[sampler](exact(schedule), noise, levels_for(schedule, steps), schedule)
        return float((out - reference).abs().mean())

    assert error("dpm_solver_2m", 15) < 0.5 * error("ddim", 15)
    assert error("dpm_solver_2m", 15) < error("ddim", 40)


@pytest.mark.parametrize("name", ["cosine", "linear_beta"])
def test_ancestral_sampling_has_the_mean_and_spread_of_the_data(name: str) -> None:
    schedule, rng = SCHEDULES[name], torch.Generator().manual_seed(0)
    noise = torch.randn(20_000, 1, generator=rng)
    out = ddpm(
        exact(schedule), noise, even_levels(300, 0.999), schedule,
        lambda x: torch.randn(x.shape, generator=rng),
    )  # fmt: skip
    assert float(out.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(out.std()) == pytest.approx(SPREAD, abs=0.02)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=lambda schedule: schedule.name)
@pytest.mark.parametrize(("sampler", "order"), [("ddim", 1), ("dpm_solver_2m", 2), ("heun", 2)])
def test_a_deterministic_solver_shows_its_order(
    schedule: Schedule, sampler: str, order: int
) -> None:
    """Between two noisy levels, where the exact end is x = αm + √(α²s² + σ²)·c for a constant c."""
    constant = torch.tensor([[-2.0], [0.7], [1.8]], dtype=torch.float64)

    def exact_at(level: Tensor) -> Tensor:
        alpha, sigma = schedule.alpha(level), schedule.sigma(level)
        return alpha * MEAN + torch.sqrt(alpha**2 * SPREAD**2 + sigma**2) * constant

    def error(steps: int) -> float:
        grid = even_log_snr_levels(schedule, steps + 1, 0.95, 0.05)[:-1].double()
        out = SAMPLERS[sampler](exact(schedule), exact_at(grid[0]), grid, schedule)
        return float((out - exact_at(grid[-1])).abs().max())

    measured = math.log2(error(320) / error(640))
    assert measured == pytest.approx(order, abs=0.25)


def test_the_straight_path_is_rectified_flow() -> None:
    schedule = SCHEDULES["linear_flow"]
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    denoise, levels = exact(schedule), even_levels(10)
    by_hand = x
    for here, there in zip(levels, levels[1:], strict=False):
        velocity = (by_hand - denoise(by_hand, here)) / here
        by_hand = by_hand + (there - here) * velocity
    assert torch.allclose(ddim(denoise, x, levels, schedule), by_hand, atol=1e-5)


def test_heun_averages_the_slopes_at_both_ends_of_a_step() -> None:
    schedule = SCHEDULES["linear_flow"]
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    denoise, levels = exact(schedule), even_levels(10)
    by_hand = x
    for here, there in zip(levels, levels[1:], strict=False):
        slope = (by_hand - denoise(by_hand, here)) / here
        end = by_hand + (there - here) * slope
        second = (end - denoise(end, there)) / there if there > 0 else slope
        by_hand = by_hand + (there - here) * (slope + second) / 2
    assert torch.allclose(heun(denoise, x, levels, schedule), by_hand, atol=1e-5)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_each_voxel_may_follow_levels_of_its_own(sampler: str) -> None:
    schedule = SCHEDULES["cosine"]
    x = torch.randn(1, 1, 2, 1, 1, generator=torch.Generator().manual_seed(0))
    plain = levels_for(schedule, 20)
    levels = torch.zeros(21, 1, 1, 2, 1, 1)
    levels[:, ..., 0, :, :] = plain.reshape(21, 1, 1, 1, 1)
    out = SAMPLERS[sampler](exact(schedule), x, levels, schedule)
    alone = SAMPLERS[sampler](exact(schedule), x[:, :, :1], plain, schedule)
    assert torch.allclose(out[:, :, :1], alone, atol=1e-6)
    assert torch.equal(out[:, :, 1:], x[:, :, 1:])


def test_guidance_at_scale_one_and_zero_are_the_two_branches() -> None:
    def shifted(x: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        return x * 0 + condition

    condition, null = torch.full((3, 1), 4.0), torch.zeros(3, 1)
    x, level = torch.randn(3, 1), torch.tensor(0.5)
    assert torch.equal(guided(shifted, condition, null, 1.0)(x, level), condition)
    assert torch.equal(guided(shifted, condition, null, 0.0)(x, level), null)
    assert torch.equal(guided(shifted, condition, null, 2.0)(x, level), 2 * condition)
