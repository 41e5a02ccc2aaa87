"""Images with what each shows: the way in for everything that classifies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vesalius.scans.arrays import ScratchRows, taken
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.pictures import read_picture, standard
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.scans.split import fitting_rows

TRAIN, VALIDATION, TEST = "train", "val", "test"


@dataclass(frozen=True)
class Listed:
    """One picture of a table, not yet read.

    Attributes:
        targets: 1 for what it shows, 0 for what it does not, NaN for what is not known.
    """

    name: str
    file: Path
    subject: str
    split: str
    targets: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Classified:
    """Images and what each shows.

    Attributes:
        images: `(N, C, H, W)` or `(N, C, D, H, W)`, in [0, 1]; mapped from disk where they were
            read from files.
        targets: `(N, K)`, 1, 0, or NaN where it is not known.
        labels: names of the K labels.
        names, subjects, splits: of each image; a split is `train`, `val`, `test` or empty.
        masks: where each label is `(N, K, …)`, if that is known.
        affines: of volumes `(N, 4, 4)`, from voxels to millimetres, if they are known.
    """

    images: np.ndarray
    targets: np.ndarray
    labels: tuple[str, ...]
    names: tuple[str, ...]
    subjects: tuple[str, ...]
    splits: tuple[str, ...]
    masks: np.ndarray | None = None
    affines: np.ndarray | None = None
    origin: str = ""
    faults: tuple[InputProblem, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.images)

    @property
    def dimensions(self) -> int:
        """2 for pictures, 3 for volumes."""
        return self.images.ndim - 2

    def taken(self, rows: Sequence[int]) -> Classified:
        """Some of them.

        >>> images = Classified(np.zeros((3, 1, 4, 4)), np.eye(3)[:, :1], ("nodule",),
        ...                     ("a", "b", "c"), ("s", "s", "t"), ("", "", "test"))
        >>> images.taken([2]).names, len(images.of_split("test"))
        (('c',), 1)
        """
        chosen = list(rows)
        return Classified(
            taken(self.images, chosen), self.targets[chosen], self.labels,
            tuple(self.names[row] for row in chosen), tuple(self.subjects[row] for row in chosen),
            tuple(self.splits[row] for row in chosen),
            None if self.masks is None else taken(self.masks, chosen),
            None if self.affines is None else self.affines[chosen], self.origin, self.faults,
        )  # fmt: skip

    def of_split(self, *splits: str) -> Classified:
        """Those of some splits."""
        return self.taken([row for row, split in enumerate(self.splits) if split in splits])

    def split_by_subject(self, share: float, seed: int) -> tuple[Classified, Classified]:
        """Those to learn from, and those held out: `val`, or a share of the subjects if none is.

        `test` is in neither.
        """
        rows = fitting_rows("images", self.subjects, self.splits, share, seed)
        first, second = (self.taken(side) for side in rows)
        return first, second


def read_listed(
    listed: Sequence[Listed], labels: Sequence[str], side: int, progress: Progress = no_progress
) -> Classified:
    """Read pictures into squares of `side`; those that cannot be read end up in `faults`.

    Raises:
        InputError: if none can be read.
    """
    sound, images, faults = [], ScratchRows(), []
    for one in track(listed, "reading pictures", len(listed), progress):
        try:
            images.add(standard(read_picture(one.file), side).astype(np.float16)[None])
            sound.append(one)
        except InputError as refusal:
            faults.append(refusal.fault)
    if not sound:
        raise InputError("pictures", f"cannot be read (first: {faults[0]})", "correct the table")
    return Classified(
        images.array(), np.array([one.targets for one in sound], dtype=np.float32),
        tuple(labels), tuple(one.name for one in sound), tuple(one.subject for one in sound),
        tuple(one.split for one in sound), faults=tuple(faults),
    )  # fmt: skip
