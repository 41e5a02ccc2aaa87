"""Copies of parts: does a piece of one training volume stand in a synthetic one?

At each place, how much nearer is the nearest training volume than the second nearest? Anatomy that
many share is near to several (the ratio test of Lowe 2004, "Distinctive image features from
scale-invariant keypoints"); a piece that was copied is near to one alone, at several places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vesalius.evidence.figure import Figure, bootstrapped, mean_figure
from vesalius.scans.progress import Progress, followed, silent

Place = tuple[int, int, int]

SIDE = 64
"""Longest side that is looked at, in voxels; they are halved once more against noise."""
PATCH, STEP = 6, 3
"""Side of a patch and from one to the next, in halved voxels."""
SHIFT = 2
"""Largest shift of a piece, in voxels before halving."""
TOLD = 0.03
"""Spread of a patch below which it tells nothing, as a share of the range of intensities."""
OWN = 0.05
"""Least mean square by which a patch differs from the mean one at its place, to tell anything."""
NOISE = 0.01
"""Distance below which patches count as the same."""
PLACES = 3
"""Places at which one training volume must be near."""


class PatchSearch:
    """By how much training volumes lead as the nearest, at the places where they do.

    A patch loses its mean, is divided by its spread, and loses the mean of the training patches at
    its place; d is one minus the cosine of two patches, the least over shifts. The log of d₂ / d₁,
    of the second nearest volume to the nearest, is credited to the nearest. Told is the mean of
    the three highest credits of a volume.

    Args:
        training: volumes `(D, H, W)` of one shape, two or more.
        shift: largest, in voxels.

    >>> chance = np.random.default_rng(0)
    >>> training = [chance.random((24, 24, 24)) for _ in range(5)]
    >>> pieced = chance.random((24, 24, 24)); pieced[:16, :16, :16] = training[2][:16, :16, :16]
    >>> found = PatchSearch(training).likeness([pieced, chance.random((24, 24, 24))])
    >>> int(found[0].argmax()), bool(found[0, 2] > 3 * found[1].max())
    (2, True)
    """

    def __init__(self, training: Sequence[np.ndarray], shift: int = SHIFT) -> None:
        if len(training) < 2:
            raise ValueError("the nearest volume needs a second nearest to be told from")
        stack = torch.stack([_looked(volume) for volume in training])
        steps = range(2 * shift + 1)
        self.count, self.offsets = len(stack), [(x, y, z) for x, y, z in product(steps, repeat=3)]
        padded = functional.pad(stack[:, None], (shift,) * 6, mode="replicate")[:, 0]
        self.halved = {
            first: _halved(padded[:, *(slice(begin, None) for begin in first)])
            for first in product((0, 1), repeat=3)
        }
        self.middle = (shift, shift, shift)
        starts = [range(0, side // 2 - PATCH + 1, STEP) for side in stack.shape[1:]]
        self.places = [(x, y, z) for x, y, z in product(*starts)]

    def likeness(
        self, volumes: Sequence[np.ndarray], told: str = "comparing patches",
        progress: Progress = silent,
    ) -> np.ndarray:  # fmt: skip
        """Lead of each training volume in each volume, `(M, N)`; 0 where it is nowhere nearest."""
        halved = _halved(torch.stack([_looked(volume) for volume in volumes]))
        best = torch.zeros(PLACES, len(volumes), self.count)
        for place in followed(self.places, told, len(self.places), progress):
            training = self._training(place, self.middle)
            mean = training.mean(dim=0)
            if float((training - mean).square().mean()) < OWN:
                continue
            patches = _patches(halved, place) - mean
            nearest = self._nearest(functional.normalize(patches, dim=1), place, mean)
            told_here = patches.square().mean(dim=1) >= OWN
            near = (1 - nearest).clamp(min=NOISE).topk(2, dim=1, largest=False)
            lead = torch.log(near.values[:, 1] / near.values[:, 0]) * told_here
            credit = torch.zeros_like(nearest).scatter_(1, near.indices[:, :1], lead[:, None])
            best = torch.cat([best, credit[None]]).topk(PLACES, dim=0).values
        leads: np.ndarray = best.mean(dim=0).numpy()
        return leads

    def _nearest(self, unit: Tensor, place: Place, mean: Tensor) -> Tensor:
        """Cosine of each patch with each training volume's at its best shift, `(M, N)`."""
        nearest = torch.full((len(unit), self.count), -1.0)
        for offset in self.offsets:
            theirs = functional.normalize(self._training(place, offset) - mean, dim=1)
            nearest = torch.maximum(nearest, unit @ theirs.T)
        return nearest

    def _training(self, place: Place, offset: Place) -> Tensor:
        """Patches of the training volumes, moved by an offset in voxels, `(N, F)`."""
        first = (offset[0] % 2, offset[1] % 2, offset[2] % 2)
        x, y, z = (at + whole // 2 for at, whole in zip(place, offset, strict=True))
        return _patches(self.halved[first], (x, y, z))


@dataclass(frozen=True)
class PatchAudit:
    """Which synthetic cases hold a piece of a training case.

    Attributes:
        synthetic, held_out: highest lead of a training case in each, `(N,)`.
        nearest: number of that training case for each synthetic one.
        threshold: three SD above the mean of the held-out cases.
    """

    synthetic: np.ndarray
    held_out: np.ndarray
    nearest: np.ndarray
    threshold: float

    @property
    def copies(self) -> np.ndarray:
        """Which synthetic cases hold a copied piece, `(N,)`."""
        found: np.ndarray = self.synthetic > self.threshold
        return found

    def figures(self) -> dict[str, Figure]:
        """Number and share of cases with copied pieces, and leads."""
        return {
            "copies": Figure(float(self.copies.sum()), "cases", len(self.synthetic)),
            "copied_share": bootstrapped([self.copies.astype(float)], np.mean, ""),
            "synthetic_lead": mean_figure(self.synthetic, ""),
            "held_out_lead": mean_figure(self.held_out, ""),
            "threshold": Figure(self.threshold, "", len(self.held_out)),
        }


def audit_patches(synthetic: np.ndarray, held_out: np.ndarray) -> PatchAudit:
    """Judge leads of every training case, `(M, N)` and `(H, N)`.

    >>> chance = np.random.default_rng(0)
    >>> held_out, made = chance.uniform(0, 0.5, (20, 50)), chance.uniform(0, 0.5, (3, 50))
    >>> made[1, 7] = 2.0
    >>> audit = audit_patches(made, held_out)
    >>> audit.copies.tolist(), int(audit.nearest[1])
    ([False, True, False], 7)
    """
    own, baseline = synthetic.max(axis=1), held_out.max(axis=1)
    threshold = float(baseline.mean() + 3 * baseline.std(ddof=1))
    return PatchAudit(own, baseline, synthetic.argmax(axis=1), threshold)


def _looked(volume: np.ndarray) -> Tensor:
    """A volume at most `SIDE` wide, of even sides, its intensities between 1 and 99 % in [0, 1]."""
    low, high = np.percentile(volume, [1, 99])
    scaled = ((volume - low) / max(high - low, 1e-9)).astype(np.float32)
    d, h, w = (max(2 * PATCH, min(SIDE, side) // 2 * 2) for side in volume.shape)
    return functional.adaptive_avg_pool3d(torch.from_numpy(scaled)[None], (d, h, w))[0]


def _halved(volumes: Tensor) -> Tensor:
    return functional.avg_pool3d(volumes[:, None], 2)[:, 0]


def _patches(halved: Tensor, place: Place) -> Tensor:
    """The patch at a place of volumes `(N, D, H, W)`, at zero mean and unit spread, `(N, F)`."""
    rows = halved[:, *(slice(at, at + PATCH) for at in place)].flatten(1)
    rows = rows - rows.mean(dim=1, keepdim=True)
    return rows / rows.square().mean(dim=1, keepdim=True).sqrt().clamp(min=TOLD)
