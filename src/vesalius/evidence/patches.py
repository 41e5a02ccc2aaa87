"""Copies of parts: does a piece of one training volume stand in a synthetic one?

At each place, how much nearer is the nearest training volume than the second nearest? Anatomy that
many share is near to several (the ratio test of Lowe 2004, "Distinctive image features from
scale-invariant keypoints"); a piece that was copied is near to one alone, at several places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.intervals import mean_figure, proportion
from vesalius.evidence.memorisation import STANDARD_DEVIATIONS, bound
from vesalius.scans.arrays import ScratchRows
from vesalius.training.device import has_bfloat16

Place = tuple[int, int, int]

SIDE = 64
"""Longest side that is looked at, in voxels; they are halved once more against noise."""
PATCH, STEP = 6, 3
"""Side of a patch and from one to the next, in halved voxels."""
SHIFT = 2
"""Largest shift of a piece, in voxels before halving."""
LEAST_STD = 0.03
"""Spread of a patch below which it tells nothing, as a share of the range of intensities."""
OWN = 0.05
"""Least mean square by which a patch differs from the mean one at its place, to tell anything."""
NOISE = 0.01
"""Distance below which patches count as the same."""
AT_ONCE = 32
"""Training volumes that are compared with at once."""
CANDIDATES, LIKELY_PLACES = 6, 96
"""Training volumes and places that are looked at closely, after a first comparison of all."""
UNMOVED: Place = (SHIFT // 2,) * 3
EVEN_SHIFTS: list[Place] = list(product(range(SHIFT + 1), repeat=3))  # type: ignore[arg-type]
PLACES = 3
"""Places at which one training volume must be near."""


class PatchSearch:
    """By how much training volumes lead as the nearest, at the places where they do.

    A patch loses its mean, is divided by its spread, and loses the mean of the training patches at
    its place; d is one minus the cosine of two patches, the least over shifts. The log of d₂ / d₁,
    of the second nearest volume to the nearest, is credited to the nearest. Its lead is the
    mean of its three highest credits. All places are compared at shifts of whole halved voxels,
    and the likeliest with their nearest training volumes at all shifts.

    Args:
        training: volumes `(N, D, H, W)`, two or more, each as `reduced` gives it; may lie on disk.

    >>> rng = np.random.default_rng(0)
    >>> training = [rng.random((24, 24, 24)) for _ in range(5)]
    >>> pieced = rng.random((24, 24, 24)); pieced[:16, :16, :16] = training[2][:16, :16, :16]
    >>> search = PatchSearch([reduced(one) for one in training])
    >>> found = search.similarity([reduced(pieced), reduced(rng.random((24, 24, 24)))])
    >>> int(found[0].argmax()), bool(found[0, 2] > 3 * found[1].max())
    (2, True)
    """

    def __init__(self, training: Sequence[np.ndarray] | np.ndarray) -> None:
        if len(training) < 2:
            raise ValueError("the nearest volume needs a second nearest to be told from")
        self.count = len(training)
        mean, informative = _informative(training)
        starts = [range(0, n // 2 - PATCH + 1, STEP) for n in training[0].shape]
        self.places = 2 * torch.tensor(list(product(*starts)))[informative]
        self.informative, self.mean = informative, mean[informative]
        padded, own = ScratchRows(), ScratchRows()
        for one in training:
            whole = _padded(one)
            patches = _moved(whole, [UNMOVED])[0, informative] - self.mean
            unit = functional.normalize(patches, dim=1).to(torch.bfloat16)
            own.add(unit.view(torch.int16).numpy())
            padded.add(whole.to(torch.float16).numpy())
        self.training = torch.from_numpy(own.array())
        self.padded = torch.from_numpy(padded.array())

    def similarity(
        self, volumes: Sequence[np.ndarray], excluded: Sequence[Sequence[int]] = ()
    ) -> np.ndarray:
        """Lead of each training volume in each volume, `(M, N)`; 0 where it is nowhere nearest.

        Args:
            volumes: of the training volumes' shape, as `reduced` gives them.
            excluded: for each volume, training volumes that it is not compared with.
        """
        left_out = excluded or [()] * len(volumes)
        return np.stack([self._of(*pair) for pair in zip(volumes, left_out, strict=True)])

    def _of(self, volume: np.ndarray, excluded: Sequence[int]) -> np.ndarray:
        if not len(self.places):
            return np.zeros(self.count, dtype=np.float32)
        patches = _moved(_padded(volume), EVEN_SHIFTS)[:, self.informative] - self.mean
        own = patches[len(patches) // 2]
        # Rounded alike everywhere, multiplied in bfloat16 where the processor can.
        exact = torch.bfloat16 if has_bfloat16("cpu") else torch.float32
        unit = functional.normalize(patches, dim=2).to(torch.bfloat16).to(exact).transpose(0, 1)
        parts = []
        for block in self.training.split(AT_ONCE):
            theirs = block.view(torch.bfloat16).to(exact).permute(1, 2, 0).contiguous()
            parts.append(torch.bmm(unit, theirs).amax(dim=1).to(torch.bfloat16).float())
        cosine = torch.cat(parts, dim=1)
        cosine[:, list(excluded)] = -1.0
        near = (1 - cosine).clamp(min=NOISE).topk(min(CANDIDATES, self.count), largest=False)
        lead = torch.log(near.values[:, 1] / near.values[:, 0])
        lead[own.square().mean(dim=1) < OWN] = 0.0
        likely = lead.topk(min(LIKELY_PLACES, len(lead))).indices
        lead, nearest = self._lead(own[likely], likely, near.indices[likely])
        credit = torch.zeros(len(likely) + PLACES, self.count)
        credit[torch.arange(len(likely)), nearest] = lead
        leads: np.ndarray = credit.topk(PLACES, dim=0).values.mean(dim=0).numpy()
        return leads

    def _lead(self, own: Tensor, places: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """By how much the nearest of the candidates `(P, K)` leads at each place, and which it is.

        Here the training volumes move: what they all gain by it is no lead of one of them.
        """
        side = 2 * PATCH + 2 * SHIFT
        x, y, z = self.places[places].unbind(dim=1)
        every = self.padded.unfold(1, side, 1).unfold(2, side, 1).unfold(3, side, 1)
        around = every[candidates, x[:, None], y[:, None], z[:, None]].float()
        pooled = functional.avg_pool3d(around.flatten(0, 1)[:, None], 2, stride=1)[:, 0]
        for axis in range(1, 4):
            pooled = pooled.unfold(axis, 2 * PATCH - 1, 1)
        moved = pooled[..., ::2, ::2, ::2].reshape(*candidates.shape, -1, PATCH**3)
        theirs = functional.normalize(
            _standardised(moved) - self.mean[places][:, None, None], dim=3
        )
        cosine = (theirs @ functional.normalize(own, dim=1)[:, None, :, None]).amax(dim=(2, 3))
        near = (1 - cosine).clamp(min=NOISE).topk(2, largest=False)
        lead = torch.log(near.values[:, 1] / near.values[:, 0])
        lead[own.square().mean(dim=1) < OWN] = 0.0
        return lead, candidates.gather(1, near.indices[:, :1])[:, 0]


def _informative(training: Sequence[np.ndarray] | np.ndarray) -> tuple[Tensor, Tensor]:
    """The mean patch at each place `(P, F)`, and at which places volumes differ enough `(P,)`."""
    total: Any = 0.0
    for one in training:
        total = total + _moved(_padded(one), [UNMOVED])[0].double()
    mean = (total / len(training)).float()
    gaps: Any = 0.0
    for one in training:
        gap = _moved(_padded(one), [UNMOVED])[0] - mean
        gaps = gaps + gap.square().mean(dim=1).double()
    return mean, (gaps / len(training)).float() >= OWN


@dataclass(frozen=True)
class PatchAudit:
    """Which synthetic cases hold a piece of a training case.

    Attributes:
        synthetic, held_out: highest lead of a training case in each, `(N,)`.
        nearest: number of that training case for each synthetic one.
        threshold: some SD above the mean of the held-out cases.
    """

    synthetic: np.ndarray
    held_out: np.ndarray
    nearest: np.ndarray
    threshold: float

    def points(self) -> dict[str, Any]:
        """The leads and their threshold."""
        lists = {name: getattr(self, name).round(4).tolist() for name in ("synthetic", "held_out")}
        return lists | {"threshold": self.threshold}

    @property
    def copies(self) -> np.ndarray:
        """Which synthetic cases hold a copied piece, `(N,)`."""
        result: np.ndarray = self.synthetic > self.threshold
        return result

    def figures(self) -> dict[str, Figure]:
        """Number and share of cases with copied pieces, and leads."""
        return {
            "copies": counted(self.copies.sum(), "cases", len(self.copies), "synthetic cases"),
            "copied_share": proportion(self.copies.sum(), len(self.copies), "synthetic cases"),
            "synthetic_lead": mean_figure(self.synthetic, "", "synthetic cases"),
            "held_out_lead": mean_figure(self.held_out, "", "real cases"),
            "threshold": counted(self.threshold, "", len(self.held_out), "real cases", "a bound"),
        }


def audit_patches(
    synthetic: np.ndarray, held_out: np.ndarray, deviations: float = STANDARD_DEVIATIONS
) -> PatchAudit:
    """Judge leads of every training case, `(M, N)` and `(H, N)`.

    Args:
        synthetic: of the cases that are judged.
        held_out: of real ones.
        deviations: SD above the mean of the held-out cases at which the threshold lies.

    >>> rng = np.random.default_rng(0)
    >>> held_out, made = rng.uniform(0, 0.5, (20, 50)), rng.uniform(0, 0.5, (3, 50))
    >>> made[1, 7] = 2.0
    >>> audit = audit_patches(made, held_out)
    >>> audit.copies.tolist(), int(audit.nearest[1])
    ([False, True, False], 7)
    """
    own, baseline = synthetic.max(axis=1), held_out.max(axis=1)
    nearest = synthetic.argmax(axis=1)
    return PatchAudit(own, baseline, nearest, bound(baseline, deviations))


def reduced(volume: np.ndarray) -> np.ndarray:
    """A volume at most `SIDE` wide, of even sides, its intensities between 1 and 99 % in [0, 1]."""
    low, high = np.percentile(volume, [1, 99])
    scaled = ((volume - low) / max(high - low, 1e-9)).astype(np.float32)
    d, h, w = (max(2 * PATCH, min(SIDE, side) // 2 * 2) for side in volume.shape)
    small = functional.adaptive_avg_pool3d(torch.from_numpy(scaled)[None], (d, h, w))[0]
    return np.asarray(small)


def _moved(padded: Tensor, shifts: Sequence[Place]) -> Tensor:
    """Patches at all places of a volume moved by some shifts in halved voxels, `(S, P, F)`."""
    halved = functional.avg_pool3d(padded[None], 2)[0]
    sides = [n - SHIFT for n in halved.shape]
    rows = []
    for x, y, z in shifts:
        moved = halved[x : x + sides[0], y : y + sides[1], z : z + sides[2]]
        for axis in range(3):
            moved = moved.unfold(axis, PATCH, STEP)
        rows.append(moved.reshape(-1, PATCH**3))
    return _standardised(torch.stack(rows))


def _padded(volume: np.ndarray) -> Tensor:
    whole = torch.from_numpy(np.array(volume))[None, None]
    return functional.pad(whole, (SHIFT,) * 6, mode="replicate")[0, 0]


def _standardised(patches: Tensor) -> Tensor:
    """Patches `(..., F)` at zero mean and unit SD."""
    patches = patches - patches.mean(dim=-1, keepdim=True)
    return patches / patches.square().mean(dim=-1, keepdim=True).sqrt().clamp(min=LEAST_STD)
