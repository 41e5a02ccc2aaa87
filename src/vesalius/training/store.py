"""Cases of one shape on disk as two arrays: a cohort may be larger than memory.

They are memory maps. Crops of 32³ of 200 cases of 64³ were read 25 to 50 times as fast as from zarr
in chunks of a case, whose compression saved 4 % of float16 images.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from vesalius.scans.arrays import allocated
from vesalius.scans.case import LabelledScan, Scan
from vesalius.scans.formats.content import read_text
from vesalius.scans.progress import Progress, track
from vesalius.scans.writing import refused_if_unwritable, write_text
from vesalius.training.device import fabric_for
from vesalius.training.fingerprint import Fingerprint

Box = tuple[slice, ...]


def random_box(
    shape: tuple[int, int, int], sides: Sequence[int], multiple: int, rng: torch.Generator
) -> Box:
    """A random part of a volume: `sides` voxels long or as far as it goes, beginning at a multiple.

    >>> box = random_box((8, 8, 8), (16, 8, 4), 4, torch.Generator().manual_seed(0))
    >>> [(part.start % 4, part.stop - part.start) for part in box]
    [(0, 8), (0, 8), (0, 4)]
    """
    box = []
    for full, wanted in zip(shape, sides, strict=True):
        side = min(wanted, full)
        start = multiple * int(torch.randint((full - side) // multiple + 1, (1,), generator=rng))
        box.append(slice(start, start + side))
    return tuple(box)


@dataclass(frozen=True)
class Layout:
    """What one case of a store holds.

    Attributes:
        channels: of an image.
        shape: voxels.
        label_count: labels, the background included; 0 where there are none.
    """

    channels: int
    shape: tuple[int, int, int]
    label_count: int = 0

    @classmethod
    def of(cls, fingerprint: Fingerprint, labelled: bool = True) -> Layout:
        """Of cases in the grid of a fingerprint."""
        count = len(fingerprint.labels) if labelled else 0
        return cls(len(fingerprint.channels), fingerprint.shape, count)

    @property
    def bytes_a_case(self) -> float:
        """On disk: float16 images and uint8 labels.

        >>> Layout(1, (2, 2, 2), label_count=3).bytes_a_case
        24.0
        """
        return (2.0 * self.channels + bool(self.label_count)) * math.prod(self.shape)


class Store(Protocol):
    """Images and label maps of some cases, of which any rows and boxes can be asked for."""

    layout: Layout

    def images(self, rows: Tensor, box: Box = ()) -> Tensor:
        """Images of some rows `(B, C, D, H, W)`, or a box of them, as float32."""

    def labels(self, rows: Tensor, box: Box = ()) -> Tensor:
        """Label maps of some rows `(B, D, H, W)`, or a box of them, as uint8."""


Arrays = tuple[np.ndarray, np.ndarray | None]
"""An image `(C, D, H, W)` and its labels `(D, H, W)`, numbered from 0, if it has any."""


class CaseStore:
    """Images float16 `(N, C, D, H, W)` and labels uint8 `(N, D, H, W)` in two memory maps.

    A row is one stretch of the file, and of it only what is asked for is read.

    Args:
        folder: of the store.
        layout: of a case.
        rows: some of the rows in another order; all if `None`.
    """

    def __init__(self, folder: Path, layout: Layout, rows: np.ndarray | None = None) -> None:
        self.folder, self.layout = folder, layout
        self._images = np.load(folder / "images.npy", mmap_mode="r")
        self._labels = np.load(folder / "labels.npy", mmap_mode="r") if layout.label_count else None
        self._rows = np.arange(len(self._images)) if rows is None else rows

    @classmethod
    def write(
        cls, folder: Path, content: str, layout: Layout, count: int, cases: Iterable[Arrays]
    ) -> CaseStore:  # fmt: skip
        """Keep `count` cases in `folder`, unless those of this content are there already."""
        finished = folder / "finished.json"
        reported = json.dumps({"content": content, "count": count})
        if finished.exists() and read_text(finished) == reported:
            return cls(folder, layout)
        with refused_if_unwritable(folder):
            folder.mkdir(parents=True, exist_ok=True)
            shape = (count, layout.channels, *layout.shape)
            images = allocated(folder / "images.npy", np.float16, shape)
            labels = None
            if layout.label_count:
                labels = allocated(folder / "labels.npy", np.uint8, (count, *layout.shape))
            for row, (image, numbers) in enumerate(cases):
                images[row] = image
                if labels is not None:
                    labels[row] = numbers
            images.flush()
            if labels is not None:
                labels.flush()
            write_text(finished, reported)
        return cls(folder, layout)

    def __len__(self) -> int:
        return len(self._rows)

    def subset(self, rows: Sequence[int]) -> CaseStore:
        """Some of the cases, in this order."""
        return CaseStore(self.folder, self.layout, self._rows[list(rows)])

    def images(self, rows: Tensor, box: Box = ()) -> Tensor:
        """Images of some rows `(B, C, D, H, W)`, or a box of them, as float32."""
        taken = [self._images[row][(slice(None), *box)] for row in self._rows[rows.tolist()]]
        return torch.from_numpy(np.stack(taken).astype(np.float32))

    def labels(self, rows: Tensor, box: Box = ()) -> Tensor:
        """Label maps of some rows `(B, D, H, W)`, or a box of them, as uint8."""
        assert self._labels is not None, "a store of images alone"
        taken = [self._labels[row][box] for row in self._rows[rows.tolist()]]
        return torch.from_numpy(np.stack(taken))


class HeldStore:
    """A few cases in memory that are asked for as those of a `CaseStore` are.

    Args:
        images: `(N, C, D, H, W)`.
        labels: `(N, D, H, W)`, if there are any.
        label_count: how many labels there are.
    """

    def __init__(
        self, images: Tensor, labels: Tensor | None = None, label_count: int = 0
    ) -> None:  # fmt: skip
        _, channels, x, y, z = images.shape
        self.layout = Layout(channels, (x, y, z), label_count)
        self._images, self._labels = images, labels

    def __len__(self) -> int:
        return len(self._images)

    def images(self, rows: Tensor, box: Box = ()) -> Tensor:
        """Images of some rows `(B, C, D, H, W)`, or a box of them, as float32."""
        return self._images[rows][(slice(None), slice(None), *box)].float()

    def labels(self, rows: Tensor, box: Box = ()) -> Tensor:
        """Label maps of some rows `(B, D, H, W)`, or a box of them, as uint8."""
        assert self._labels is not None, "a store of images alone"
        return self._labels[rows][(slice(None), *box)].to(torch.uint8)


class BlankStore:
    """Stands for a store in a plan: shapes without data.

    Args:
        layout: of a case.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def images(self, rows: Tensor, box: Box = ()) -> Tensor:
        """Zeros `(B, C, D, H, W)`."""
        return torch.zeros(len(rows), self.layout.channels, *self._sides(box))

    def labels(self, rows: Tensor, box: Box = ()) -> Tensor:
        """Zeros `(B, D, H, W)`."""
        return torch.zeros(len(rows), *self._sides(box), dtype=torch.uint8)

    def _sides(self, box: Box) -> tuple[int, ...]:
        return tuple(part.stop - part.start for part in box) or self.layout.shape


def stored(
    folder: Path, content: str, layout: Layout, scans: Sequence[Any],
    arrays: Callable[[Any], Arrays], progress: Progress, what: str,
) -> CaseStore:  # fmt: skip
    """Scans on disk in one shape, written by the first process alone, one after the other.

    Args:
        folder: of the store.
        content: digest of the scans and of what decides on their shape.
        layout: of a case.
        scans: each handed to `arrays`.
        arrays: brings one into the layout.
        progress: called after each scan.
        what: is done, for the progress bar.
    """
    with fabric_for().rank_zero_first():
        result = (arrays(scan) for scan in track(scans, what, len(scans), progress))
        return CaseStore.write(folder, content, layout, len(scans), result)


def gridded(
    folder: Path, fingerprint: Fingerprint, scans: Sequence[Any], place: Callable[[Any], Scan],
    progress: Progress, labelled: bool = True, what: str = "placing cases into one grid",
) -> CaseStore:  # fmt: skip
    """Scans in the grid of a fingerprint, on disk; see `stored`.

    Args:
        folder: of the store.
        fingerprint: of the cohort.
        scans: each handed to `place`, which brings it into the grid.
        place: see `Grid`.
        progress: called after each scan.
        labelled: keep label maps as well.
        what: is done, for the progress bar.
    """
    layout = Layout.of(fingerprint, labelled)
    return stored(
        folder, fingerprint.digest, layout, scans, lambda scan: in_grid(fingerprint, place(scan)),
        progress, what,
    )  # fmt: skip


def in_grid(fingerprint: Fingerprint, scan: Scan) -> Arrays:
    """A scan that lies in the grid of a fingerprint, scaled to about [0, 1], its labels from 0."""
    image = fingerprint.scaled(np.stack([one.voxels for one in scan.channels]))
    if not isinstance(scan, LabelledScan):
        return image, None
    return image, np.searchsorted(fingerprint.label_numbers, scan.label_map.voxels)
