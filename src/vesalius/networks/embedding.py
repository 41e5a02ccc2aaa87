"""How networks are told numbers: noise levels and attributes as vectors."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def wave_features(value: Tensor, width: int, longest: float = 1000.0) -> Tensor:
    """Sines and cosines of a number at geometric frequencies (Vaswani et al. 2017, section 3.5).

    Args:
        value: `(B, ...)`, of order one.
        width: even, of the vector that comes out on the last axis.

    >>> wave_features(torch.rand(4, 3), 16).shape
    torch.Size([4, 3, 16])
    """
    frequency = torch.exp(torch.linspace(0, math.log(longest), width // 2, device=value.device))
    angle = value[..., None].float() * frequency
    return torch.cat([torch.sin(angle), torch.cos(angle)], dim=-1)


class LevelAndCondition(nn.Module):
    """One vector from a noise level `(B,)` and a condition `(B, A)`.

    >>> LevelAndCondition(conditions=2, width=32)(torch.rand(4), torch.rand(4, 2)).shape
    torch.Size([4, 32])
    """

    def __init__(self, conditions: int, width: int) -> None:
        super().__init__()
        self.level = nn.Linear(32, width)
        self.condition = nn.Linear(conditions, width) if conditions else None
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())

    def forward(self, level: Tensor, condition: Tensor | None = None) -> Tensor:
        total = self.level(wave_features(level, 32))
        if self.condition is not None and condition is not None:
            total = total + self.condition(condition)
        mixed: Tensor = self.mix(total)
        return mixed
