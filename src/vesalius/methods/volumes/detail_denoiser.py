"""The denoiser of detail: what a code has lost, given what comes back of it.

The code holds the anatomy and is generated first. What is missing from the volume that it decodes
to, down to the single voxel and the scanner's noise, is generated given that volume. Edges, vessels
and grain hang on what lies near, so this network learns from crops.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor
from torch.nn import functional

from vesalius.diffusion.denoiser import CleanDenoiser
from vesalius.diffusion.samplers import dpm_solver_2m
from vesalius.diffusion.schedules import Schedule, even_log_snr_levels
from vesalius.methods.volumes.scanner_noise import BRIGHT, DARK, KINDS
from vesalius.networks.appearance import Appearance
from vesalius.networks.block_transform import BlockTransform
from vesalius.networks.latent_denoiser import SpadeLatentDenoiser
from vesalius.scans.noise_texture import matching_scale

BLOCK = 2
"""Voxels along each side of a block, none of which is lost."""

LEAST_NOISE, MOST_NOISE = 0.02, 0.9
"""Of a scanner, on the scale of diffusion; less makes all levels of noise count alike."""


class DetailDenoiser(CleanDenoiser):
    """Guesses the difference between a volume and what its code decodes to, in blocks of voxels.

    Given are features of the decoded volume, the standardised noise of the scan, and a map of that
    noise.

    Args:
        network: F; its maps are of the decoded volume.
        channels: of a volume.
        schedule: of noise.

    >>> from vesalius.diffusion.schedules import SCHEDULES
    >>> network = SpadeLatentDenoiser(8, 1, BLOCK, (8, 8), 1, KINDS)
    >>> denoiser = DetailDenoiser(network, 1, SCHEDULES["cosine"])
    >>> detail = 0.1 * torch.randn(4, 1, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> denoiser.learn_scale(detail[:, None], torch.full((4, 2), 0.05))
    >>> round(float(denoiser.scaled(detail).std()), 1)
    1.0
    >>> bool(torch.allclose(denoiser.unscaled(denoiser.scaled(detail)), detail, atol=1e-5))
    True
    >>> denoiser.noise_map(torch.ones(1, 1, 8, 8, 8), torch.zeros(1, 2)).mean().round(decimals=1)
    tensor(0.5000)
    """

    network: SpadeLatentDenoiser
    last_level = 0.008
    """Where a sampler takes its last step from."""

    def __init__(self, network: SpadeLatentDenoiser, channels: int, schedule: Schedule) -> None:
        super().__init__(network, schedule)
        count = channels * BLOCK**3
        self.channels = channels
        self.transform = BlockTransform(channels, count, (BLOCK, BLOCK, BLOCK))
        self.noise = Appearance(KINDS * channels)
        self.register_buffer("share", torch.ones(1, count, 1, 1, 1))
        self.register_buffer("detail_sd", torch.tensor(1.0))
        self.share: Tensor
        self.detail_sd: Tensor

    def learn_scale(self, details: Iterable[Tensor], known: Tensor) -> None:
        """Take components and scale of what is missing, and how noisy scans are.

        Args:
            details: differences `(B, C, D, H, W)`, some at a time.
            known: noise of each scan in air and tissue `(N, C·2)`, see `scanner_noise`.
        """
        self.transform.fit(details)
        sd = self.transform.std
        self.detail_sd.copy_(sd.square().mean().sqrt())
        self.share.copy_((sd / self.detail_sd.to(sd.device)).reshape(self.share.shape))
        self.noise.fit(known)

    def scaled(self, detail: Tensor) -> Tensor:
        """A difference `(B, C, D, H, W)` as diffusion sees it, `(B, C·8, D/2, H/2, W/2)`."""
        return self.transform.encode(detail) * self.share

    def unscaled(self, x: Tensor) -> Tensor:
        """The inverse of `scaled`."""
        return self.transform.decode(x / self.share)

    def noise_map(
        self, decoded: Tensor, noise: Tensor, scales: Sequence[float] = ()
    ) -> Tensor:  # fmt: skip
        """Noise of the scanner in each block `(B, 1, D/2, H/2, W/2)`, on the scale of diffusion.

        Args:
            decoded: what a code decodes to `(B, C, D, H, W)`.
            noise: of each scan, standardised `(B, C·2)`.
            scales: factors on it `(C·2)`; none leave it as it is.
        """
        known = noise * self.noise.std + self.noise.mean
        if scales:
            known = known * torch.tensor(scales, device=known.device)
        air, tissue = known.reshape(-1, self.channels, KINDS, 1, 1, 1).unbind(dim=2)
        bright = ((decoded - DARK) / (BRIGHT - DARK)).clamp(0, 1)
        fine = (air + (tissue - air) * bright).mean(dim=1, keepdim=True)
        return (functional.avg_pool3d(fine, BLOCK) / self.detail_sd).clamp(LEAST_NOISE, MOST_NOISE)

    def output(self, x: Tensor, level: Tensor, *given: Any) -> Tensor:
        maps, noise, _ = given
        return super().output(x, level, maps, noise)

    def own_noise(self, *given: Any) -> Tensor:
        noise_map: Tensor = given[-1]
        return noise_map

    def own_spread(self) -> float:
        return 1.0


class DetailNoise(BaseModel):
    """Factors on the noise of air and tissue, at which generated volumes are as noisy as real ones.

    What a network guesses a little differently at each step adds to the noise that is sampled.

    Attributes:
        scales: of each channel in turn.
    """

    FILE: ClassVar[str] = "detail_noise"

    scales: tuple[float, ...]

    @classmethod
    def of(cls, real: np.ndarray, smooth: np.ndarray, full: np.ndarray) -> DetailNoise:
        """Measure scans and what was generated for what they decode to.

        Args:
            real: noise of each scan `(N, C·2)`, see `scanner_noise`.
            smooth, full: the same of volumes generated with none and with all of the noise.

        >>> DetailNoise.of(np.full((1, 2), 3.0), np.zeros((1, 2)), np.full((1, 2), 6.0)).scales
        (0.5, 0.5)
        """
        medians = zip(*(np.median(one, axis=0) for one in (real, smooth, full)), strict=True)
        return cls(scales=tuple(matching_scale(*map(float, row)) for row in medians))


def sampled_detail(
    denoiser: DetailDenoiser, decoded: Tensor, steps: int, rng: torch.Generator,
    scales: Sequence[float] = (),
) -> Tensor:  # fmt: skip
    """What volumes `(B, C, D, H, W)` lack, each with noise as a scan of the cohort might have it.

    Args:
        denoiser: fitted.
        decoded: what codes decode to.
        steps: of the sampler.
        rng: on the CPU.
        scales: factors on the noise, see `DetailNoise`.
    """
    noise = torch.cat([denoiser.noise.sample(rng) for _ in decoded])
    sides = [side // BLOCK for side in decoded.shape[2:]]
    start = torch.randn(len(decoded), denoiser.share.shape[1], *sides, generator=rng)
    levels = even_log_snr_levels(denoiser.schedule, steps, 0.995, denoiser.last_level)
    maps = denoiser.network.kept(denoiser.network.read_labels(decoded))
    given = maps, noise, denoiser.noise_map(decoded, noise, scales)
    x = dpm_solver_2m(
        lambda x, level: denoiser(x, level, *given), start.to(decoded.device), levels,
        denoiser.schedule,
    )  # fmt: skip
    return denoiser.unscaled(x.float())
