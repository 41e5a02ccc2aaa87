"""Cases of one grid on disk as two arrays, so that a cohort larger than memory can be fitted on."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vesalius.scans.case import LabelledScan, Scan
from vesalius.scans.formats.content import read_text
from vesalius.scans.progress import Progress, track
from vesalius.scans.writing import refused_if_unwritable, remove_if_there, write_text
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


def allocated(path: Path, dtype: type, shape: tuple[int, ...]) -> np.memmap:
    """A new array on disk whose room is taken at once.

    A sparse file would be written to through memory, where a full disk ends the process without a
    word.

    Raises:
        OSError: if the disk has no room for it.

    >>> import tempfile
    >>> allocated(Path(tempfile.mkdtemp()) / "images.npy", np.uint8, (2, 3)).shape
    (2, 3)
    """
    remove_if_there(path)
    if shutil.disk_usage(path.parent).free < math.prod(shape) * np.dtype(dtype).itemsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    result: np.memmap = np.lib.format.open_memmap(path, "w+", dtype, shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
    return result


class CaseStore:
    """Images float16 `(N, C, D, H, W)`, scaled to about [0, 1], and labels uint8 `(N, D, H, W)`.

    Labels count from 0 in the order of the cohort's numbers. A store of 0 labels has images alone.
    """

    def __init__(self, folder: Path, label_count: int) -> None:
        self.label_count = label_count
        self._images = np.load(folder / "images.npy", mmap_mode="r")
        self._labels = np.load(folder / "labels.npy", mmap_mode="r") if label_count else None

    @classmethod
    def write(
        cls, folder: Path, fingerprint: Fingerprint, count: int, placed: Iterable[Scan],
        labelled: bool = True,
    ) -> CaseStore:  # fmt: skip
        """Keep `count` scans that lie in the grid of the fingerprint in `folder`."""
        label_count = len(fingerprint.labels) if labelled else 0
        finished = folder / "finished.json"
        reported = json.dumps({"fingerprint": fingerprint.digest, "count": count})
        if finished.exists() and read_text(finished) == reported:
            return cls(folder, label_count)
        with refused_if_unwritable(folder):
            folder.mkdir(parents=True, exist_ok=True)
            shape = (count, *fingerprint.shape)
            images = allocated(
                folder / "images.npy", np.float16, (count, len(fingerprint.channels), *shape[1:])
            )
            labels = allocated(folder / "labels.npy", np.uint8, shape) if labelled else None
            for row, scan in enumerate(placed):
                voxels = np.stack([image.voxels for image in scan.channels])
                images[row] = fingerprint.scaled(voxels)
                if labels is not None and isinstance(scan, LabelledScan):
                    numbers = scan.label_map.voxels
                    labels[row] = np.searchsorted(fingerprint.label_numbers, numbers)
            images.flush()
            if labels is not None:
                labels.flush()
            write_text(finished, reported)
        return cls(folder, label_count)

    def __len__(self) -> int:
        return len(self._images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the grid."""
        x, y, z = self._images.shape[2:]
        return x, y, z

    @property
    def channels(self) -> int:
        """Of an image."""
        return int(self._images.shape[1])

    def images(self, rows: Tensor, box: Box = ()) -> Tensor:
        """Images of some rows `(B, C, D, H, W)`, or a box of them, as float32."""
        taken = np.stack([self._images[row][(slice(None), *box)] for row in rows.tolist()])
        return torch.from_numpy(taken.astype(np.float32))

    def labels(self, rows: Tensor, box: Box = ()) -> Tensor:
        """Label maps of some rows `(B, D, H, W)`, or a box of them."""
        assert self._labels is not None, "a store of images alone"
        return torch.from_numpy(
            np.stack([self._labels[row][box] for row in rows.tolist()]).astype(np.int64)
        )


def stored(
    folder: Path, fingerprint: Fingerprint, scans: Sequence[Any],
    place: Callable[[Any], Scan], progress: Progress, labelled: bool = True,
    what: str = "placing cases into one grid",
) -> CaseStore:  # fmt: skip
    """Scans in the grid of the fingerprint, on disk, written by the first process alone.

    Args:
        folder: of the store.
        fingerprint: of the cohort.
        scans: each handed to `place`, which brings it into the grid.
        place: see `Grid`.
        progress: called after each scan.
        labelled: keep label maps as well.
        what: is done, for the progress bar.
    """
    with fabric_for().rank_zero_first():
        result = (place(scan) for scan in track(scans, what, len(scans), progress))
        return CaseStore.write(folder, fingerprint, len(scans), result, labelled)


class BlankStore:
    """Stands for a `CaseStore` in a plan: shapes without data.

    Args:
        fingerprint: tells grid, channels and labels.
    """

    def __init__(self, fingerprint: Fingerprint) -> None:
        self.shape, self.channels = fingerprint.shape, len(fingerprint.channels)
        self.label_count = len(fingerprint.labels)

    def images(self, rows: Tensor, box: Box = ()) -> Tensor:
        """Zeros `(B, C, D, H, W)`."""
        return torch.zeros(len(rows), self.channels, *self._sides(box))

    def labels(self, rows: Tensor, box: Box = ()) -> Tensor:
        """Zeros `(B, D, H, W)`."""
        return torch.zeros(len(rows), *self._sides(box), dtype=torch.long)

    def _sides(self, box: Box) -> tuple[int, ...]:
        return tuple(part.stop - part.start for part in box) or self.shape


Store = CaseStore | BlankStore
