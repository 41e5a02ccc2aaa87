"""How like a generated picture is to a real one, by what matters of it.

Pixels alone hardly see a joint space close by a millimetre. So pixels count by where attributes are
read, and beside them count a reader's inner maps and its readings.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.methods.progression.evaluator import AttributeEvaluator

BLUR = 5
"""Width of the mean over which attention is smoothed, in pixels."""


class ProjectionLoss(nn.Module):
    """Difference of pictures `(B, C, S, S)` in [-1, 1], one number each `(B,)`.

    Args:
        evaluator: fitted; its weights are held.
        attention: weight of each pixel `(S, S)`, 1 on average.
        inner, readings: weights of inner maps and readings against pixels.
    """

    attention: Tensor

    def __init__(
        self, evaluator: AttributeEvaluator, attention: Tensor, inner: float, readings: float
    ) -> None:
        super().__init__()
        self.evaluator = evaluator.eval().requires_grad_(False)
        self.inner, self.readings = inner, readings
        self.register_buffer("attention", attention)

    def of(self, pictures: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        """What is compared: pixels, inner maps of unit length, readings in their spread."""
        scaled = (pictures + 1) / 2
        maps = [functional.normalize(one, dim=1) for one in self.evaluator.inner(scaled)]
        reading = (self.evaluator(scaled) - self.evaluator.mean) / self.evaluator.std
        return pictures, maps, reading

    def forward(self, generated: Tensor, real: tuple[Tensor, list[Tensor], Tensor]) -> Tensor:
        """The difference to what `of` gave of the real ones."""
        pixels, maps, reading = self.of(generated)
        gap = ((pixels - real[0]).abs() * self.attention).mean(dim=(1, 2, 3))
        inside = torch.stack([
            (one - two).square().sum(dim=1).mean(dim=(1, 2))
            for one, two in zip(maps, real[1], strict=True)
        ]).mean(dim=0)  # fmt: skip
        read = (reading - real[2]).abs().mean(dim=1)
        return gap + self.inner * inside + self.readings * read


def attention_of(evaluator: AttributeEvaluator, images: np.ndarray) -> Tensor:
    """Where a reader looks on average over pictures `(N, C, S, S)` in [0, 1], as `(S, S)`.

    The size of its gradient, smoothed; half of the weight is spread evenly.
    """
    device = evaluator.mean.device
    requested = torch.from_numpy(images.astype(np.float32)).to(device).requires_grad_(True)
    evaluator.eval()
    total = torch.zeros(images.shape[2:], device=device)
    readings = evaluator(requested) / evaluator.std
    for column in range(readings.shape[1]):
        (slope,) = torch.autograd.grad(readings[:, column].sum(), requested, retain_graph=True)
        total += slope.abs().sum(dim=1).mean(dim=0)
    smooth = functional.avg_pool2d(
        total[None, None], BLUR, stride=1, padding=BLUR // 2, count_include_pad=False
    )[0, 0]
    return (0.5 + 0.5 * smooth / smooth.mean()).detach()
