"""Similarity of volumes whatever their contrast, a shift or a mirror: a search for copies.

What all volumes of an organ share is taken away first, so that only what is a patient's own counts:
brightness and contrast of every neighbourhood, the mean of the training volumes, and the directions
in which they differ most, such as size. Then each volume is laid over every training volume at all
small shifts and mirrored, coarsely first, and the best cosine is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

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

CANDIDATES = 12
"""Training volumes that are nearest at half the resolution, compared at the full one."""

MIRRORS: tuple[tuple[int, ...], ...] = ((), (1,), (2,), (3,))


def detail(image: np.ndarray, side: int = SIDE) -> np.ndarray:
    """A volume `(D, H, W)` at most `side` wide, each neighbourhood at zero mean and unit SD.

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
    std = np.sqrt(ndimage.gaussian_filter((quiet - middle) ** 2, AROUND))
    result: np.ndarray = (quiet - middle) / (std + FLAT * max(high - low, 1e-9))
    return result.astype(np.float32)


def shared_directions(rows: Tensor) -> Tensor:
    """Orthonormal directions `(K, F)` in which centred rows `(N, F)` differ most."""
    _, _, directions = torch.linalg.svd(rows, full_matrices=False)
    return directions[: round(SHARED * len(rows))]


class AlignedSearch:
    """Similarity to training volumes at the best shift and mirror.

    With the mean m of the training volumes, the projection P that takes shared directions away, the
    volume q moved by d, and r = P(training volume − m), it is the cosine of P(q_d − m) and r. Only
    the inside counts, as a moved volume shows something else at its border. All shifts and mirrors
    are compared at half the resolution, and those next to the best of the `CANDIDATES` nearest
    training volumes at the full one; others are not told apart and get −1.

    Args:
        training: volumes `(D, H, W)` of one shape, as `detail` gives them.
        shift: largest, in voxels.

    >>> rng = np.random.default_rng(0)
    >>> training = [rng.random((8, 8, 8)).astype(np.float32) for _ in range(5)]
    >>> moved = np.roll(training[2], (1, -2, 0), axis=(0, 1, 2))
    >>> found = AlignedSearch(training, shift=2).similarity([moved])
    >>> int(found.argmax()), round(float(found[0, 2]), 3)
    (2, 1.0)
    """

    def __init__(self, training: Sequence[np.ndarray], shift: int = SHIFT) -> None:
        stack = torch.from_numpy(np.stack(training))
        self.count = len(stack)
        self.fine = _Templates(stack, shift)
        self.coarse = _Templates(_halved(stack), (shift + 1) // 2)

    def similarity(
        self, volumes: Sequence[np.ndarray], excluded: Sequence[Sequence[int]] = ()
    ) -> np.ndarray:
        """The best cosine of each volume with each training volume, `(M, N)`.

        Args:
            volumes: as `detail` gives them.
            excluded: for each volume, training volumes that it is not compared with.
        """
        left_out = excluded or [()] * len(volumes)
        pairs = zip(volumes, left_out, strict=True)
        return np.stack([self._of(torch.from_numpy(one), out) for one, out in pairs])

    def _of(self, volume: Tensor, excluded: Sequence[int]) -> np.ndarray:
        coarse, fine = self.coarse, self.fine
        mirrored = torch.stack([volume.flip([axis - 1 for axis in m]) for m in MIRRORS])
        small = _halved(mirrored)
        rough = torch.stack([coarse.cosines(coarse.moved(one, coarse.shifts)) for one in small])
        rough[..., list(excluded)] = -1.0
        nearest = rough.amax(dim=(0, 1)).topk(min(CANDIDATES, self.count)).indices.tolist()
        best = np.full(self.count, -1.0, dtype=np.float32)
        for one in nearest:
            if one in excluded:
                continue
            mirror, place = divmod(int(rough[..., one].argmax()), len(coarse.shifts))
            around = fine.around([2 * step for step in coarse.shifts[place]])
            result = fine.cosines(fine.moved(mirrored[mirror], around), one)
            best[one] = float(result.max())
        return best


class _Templates:
    """Training volumes less what all share, of which the inside counts, at one resolution."""

    def __init__(self, stack: Tensor, shift: int) -> None:
        self.shift = shift
        self.margins = [shift if side > 4 * shift else 0 for side in stack.shape[1:]]
        rows = self._inside(stack).flatten(1)
        self.mean = rows.mean(dim=0)
        rows = rows - self.mean
        self.shared = shared_directions(rows)
        self.own = functional.normalize(rows - (rows @ self.shared.T) @ self.shared, dim=1)
        steps = range(-shift, shift + 1)
        self.shifts = [list(step) for step in product(steps, repeat=3)]

    def around(self, centre: Sequence[int]) -> list[list[int]]:
        """Shifts one voxel about another, as far as they are allowed."""
        near = [
            sorted({max(-self.shift, min(self.shift, at + step)) for step in (-1, 0, 1)})
            for at in centre
        ]
        return [list(step) for step in product(*near)]

    def moved(self, volume: Tensor, shifts: Sequence[Sequence[int]]) -> Tensor:
        """The inside of a volume `(D, H, W)` at some shifts, less the mean, `(S, F)`."""
        around = [self.shift - margin for margin in self.margins]
        padding = [side for own in reversed(around) for side in (own, own)]
        padded = functional.pad(volume[None, None], padding, mode="circular")[0, 0]
        sides = [n - 2 * margin for n, margin in zip(volume.shape, self.margins, strict=True)]
        every = padded.unfold(0, sides[0], 1).unfold(1, sides[1], 1).unfold(2, sides[2], 1)
        at = torch.tensor(shifts) + self.shift
        return every[at[:, 0], at[:, 1], at[:, 2]].flatten(1) - self.mean

    def cosines(self, rows: Tensor, one: int | None = None) -> Tensor:
        """Of rows `(S, F)` with all templates `(S, N)`, or with one `(S,)`."""
        length = rows.square().sum(dim=1) - (rows @ self.shared.mT).square().sum(dim=1)
        unit = rows / length.clamp(min=1e-6).sqrt()[:, None]
        return unit @ (self.own.mT if one is None else self.own[one])

    def _inside(self, stack: Tensor) -> Tensor:
        return stack[
            :, *(slice(m, n - m) for m, n in zip(self.margins, stack.shape[1:], strict=True))
        ]


def _halved(volumes: Tensor) -> Tensor:
    return functional.avg_pool3d(volumes[:, None], 2, ceil_mode=True)[:, 0]
