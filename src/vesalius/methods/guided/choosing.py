"""Does one case, warped, show the others? By this the plan chooses a deformation space or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vesalius.evidence.overlap import dice
from vesalius.networks.deformation_space import DeformationSpace, typical
from vesalius.scans.progress import Progress, no_progress, track

LOOKED_AT = 24
"""Cases among which the typical one is sought."""

REGISTERED = 6
"""Of them, to which it is registered."""

LARGEST_GRID = 2**19
"""Voxels of a label map above which only every other one is looked at."""

LEAST_DICE = 0.2
"""Of any label. Sulci, thinner than a voxel, reach 0.3 between phantom brains at 6 mm and 0.5 at
3 mm; lesions that lie anywhere reach 0."""


@dataclass(frozen=True)
class Suited:
    """What was found, by label in the order of the label maps' numbers.

    Attributes:
        dice: mean Dice of the warped typical case with others.
        everywhere: whether every case shows the label.
    """

    dice: tuple[float, ...]
    everywhere: tuple[bool, ...]

    @property
    def suits(self) -> bool:
        """Whether a deformation space would show all labels of all cases, more or less."""
        return all(self.everywhere) and min(self.dice) >= LEAST_DICE

    def line(self, names: Sequence[str]) -> str:
        """The reason in words."""
        worst = int(np.argmin([own if there else -1 for own, there in self._pairs]))
        said = f"one case, warped, shows {names[worst]} of others at Dice {self.dice[worst]:.2f}"
        return said if self.everywhere[worst] else f"not every case has {names[worst]}"

    @property
    def _pairs(self) -> list[tuple[float, bool]]:
        return list(zip(self.dice, self.everywhere, strict=True))


def looked_at(count: int) -> list[int]:
    """Rows of the cases that are looked at, spread evenly.

    >>> looked_at(3), len(looked_at(500))
    ([0, 1, 2], 24)
    """
    return np.unique(np.linspace(0, count - 1, min(count, LOOKED_AT)).round()).astype(int).tolist()


def suited(
    label_maps: Iterable[np.ndarray], labels: int, count: int, progress: Progress = no_progress
) -> Suited:  # fmt: skip
    """Register the most typical of some label maps to a few of the others.

    On the CPU wherever it runs, so that every machine chooses alike; it takes seconds.

    Args:
        label_maps: numbers from 0 `(D, H, W)`, sides multiples of 8, one after the other.
        labels: how many labels, the background included.
        count: of label maps.
        progress: called after each.

    >>> maps = np.zeros((4, 16, 16, 16), dtype=np.uint8)
    >>> for size, one in enumerate(maps, start=1): one[2 : 6 + size, 4:12, 4:12] = 1
    >>> suited(maps, 2, 4).suits
    True
    >>> for place, one in enumerate(maps): one[4 + place, 5 + 2 * place, 5:7] = 2
    >>> found = suited(maps, 3, 4)
    >>> found.suits, found.line(["background", "organ", "lesion"])[:39]
    (False, 'one case, warped, shows lesion of other')
    """
    maps, present = [], []
    for whole in track(label_maps, "looking at label maps", count, progress):
        present.append(np.bincount(whole.ravel(), minlength=labels) > 0)  # also what is tiny
        maps.append(_coarse(whole))
    space = DeformationSpace(labels, maps[0].shape, components=1)
    template = typical(maps, maps, labels)
    space.template.copy_(torch.from_numpy(template))
    others = [one for one in maps if not np.array_equal(one, template)]
    picked = others[:: max(1, len(others) // REGISTERED)][:REGISTERED] or maps[:1]
    warped = [space.registered(one) for one in picked]
    found = np.array([
        [dice(own, one, [label]) for label in range(labels)]
        for own, one in zip(warped, picked, strict=True)
    ])  # fmt: skip
    everywhere = np.all(present, axis=0)
    return Suited(tuple(found.mean(axis=0).tolist()), tuple(everywhere.tolist()))


def _coarse(label_map: np.ndarray) -> np.ndarray:
    """Every other voxel as often as it takes, with sides that a deformation space can halve."""
    small = label_map.astype(np.uint8)
    while small.size > LARGEST_GRID:
        small = small[::2, ::2, ::2]
    return np.ascontiguousarray(small[tuple(slice(side - side % 4) for side in small.shape)])
