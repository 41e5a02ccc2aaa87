"""Similarity of volumes whatever their contrast, a shift or a mirror: a search for copies.

What all volumes of an organ share is taken away first, so that only what is a patient's own counts:
brightness and contrast of every neighbourhood, the mean of the training volumes, and the directions
in which they differ most, such as size. Then each volume is laid over every training volume at all
small shifts and mirrored, coarsely first, and the best cosine is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from vesalius.scans.arrays import ScratchRows

SIDE = 32
"""Voxels along each axis to which volumes are averaged down, if they are larger."""

SHIFT = 4
QUIET, AROUND = 0.8, 2.5
"""Voxels over which noise is averaged away, and over which a neighbourhood reaches."""

FLAT = 0.08
"""Share of the range below which a neighbourhood is flat, and its noise not worth stretching."""

SHARED = 0.15
"""Directions that are shared, as a share of the number of training volumes."""

MOST_SHARED = 300
"""Directions that are shared at most, however many training volumes there are."""

EXACT_BYTES, SPARE, POWERS = 1e7, 16, 6
"""Up to which directions are exact; beyond: further directions of a sketch, and its rounds."""

AT_ONCE = 32
"""Rows in memory."""

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


def shared_directions(rows: Blocks, mean: Tensor) -> Tensor:
    """Orthonormal directions `(K, F)` in which rows less their mean differ most.

    Exact where the rows fit into `EXACT_BYTES`. More are sketched block by block, so that no more
    than one is in memory (Halko, Martinsson and Tropp 2011, "Finding structure with randomness",
    algorithm 4.4).

    Args:
        rows: `(N, F)`, a block at a time.
        mean: of the rows `(F,)`.

    >>> points = torch.randn(60, 30, generator=torch.Generator().manual_seed(0))
    >>> points = points * torch.logspace(1, -2, 30)
    >>> blocks = Blocks(points.numpy())
    >>> exact = shared_directions(blocks, points.mean(dim=0))
    >>> sketched = _sketched(blocks, points.mean(dim=0), len(exact))
    >>> float((exact @ sketched.mT).square().sum()) > 0.999 * len(exact)
    True
    """
    count, features = len(rows), len(mean)
    wanted = min(round(SHARED * count), MOST_SHARED)
    if 4.0 * count * features > EXACT_BYTES:
        return _sketched(rows, mean, wanted)
    whole = torch.cat([block - mean for block in rows])
    _, _, directions = torch.linalg.svd(whole, full_matrices=False)
    return directions[:wanted]


def _sketched(rows: Blocks, mean: Tensor, wanted: int) -> Tensor:
    width = min(wanted + SPARE, len(mean))
    rng = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(len(mean), width, generator=rng))[0]
    for _ in range(POWERS):
        turned = torch.zeros_like(basis)
        for block in rows:
            centred = block - mean
            turned += centred.mT @ (centred @ basis)
        basis = torch.linalg.qr(turned)[0]
    inside = torch.zeros(width, width)
    for block in rows:
        along = (block - mean) @ basis
        inside += along.mT @ along
    _, vectors = torch.linalg.eigh(inside)
    return (basis @ vectors.flip(1)[:, :wanted]).mT.contiguous()


class Blocks:
    """Rows of an array, flattened, some at a time.

    Args:
        array: `(N, ...)`, in memory or mapped from disk.
        inside: box of each that counts; all of it if empty.

    >>> [tuple(block.shape) for block in Blocks(np.zeros((40, 4, 2)), (slice(1, 3),))]
    [(32, 4), (8, 4)]
    """

    def __init__(self, array: np.ndarray, inside: tuple[slice, ...] = ()) -> None:
        self.array, self.inside = array, inside

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[Tensor]:
        for start in range(0, len(self.array), AT_ONCE):
            block = np.array(self.array[start : start + AT_ONCE][(slice(None), *self.inside)])
            yield torch.from_numpy(block).flatten(1).float()

    def mean(self) -> Tensor:
        """Of all rows `(F,)`."""
        total: Tensor = sum(block.double().sum(dim=0) for block in self)  # type: ignore[assignment]
        return (total / len(self)).float()


class AlignedSearch:
    """Similarity to training volumes at the best shift and mirror.

    With the mean m of the training volumes, the projection P that takes shared directions away, the
    volume q moved by d, and r = P(training volume − m), it is the cosine of P(q_d − m) and r. Only
    the inside counts, as a moved volume shows something else at its border. All shifts and mirrors
    are compared at half the resolution, and those next to the best of the `CANDIDATES` nearest
    training volumes at the full one; others are not told apart and get −1.

    Args:
        training: volumes `(N, D, H, W)`, each as `detail` gives it; may lie on disk.
        shift: largest, in voxels.

    >>> rng = np.random.default_rng(0)
    >>> training = [rng.random((8, 8, 8)).astype(np.float32) for _ in range(5)]
    >>> moved = np.roll(training[2], (1, -2, 0), axis=(0, 1, 2))
    >>> found = AlignedSearch(training, shift=2).similarity([moved])
    >>> int(found.argmax()), round(float(found[0, 2]), 3)
    (2, 1.0)
    """

    def __init__(self, training: Sequence[np.ndarray] | np.ndarray, shift: int = SHIFT) -> None:
        stack = training if isinstance(training, np.ndarray) else np.stack(training)
        self.count = len(stack)
        self.fine = _Templates(stack, shift)
        small = ScratchRows()
        for one in stack:
            small.add(_halved(torch.from_numpy(np.array(one))[None])[0].numpy())
        self.coarse = _Templates(small.array(), (shift + 1) // 2)

    def similarity(
        self, volumes: Sequence[np.ndarray] | np.ndarray, excluded: Sequence[Sequence[int]] = ()
    ) -> np.ndarray:
        """The best cosine of each volume with each training volume, `(M, N)`.

        Args:
            volumes: as `detail` gives them.
            excluded: for each volume, training volumes that it is not compared with.
        """
        left_out = excluded or [()] * len(volumes)
        pairs = zip(volumes, left_out, strict=True)
        return np.stack([self._of(torch.from_numpy(np.array(one)), out) for one, out in pairs])

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

    def __init__(self, stack: np.ndarray, shift: int) -> None:
        self.shift = shift
        self.margins = [shift if side > 4 * shift else 0 for side in stack.shape[1:]]
        inside = [slice(m, n - m) for m, n in zip(self.margins, stack.shape[1:], strict=True)]
        blocks = Blocks(stack, tuple(inside))
        self.mean = blocks.mean()
        self.shared = shared_directions(blocks, self.mean)
        own = ScratchRows()
        for block in blocks:
            rows = block - self.mean
            for one in functional.normalize(rows - (rows @ self.shared.mT) @ self.shared, dim=1):
                own.add(one.numpy())
        self.own = torch.from_numpy(own.array())
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


def _halved(volumes: Tensor) -> Tensor:
    return functional.avg_pool3d(volumes[:, None], 2, ceil_mode=True)[:, 0]
