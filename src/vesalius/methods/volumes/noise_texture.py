"""The noise texture that no code can carry: a scan's noise at each intensity, and putting it back.

An autoencoder returns the mean of what a code may stand for, so its volumes are smoother than
scans. What is missing is measured on training volumes that came back, and generated anew for each
one.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor

from vesalius.methods.volumes.model import slice_axis
from vesalius.scans.noise_texture import noise_texture
from vesalius.training.run import Run

BINS = 12
FILE = "grain"


class NoiseTexture(BaseModel):
    """Spread of the missing noise over intensity, on the scale of the networks.

    Attributes:
        levels: intensities, rising.
        spreads: standard deviation at each, one row a channel.

    >>> curve = NoiseTexture(levels=[0.0, 1.0], spreads=[[0.0, 0.2]])
    >>> image = torch.full((1, 1, 20, 20, 20), 0.5)
    >>> round(float(curve.put_back(image, torch.Generator().manual_seed(0)).std()), 2)
    0.1
    """

    levels: list[float]
    spreads: list[list[float]]

    @classmethod
    def of(
        cls, pairs: Sequence[tuple[np.ndarray, np.ndarray]], axes: Sequence[int]
    ) -> NoiseTexture:
        """Measure scans `(C, D, H, W)` and what came back of them, on intensities in about [0, 1].

        At each intensity the noise texture that is missing is √(g² − h²) of the noise texture g of
        a scan and h of
        what came back, the median over scans; none where an intensity is too rare to tell.

        Args:
            pairs: scan and what came back.
            axes: along which neighbours are compared.
        """
        edges = np.linspace(0, 1, BINS + 1)
        edges[0], edges[-1] = -np.inf, np.inf
        result = np.full((len(pairs), pairs[0][0].shape[0], BINS), np.nan)
        for row, (scan, back) in enumerate(pairs):
            inner = np.zeros(scan.shape[1:], dtype=bool)
            inner[1:-1, 1:-1, 1:-1] = True
            for channel, (real, smooth) in enumerate(zip(scan, back, strict=True)):
                for place, (low, high) in enumerate(pairwise(edges)):
                    inside = inner & (smooth >= low) & (smooth < high)
                    g, h = (noise_texture(image, inside, axes) for image in (real, smooth))
                    result[row, channel, place] = np.sqrt(np.maximum(0.0, g**2 - h**2))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # an intensity that no scan has
            deviations = np.nan_to_num(np.nanmedian(result, axis=0))
        levels = (np.arange(BINS) + 0.5) / BINS
        return cls(levels=levels.tolist(), spreads=deviations.tolist())

    @classmethod
    def of_run(cls, run: Run) -> NoiseTexture | None:
        """What a run has measured, if it has."""
        return run.noted(FILE, cls) if run.has_note(FILE) else None

    def put_back(self, image: Tensor, rng: torch.Generator) -> Tensor:
        """An image `(B, C, D, H, W)` with fresh noise."""
        noise = torch.randn(image.shape, generator=rng).to(image.device)
        here = image.detach().float().cpu().numpy()
        std = np.stack(
            [np.interp(here[:, c], self.levels, own) for c, own in enumerate(self.spreads)], axis=1
        )
        return image + torch.from_numpy(std.astype(np.float32)).to(image.device) * noise


def neighbour_axes(spacing_mm: Sequence[float]) -> tuple[int, ...]:
    """Axes along which neighbouring voxels lie close: those of the slice where slices are thick.

    >>> neighbour_axes((3.0, 0.5, 0.5)), neighbour_axes((1.0, 1.0, 1.2))
    ((1, 2), (0, 1, 2))
    """
    across = slice_axis(spacing_mm)
    others = [size for axis, size in enumerate(spacing_mm) if axis != across]
    thick = spacing_mm[across] > 1.5 * max(others)
    return tuple(axis for axis in range(3) if not (thick and axis == across))
