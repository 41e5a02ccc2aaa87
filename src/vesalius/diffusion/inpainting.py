"""Inpainting with a denoiser that knows nothing of it: the source is put back where it belongs.

All of it works through the guess of x₀. Where a voxel is held, the guess is the source itself; any
sampler then keeps that voxel on the source's own noisy path, as its noise stays what it was.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vesalius.diffusion.samplers import SAMPLERS, Denoiser, NoiseSource, ddpm
from vesalius.diffusion.schedules import Schedule


def released(denoise: Denoiser, source: Tensor, weight: Tensor) -> Denoiser:
    """A denoiser that holds each voxel at the source until the level falls below its weight.

    With a soft map this is differential diffusion (Levin and Fried 2023, "Differential diffusion:
    giving each pixel its strength", algorithm 1); with a map of zeros and ones it is the
    replacement of blended latent diffusion (Avrahami et al. 2023).

    Args:
        denoise: of one level for all voxels.
        source: clean `(B, C, D, H, W)`.
        weight: map `(B, 1, D, H, W)` in [0, 1].

    >>> ones = lambda x, level: torch.ones_like(x)
    >>> hold = released(ones, torch.zeros(1, 1, 1, 1, 3), torch.tensor([0.0, 0.5, 1.0]))
    >>> hold(torch.zeros(1, 1, 1, 1, 3), torch.tensor(0.7)).flatten().tolist()
    [0.0, 0.0, 1.0]
    """

    def hold(x: Tensor, level: Tensor) -> Tensor:
        return torch.where(level > weight, source, denoise(x, level))

    return hold


def repaint(
    denoise: Denoiser, source: Tensor, mask: Tensor, levels: Tensor, schedule: Schedule,
    noise: NoiseSource, resample: int = 10, jump: int = 10,
) -> Tensor:  # fmt: skip
    """RePaint (Lugmayr et al. 2022, algorithm 1 with the jumps of its appendix).

    Ancestral steps whose known part is replaced by the noised source; after every `jump` steps the
    sample is noised again by as many and the steps are repeated, `resample` times in all.

    Args:
        denoise: of one level for all voxels.
        source: clean `(B, C, D, H, W)`.
        mask: 1 where to paint, 0 where the source is known.
        levels: falling, `(N + 1,)`.
        schedule: that the denoiser was fitted with.
        noise: gives fresh standard noise like its argument.
        resample: times that each stretch is gone through.
        jump: length of a stretch in steps.
    """
    x = schedule.noisy(torch.zeros_like(source), noise(source), levels[0])
    step, ends = 0, len(levels) - 1
    while step < ends:
        stop = min(step + jump, ends)
        for turn in range(resample):
            for here, there in zip(levels[step:stop], levels[step + 1 : stop + 1], strict=True):
                painted = _ancestral(x, denoise(x, here), here, there, schedule, noise)
                known = schedule.noisy(source, noise(source), there)
                x = torch.where(mask > 0, painted, known)
            if turn + 1 < resample:
                ratio = schedule.alpha(levels[step]) / schedule.alpha(levels[stop])
                variance = schedule.sigma(levels[step]) ** 2
                variance = variance - (ratio * schedule.sigma(levels[stop])) ** 2
                x = ratio * x + variance.clamp(min=0).sqrt() * noise(x)
        step = stop
    return x


def sdedit(
    denoise: Denoiser, source: Tensor, start: float, steps: int, schedule: Schedule, noise: Tensor,
    sampler: str = "ddim",
) -> Tensor:  # fmt: skip
    """SDEdit (Meng et al. 2022): noise the whole source to one level, then sample from there.

    Args:
        start: level to begin at; the higher, the less of the source is left.
    """
    levels = torch.linspace(start, 0, steps + 1)
    x = schedule.noisy(source, noise, levels[0])
    return SAMPLERS[sampler](denoise, x, levels, schedule)


def _ancestral(
    x: Tensor, clean: Tensor, here: Tensor, there: Tensor, schedule: Schedule, noise: NoiseSource
) -> Tensor:
    return ddpm(lambda *_: clean, x, torch.stack([here, there]), schedule, noise)
