"""Pictures of patients who come again: who, when, which side, and what is known of each visit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from vesalius.scans.arrays import filled, taken
from vesalius.scans.input_error import InputProblem
from vesalius.scans.split import fitting_rows


@dataclass(frozen=True, eq=False)
class Visits:
    """Pictures, each of one visit, all turned to show a right side.

    Attributes:
        images: `(N, C, S, S)` in [0, 1]; mapped from disk where they were read from files.
        names: of each picture.
        subjects: whose they are; the two sides of a patient are two subjects to the method, and
            `patients` tells which belong together.
        years: since the first visit of the same subject, or as told, `(N,)`.
        mirrored: whether a picture was turned, `(N,)`.
        attributes: what is known of each, `(N,)`, NaN where it is not.
        splits: `train`, `val`, `test` or empty.
        patients: who must stay on one side of every split.
        faults: what is wrong with pictures that were left out.
    """

    images: np.ndarray
    names: tuple[str, ...]
    subjects: tuple[str, ...]
    years: np.ndarray
    mirrored: np.ndarray
    attributes: dict[str, np.ndarray]
    splits: tuple[str, ...]
    patients: tuple[str, ...]
    origin: str = ""
    faults: tuple[InputProblem, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def taken(self, rows: Sequence[int] | np.ndarray) -> Visits:
        """Some of them."""
        chosen = [int(row) for row in rows]
        return replace(
            self, images=taken(self.images, chosen), names=tuple(self.names[r] for r in chosen),
            subjects=tuple(self.subjects[r] for r in chosen), years=self.years[chosen],
            mirrored=self.mirrored[chosen],
            attributes={name: values[chosen] for name, values in self.attributes.items()},
            splits=tuple(self.splits[r] for r in chosen),
            patients=tuple(self.patients[r] for r in chosen),
        )  # fmt: skip

    def trajectories(self) -> dict[str, np.ndarray]:
        """The rows of each subject, by time.

        >>> visits = Visits(np.zeros((3, 1, 4, 4)), ("a", "b", "c"), ("s", "t", "s"),
        ...                 np.array([4.0, 0.0, 0.0]), np.zeros(3, bool), {}, ("",) * 3,
        ...                 ("s", "t", "s"))
        >>> {subject: rows.tolist() for subject, rows in visits.trajectories().items()}
        {'s': [2, 0], 't': [1]}
        """
        result: dict[str, list[int]] = {}
        for row in np.argsort(self.years, kind="stable"):
            result.setdefault(self.subjects[row], []).append(int(row))
        return {subject: np.array(result[subject]) for subject in sorted(result)}

    def followed(self) -> list[np.ndarray]:
        """Rows of each subject who came twice or more, by time."""
        years = self.years
        return [rows for rows in self.trajectories().values() if years[rows[-1]] > years[rows[0]]]

    def first(self) -> np.ndarray:
        """The row of each subject's first visit, subjects in order of their names."""
        return np.array([rows[0] for rows in self.trajectories().values()])

    def split_by_patient(self, share: float, seed: int) -> tuple[Visits, Visits]:
        """Those to learn from, and those held out: `val`, or a share of patients if none is.

        `test` is in neither.
        """
        rows = fitting_rows("visits", self.patients, self.splits, share, seed)
        first, second = (self.taken(side) for side in rows)
        return first, second


def joined(first: Visits, second: Visits) -> Visits:
    """The rows of both, which know the same attributes."""
    return Visits(
        _both(first.images, second.images), first.names + second.names,
        first.subjects + second.subjects, np.concatenate([first.years, second.years]),
        np.concatenate([first.mirrored, second.mirrored]),
        {
            name: np.concatenate([values, second.attributes[name]])
            for name, values in first.attributes.items()
        },
        first.splits + second.splits, first.patients + second.patients, first.origin,
    )  # fmt: skip


def _both(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The rows of two arrays, on disk if the first lies there."""
    if not isinstance(first, np.memmap):
        return np.concatenate([first, second])
    shape = (len(first) + len(second), *first.shape[1:])
    return filled(first.dtype, shape, chain(first, second))
