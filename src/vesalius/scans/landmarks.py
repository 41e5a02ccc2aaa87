"""Landmarks: one point in mm for each finding of a case, kept in `landmarks.csv` of a cohort."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vesalius.scans.description import write_text
from vesalius.scans.fault import Fault, Refused, refused_if_unwritable

COLUMNS = ("case", "pathology", "level", "x_mm", "y_mm", "z_mm", "size_mm")


@dataclass(frozen=True)
class Landmark:
    """Where an expert marks a finding, in RAS+ millimetres, and how large it is."""

    pathology: str
    level: str
    point_mm: tuple[float, float, float]
    size_mm: float

    def row(self, case: str) -> list[str]:
        """Cells of `COLUMNS`."""
        return [case, self.pathology, self.level, *(f"{x:.3f}" for x in self.point_mm),
                f"{self.size_mm:.4g}"]  # fmt: skip


def append_landmarks(folder: Path, case: str, landmarks: Sequence[Landmark]) -> None:
    """Add the landmarks of one case; the file is begun where there is none."""
    path = folder / "landmarks.csv"
    begin_landmarks(folder)
    with refused_if_unwritable(path), path.open("a", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(mark.row(case) for mark in landmarks)


def begin_landmarks(folder: Path) -> None:
    """Write the head of the file if there is none; once, before several processes add to it."""
    path = folder / "landmarks.csv"
    if not path.exists():
        write_text(path, ",".join(COLUMNS) + "\n")


def sort_landmarks(folder: Path) -> None:
    """Bring rows written by several processes into one order, each once."""
    path = folder / "landmarks.csv"
    if path.exists():
        head, *rows = path.read_text(encoding="utf-8").splitlines()
        write_text(path, "\n".join([head, *sorted(set(rows))]) + "\n")


def read_landmarks(
    folder: Path, cases: Mapping[str, object]
) -> tuple[dict[str, list[Landmark]], list[Fault]]:
    """Landmarks by case, and what is wrong with single rows.

    Args:
        folder: of the cohort.
        cases: by name, those that the cohort holds.

    Raises:
        Refused: if there is no such file or it lacks a column.

    >>> import tempfile; folder = Path(tempfile.mkdtemp())
    >>> append_landmarks(folder, "a", [Landmark("herniation", "L4-L5", (1.0, 2.0, 3.0), 6.5)])
    >>> read_landmarks(folder, {"a": None})[0]["a"][0].point_mm
    (1.0, 2.0, 3.0)
    """
    path = folder / "landmarks.csv"
    if not path.is_file():
        raise Refused(path, "does not exist", f"write one with columns {','.join(COLUMNS)}")
    reader = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise Refused(path, f"has no column {missing[0]}", f"give it {','.join(COLUMNS)}")
    found: dict[str, list[Landmark]] = {}
    faults = []
    for line, row in enumerate(reader, start=2):
        place = f"{path}:{line}"
        if row["case"] not in cases:
            faults.append(Fault(place, f"names case {row['case']}, which is not there", "mend it"))
            continue
        try:
            x, y, z, size = (float(row[column]) for column in COLUMNS[3:])
        except (TypeError, ValueError):
            x = y = z = size = math.nan
        if not all(map(math.isfinite, (x, y, z, size))):
            faults.append(Fault(place, "has a number that is none", "write numbers in mm"))
            continue
        mark = Landmark(row["pathology"].strip(), row["level"].strip(), (x, y, z), size)
        found.setdefault(row["case"], []).append(mark)
    return found, faults
