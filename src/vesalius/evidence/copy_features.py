"""What is compared of a case in the search for copies, and of many cases on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.evidence.alignment import detail
from vesalius.evidence.patches import reduced
from vesalius.scans.arrays import ScratchRows, taken
from vesalius.scans.case import Case, LabelledScan, Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.grid import Grid

Pair = tuple[Cohort, Case]
Embed = Callable[[Scan], np.ndarray]
"""What a network sees in a scan, as a vector `(F,)`."""

Ways = dict[str, np.ndarray]
"""What is compared of one case, by the way of comparing."""


@dataclass(frozen=True)
class FeatureReader:
    """What is compared of a scan.

    Attributes:
        grid: that all scans are brought to.
        levels: intensity of each label, by its number, where label maps are compared.
        embed: what a network sees.
    """

    grid: Grid
    levels: np.ndarray | None
    embed: Embed | None

    def __call__(self, pair: Pair) -> Ways:
        """Of a case on disk."""
        cohort, case = pair
        return self.of(cohort.read_images(case) if self.levels is None else cohort.read(case))

    def of(self, scan: Scan) -> Ways:
        """Of a scan, by the way of comparing."""
        if self.levels is None:
            volume = self.grid.place_whole(scan).channels[0].voxels
            result = {"image": detail(volume)}
        else:
            assert isinstance(scan, LabelledScan)
            placed = self.grid.place(scan)
            volume = placed.channels[0].voxels
            painted = self.levels[placed.label_map.voxels]
            result = {"image": detail(volume), "labels": detail(painted)}
        result["patches"] = reduced(volume)
        if self.embed is not None:
            result["embedding"] = self.embed(scan)
        return result


class Features:
    """What is compared of some cases, on disk, by the way of comparing.

    Args:
        ways: arrays `(N, ...)`.
    """

    def __init__(self, ways: Mapping[str, np.ndarray]) -> None:
        self.ways = dict(ways)

    @classmethod
    def of(cls, cases: Iterable[Mapping[str, np.ndarray]]) -> Features:
        """Keep what is compared of each case."""
        kept: dict[str, ScratchRows] = {}
        for case in cases:
            for way, own in case.items():
                kept.setdefault(way, ScratchRows()).add(own)
        return cls({way: rows.array() for way, rows in kept.items()})

    def __len__(self) -> int:
        return len(next(iter(self.ways.values()), ()))

    def of_row(self, row: int) -> dict[str, np.ndarray]:
        """Of one case."""
        return {way: np.array(array[row]) for way, array in self.ways.items()}

    def subset(self, rows: Sequence[int]) -> Features:
        """Of some of the cases."""
        return Features({way: taken(array, rows) for way, array in self.ways.items()})


def label_levels(placed: Iterable[LabelledScan], highest: int) -> np.ndarray:
    """Mean intensity of each label over scans, by its number, so that label maps can be compared.

    Intensities are standardised in each scan, so that all of them count alike.
    """
    total, count = np.zeros(highest + 256), np.zeros(highest + 256)
    for scan in placed:
        image, labels = scan.channels[0].voxels, scan.label_map.voxels.ravel()
        standard = (image - image.mean()) / max(float(image.std()), 1e-9)
        total += np.bincount(labels, standard.ravel(), len(total))
        count += np.bincount(labels, minlength=len(count))
    levels: np.ndarray = (total / np.maximum(count, 1)).astype(np.float32)
    return levels
