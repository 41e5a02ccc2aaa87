"""Adaptive augmentation: a critic that knows its few pictures by heart sees them changed.

Real and generated pictures are changed alike before the critic judges them, with a probability that
rises while the critic is surer of the real ones than it should be, and falls otherwise (Karras et
al. 2020, "Training generative adversarial networks with limited data", section 3 and appendix B).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WANTED = 0.6
"""Mean sign of the critic on real pictures that is aimed at, the paper's r_t."""
SHIFT, TURN, SCALE, BRIGHTNESS, CONTRAST = 0.125, 0.14, 0.1, 0.15, 0.25
"""Spread of each change: shares of the side, radians, logarithm, and shares of the range."""


class AdaptiveAugmentation(nn.Module):
    """Changes pictures `(B, C, S, S)` in [-1, 1], each change with probability `probability`.

    Args:
        images: judged ones after which the probability may have risen from 0 to 1.

    >>> augment = AdaptiveAugmentation(1000)
    >>> pictures = torch.rand(2, 1, 8, 8)
    >>> torch.equal(augment(pictures, torch.Generator()), pictures)
    True
    >>> for _ in range(10):
    ...     augment.judged(torch.ones(50))
    >>> round(float(augment.probability), 3)
    0.5
    """

    probability: Tensor

    def __init__(self, images: int) -> None:
        super().__init__()
        self.images = images
        self.register_buffer("probability", torch.zeros(()))

    def judged(self, verdicts: Tensor) -> None:
        """Raise or lower the probability by the critic's verdicts on real pictures `(B,)`."""
        sure = verdicts.detach().sign().mean() - WANTED
        step = sure.sign() * len(verdicts) / self.images
        self.probability.copy_((self.probability + step).clamp(0, 0.85))

    def forward(self, pictures: Tensor, rng: torch.Generator) -> Tensor:
        count, share = len(pictures), float(self.probability)
        if share == 0:
            return pictures
        normal = torch.randn(6, count, generator=rng)
        normal *= torch.rand(6, count, generator=rng) < share
        shift_x, shift_y, turn, scale, bright, contrast = normal.to(pictures.device)
        size = torch.exp(SCALE * scale)
        cos, sin = size * torch.cos(TURN * turn), size * torch.sin(TURN * turn)
        moved = torch.stack(
            [torch.stack([cos, -sin, 2 * SHIFT * shift_x], 1),
             torch.stack([sin, cos, 2 * SHIFT * shift_y], 1)], dim=1,
        )  # fmt: skip
        grid = functional.affine_grid(moved, list(pictures.shape), align_corners=False)
        warped = functional.grid_sample(
            pictures.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False
        )
        factor = torch.exp(CONTRAST * contrast)[:, None, None, None]
        return warped * factor + (BRIGHTNESS * bright)[:, None, None, None]
