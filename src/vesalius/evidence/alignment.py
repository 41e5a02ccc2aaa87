"""Likeness of volumes whatever their contrast, a shift or a mirror: a search for copies.

What all volumes of an organ share is taken away first, so that only what is a patient's own counts:
brightness and contrast of every neighbourhood, the mean of the training volumes, and the directions
in which they differ most, such as size. Then each volume is laid over every training volume at all
small shifts and mirrored, by way of the Fourier transform, and the best cosine is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

SIDE = 32
"""Voxels along each axis to which volumes are averaged down, if they are larger."""

SHIFT = 4
QUIET, AROUND = 0.8, 2.5
"""Voxels over which noise is averaged away, and over which a neighbourhood reaches."""

FLAT = 0.08
"""Share of the range below which a neighbourhood is flat, and its noise not worth stretching."""

SHARED = 0.15
"""Directions that are shared, as a share of the number of training volumes."""

MIRRORS: tuple[tuple[int, ...], ...] = ((), (1,), (2,), (3,))


def detail(image: np.ndarray, side: int = SIDE) -> np.ndarray:
    """A volume `(D, H, W)` at most `side` wide, each neighbourhood at zero mean and unit spread.

    Contrast is undone near by near, as in local contrast normalisation (Jarrett et al. 2009, "What
    is the best multi-stage architecture for object recognition?").

    >>> image = ndimage.gaussian_filter(np.random.default_rng(0).random((12, 12, 12)), 1)
    >>> brighter = 100 * (image / image.max()) ** 1.5
    >>> bool(np.corrcoef(detail(image).ravel(), detail(brighter).ravel())[0, 1] > 0.99)
    True
    """
    d, h, w = (min(side, n) for n in image.shape)
    whole = torch.from_numpy(image.astype(np.float32))[None]
    small = functional.adaptive_avg_pool3d(whole, (d, h, w))[0].numpy()
    quiet = ndimage.gaussian_filter(small, QUIET)
    low, high = np.percentile(ndimage.gaussian_filter(small, AROUND), [1, 99])
    middle = ndimage.gaussian_filter(quiet, AROUND)
    spread = np.sqrt(ndimage.gaussian_filter((quiet - middle) ** 2, AROUND))
    found: np.ndarray = (quiet - middle) / (spread + FLAT * max(high - low, 1e-9))
    return found.astype(np.float32)


def shared_directions(rows: Tensor) -> Tensor:
    """Orthonormal directions `(K, F)` in which centred rows `(N, F)` differ most."""
    _, _, directions = torch.linalg.svd(rows, full_matrices=False)
    return directions[: round(SHARED * len(rows))]


class AlignedSearch:
    """Likeness to training volumes at the best shift and mirror.

    With the mean m of the training volumes, the projection P that takes shared directions away, the
    volume q moved by d, and r = P(training volume − m), it is the cosine of P(q_d − m) and r, for
    all d at once from products of spectra. Only the inside counts, as a moved volume shows
    something else at its border.

    Args:
        training: volumes `(D, H, W)` of one shape, as `detail` gives them.
        shift: largest, in voxels.

    >>> chance = np.random.default_rng(0)
    >>> training = [chance.random((8, 8, 8)).astype(np.float32) for _ in range(5)]
    >>> moved = np.roll(training[2], (1, -2, 0), axis=(0, 1, 2))
    >>> found = AlignedSearch(training, shift=2).likeness([moved])
    >>> int(found.argmax()), round(float(found[0, 2]), 3)
    (2, 1.0)
    """

    def __init__(self, training: Sequence[np.ndarray], shift: int = SHIFT) -> None:
        stack = torch.from_numpy(np.stack(training))
        self.grid = tuple(stack.shape[1:])
        mean, inside = stack.mean(dim=0, keepdim=True), torch.ones(1, *self.grid)
        for axis, n in enumerate(self.grid, 1):
            border = torch.arange(n).add(shift).remainder(n) < 2 * shift
            if n > 4 * shift:
                inside.index_fill_(axis, border.nonzero()[:, 0], 0.0)
        mean = mean * inside
        rows = (stack * inside - mean).flatten(1)
        shared = shared_directions(rows)
        own = functional.normalize(rows - (rows @ shared.T) @ shared, dim=1)
        templates = torch.cat([own, shared]).reshape(-1, *self.grid)
        self.count, self.power = len(own), (mean**2).sum()
        self.offset = (mean * templates).sum(dim=(1, 2, 3))[:, None, None, None]
        self.templates, self.mean, self.inside = (
            _spectrum(v).conj() for v in (templates, mean, inside)
        )
        self.near = [
            torch.cat([torch.arange(shift + 1), torch.arange(n - shift, n)]) for n in self.grid
        ]

    def likeness(self, volumes: Sequence[np.ndarray]) -> np.ndarray:
        """The best cosine of each volume with each training volume, `(M, N)`."""
        rows = []
        for volume in volumes:
            best = torch.full((self.count,), -1.0)
            for mirror in MIRRORS:
                turned = torch.from_numpy(volume)[None].flip(mirror)
                spectrum = _spectrum(turned)
                overlap = self._moved(spectrum * self.templates) - self.offset
                length = self._moved(_spectrum(turned**2) * self.inside) + self.power
                length = length - 2 * self._moved(spectrum * self.mean)
                length = length - (overlap[self.count :] ** 2).sum(dim=0, keepdim=True)
                cosine = overlap[: self.count] / length.clamp(min=1e-6).sqrt()
                best = torch.maximum(best, cosine.amax(dim=(1, 2, 3)))
            rows.append(best.numpy())
        return np.stack(rows)

    def _moved(self, product: Tensor) -> Tensor:
        """Inner products at all small shifts, from a product of spectra."""
        found = torch.fft.irfftn(product, s=self.grid, dim=(1, 2, 3))
        for axis, kept in enumerate(self.near, 1):
            found = found.index_select(axis, kept)
        return found


def _spectrum(volumes: Tensor) -> Tensor:
    spectrum: Tensor = torch.fft.rfftn(volumes, dim=(1, 2, 3))
    return spectrum
