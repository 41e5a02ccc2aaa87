"""The wrappers of every network that guesses clean codes, and the losses that they learn by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.diffusion.preconditioning import (
    clean_prediction,
    expected_error,
    normalised_input,
    output_std,
    preconditioned,
    wanted_output,
)
from vesalius.diffusion.schedules import Schedule, sampled_levels


class Denoiser(nn.Module):
    """D(x, level, …) = first guess + c_out·F(c_in·x, level, …): clean codes from noisy ones.

    The first guess is c_skip·x, what is best without knowing anything of codes of unit SD (Karras
    et al. 2022, "Elucidating the design space of diffusion-based generative models", table 1).

    Args:
        network: F; takes the scaled sample, its level and what else it is told.
        schedule: of noise.

    >>> from vesalius.diffusion.schedules import SCHEDULES
    >>> class Nothing(nn.Module):
    ...     def forward(self, x, level):
    ...         return torch.zeros_like(x)
    >>> denoiser = Denoiser(Nothing(), SCHEDULES["cosine"])
    >>> clean, rng = torch.ones(2, 3), torch.Generator().manual_seed(0)
    >>> denoiser(clean, torch.zeros(2)).tolist() == clean.tolist(), denoiser.loss(clean, rng).ndim
    (True, 0)
    """

    def __init__(self, network: nn.Module, schedule: Schedule) -> None:
        super().__init__()
        self.network, self.schedule = network, schedule

    def output(self, x: Tensor, level: Tensor, *given: Any) -> Tensor:
        """F: what the network adds to the first guess, in units of c_out."""
        out: Tensor = self.network(normalised_input(x, level, self.schedule), level, *given)
        return out

    def first_guess(self, x: Tensor, level: Tensor, *given: Any) -> Tensor:
        """What is known of x₀ without the network."""
        return preconditioned(torch.zeros_like(x), x, level, self.schedule)

    def wanted(
        self, clean: Tensor, noise: Tensor, x: Tensor, level: Tensor, *given: Any
    ) -> Tensor:  # fmt: skip
        """What F should be."""
        return wanted_output(clean, noise, level, self.schedule)

    def forward(self, x: Tensor, level: Tensor, *given: Any) -> Tensor:
        scale = output_std(level, x, self.schedule)
        return self.first_guess(x, level, *given) + scale * self.output(x, level, *given)

    def loss(self, clean: Tensor, rng: torch.Generator, *given: Any) -> Tensor:
        """Mean squared error of F on clean codes `(B, ...)`, at random levels."""
        noise = torch.randn(clean.shape, generator=rng).to(clean.device)
        level = sampled_levels(len(clean), rng).to(clean.device)
        x = self.schedule.noisy(clean, noise, level)
        error = self.output(x, level, *given) - self.wanted(clean, noise, x, level, *given)
        return error.square().mean()


class CleanDenoiser(Denoiser, ABC):
    """A denoiser whose network says x₀ itself; where x is cleaner than the data's noise, x counts.

    For data with noise of its own, such as voxels: a narrow network cannot carry it through. See
    `clean_prediction`. The loss is the squared error in units of a fair guess, so that every level
    counts alike.

    >>> from vesalius.diffusion.schedules import SCHEDULES
    >>> class Smooth(nn.Module):
    ...     def forward(self, x, level):
    ...         return torch.zeros_like(x)
    >>> class Grainy(CleanDenoiser):
    ...     def own_noise(self, *given):
    ...         return torch.tensor(0.1)
    ...     def own_spread(self):
    ...         return 1.0
    >>> denoiser = Grainy(Smooth(), SCHEDULES["cosine"])
    >>> x = torch.ones(1, 3)
    >>> kept = [round(float(denoiser(x, torch.tensor([at])).mean()), 2) for at in (0.0, 0.5, 0.9)]
    >>> kept
    [1.0, 0.01, 0.0]
    """

    @abstractmethod
    def own_noise(self, *given: Any) -> Tensor:
        """SD of what no network can predict, on the scale of the codes; broadcasts to them."""

    @abstractmethod
    def own_spread(self) -> Tensor | float:
        """Error of a guess from what is given alone."""

    def forward(self, x: Tensor, level: Tensor, *given: Any) -> Tensor:
        output = self.output(x, level, *given)
        return clean_prediction(output, x, level, self.schedule, self.own_noise(*given))

    def loss(self, clean: Tensor, rng: torch.Generator, *given: Any) -> Tensor:
        """Squared error on clean codes `(B, ...)` in units of a fair guess, at random levels."""
        noise = torch.randn(clean.shape, generator=rng).to(clean.device)
        level = sampled_levels(len(clean), rng).to(clean.device)
        x = self.schedule.noisy(clean, noise, level)
        floor = self.own_noise(*given)
        fair = expected_error(level, x, self.schedule, self.own_spread(), floor)
        return ((self(x, level, *given) - clean).square() / fair).mean()
