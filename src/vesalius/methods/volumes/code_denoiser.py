"""The denoiser of learnt codes."""

from __future__ import annotations

import torch
from torch import Tensor

from vesalius.diffusion.denoiser import Denoiser
from vesalius.diffusion.schedules import Schedule
from vesalius.networks.bottleneck import Codebook, Gaussian
from vesalius.networks.volume_denoiser import VolumeDenoiser
from vesalius.training.coding import Codes


class CodeDenoiser(Denoiser):
    """Guesses clean codes on the scale on which diffusion works.

    Codes before quantisation are brought to [-1, 1] by the range of the codebook, or of the codes
    themselves where there is none, as Khader et al. 2023 do; a single number more brings them to
    unit SD, which the preconditioning of the network counts on.

    Args:
        network: F.
        schedule: of noise.
    """

    last_level = 0.02
    """Where a sampler takes its last step from."""

    def __init__(self, network: VolumeDenoiser, schedule: Schedule) -> None:
        super().__init__(network, schedule)
        for name, value in (("low", -1.0), ("high", 1.0), ("mean", 0.0), ("std", 1.0)):
            self.register_buffer(name, torch.tensor(value))
        self.low: Tensor
        self.high: Tensor
        self.mean: Tensor
        self.std: Tensor

    def learn_scale(
        self, codes: Codes, rows: range, bottleneck: Codebook | Gaussian | None
    ) -> None:
        """Take range and spread from the codes of some rows."""
        if isinstance(bottleneck, Codebook):
            low, high = float(bottleneck.codes.min()), float(bottleneck.codes.max())
        else:
            low = min(float(codes.array[row].min()) for row in rows)
            high = max(float(codes.array[row].max()) for row in rows)
        self.low.fill_(low)
        self.high.fill_(high)
        mean, variance = codes.moments(rows, (0, 1, 2, 3, 4))
        self.mean.copy_(self._in_range(mean.to(self.low.device)))
        self.std.fill_(max(2 * float(variance.sqrt()) / (high - low), 1e-6))

    def scaled(self, code: Tensor) -> Tensor:
        """Codes as diffusion sees them."""
        return (self._in_range(code) - self.mean) / self.std

    def unscaled(self, x: Tensor) -> Tensor:
        """The inverse of `scaled`, held within the range."""
        ranged = (x * self.std + self.mean).clamp(-1, 1)
        return self.low + (self.high - self.low) * (ranged + 1) / 2

    def _in_range(self, code: Tensor) -> Tensor:
        return 2 * (code - self.low) / (self.high - self.low) - 1
