"""The wrapper of all denoisers: a perfect network gives the clean codes back, at no loss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vesalius.diffusion.denoiser import Denoiser
from vesalius.diffusion.schedules import SCHEDULES, against


class _Knowing(nn.Module):
    """Told the clean code, gives the F that leads to it."""

    def __init__(self, schedule: str) -> None:
        super().__init__()
        self.schedule = SCHEDULES[schedule]

    def forward(self, scaled: Tensor, level: Tensor, clean: Tensor) -> Tensor:
        level = against(level, scaled)
        alpha, sigma = self.schedule.alpha(level), self.schedule.sigma(level)
        total = torch.sqrt(alpha**2 + sigma**2)
        return (clean - alpha / total * scaled) / (sigma / total)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_perfect_network_gives_the_clean_code_at_no_loss(schedule: str) -> None:
    rng = torch.Generator().manual_seed(0)
    clean = torch.randn(64, 5, generator=rng)
    denoiser = Denoiser(_Knowing(schedule), SCHEDULES[schedule])
    level = torch.linspace(0.05, 0.95, 64)
    x = denoiser.schedule.noisy(clean, torch.randn(clean.shape, generator=rng), level)
    assert torch.allclose(denoiser(x, level, clean), clean, atol=1e-3)
    assert denoiser.loss(clean, rng, clean).item() < 1e-4


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_knowing_nothing_costs_the_variance_of_codes_of_unit_sd(schedule: str) -> None:
    class Nothing(nn.Module):
        def forward(self, scaled: Tensor, level: Tensor) -> Tensor:
            return torch.zeros_like(scaled)

    rng = torch.Generator().manual_seed(0)
    denoiser = Denoiser(Nothing(), SCHEDULES[schedule])
    loss = denoiser.loss(torch.randn(20000, 4, generator=rng), rng).item()
    assert loss == pytest.approx(1.0, abs=0.02)
