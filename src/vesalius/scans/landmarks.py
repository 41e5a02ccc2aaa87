"""Landmarks: one point in mm for each finding of a case, kept in `landmarks.csv` of a cohort."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vesalius.scans.formats.table import read_table, table_text, write_table
from vesalius.scans.input_error import InputProblem
from vesalius.scans.writing import append_line

FILE_NAME = "landmarks.csv"
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
    """Add the landmarks of one case; the file is started where there is none."""
    begin_landmarks(folder)
    if landmarks:
        text = table_text(landmarks[0].row(case), [mark.row(case) for mark in landmarks[1:]])
        append_line(folder / FILE_NAME, text.removesuffix("\n"))


def begin_landmarks(folder: Path) -> None:
    """Write the head of the file if there is none; once, before several processes add to it."""
    if not (folder / FILE_NAME).exists():
        write_table(folder / FILE_NAME, COLUMNS, [])


def sort_landmarks(folder: Path) -> None:
    """Bring rows written by several processes into one order, each once."""
    path = folder / FILE_NAME
    if path.exists():
        table = read_table(path)
        write_table(path, table.columns, sorted(set(table.records)))


def read_landmarks(
    folder: Path, cases: Mapping[str, object]
) -> tuple[dict[str, list[Landmark]], list[InputProblem]]:
    """Landmarks by case, and what is wrong with single rows.

    Args:
        folder: of the cohort.
        cases: by name, those that the cohort holds.

    Raises:
        InputError: if there is no such file or it lacks a column.

    >>> import tempfile; folder = Path(tempfile.mkdtemp())
    >>> append_landmarks(folder, "a", [Landmark("herniation", "L4-L5", (1.0, 2.0, 3.0), 6.5)])
    >>> read_landmarks(folder, {"a": None})[0]["a"][0].point_mm
    (1.0, 2.0, 3.0)
    """
    path = folder / FILE_NAME
    remedy = f"write one with columns {','.join(COLUMNS)}"
    table = read_table(path, COLUMNS, f"give it {','.join(COLUMNS)}", missing=remedy)
    result: dict[str, list[Landmark]] = {}
    faults = []
    for row in table:
        place, case = table.place(row), row.raw["case"]
        case = case if case in cases else case.strip()
        if case not in cases:
            faults.append(InputProblem(place, f"names case {case}, which is not there", "mend it"))
            continue
        try:
            x, y, z, size = (float(row[column]) for column in COLUMNS[3:])
        except ValueError:
            x = y = z = size = math.nan
        if not all(map(math.isfinite, (x, y, z, size))):
            faults.append(InputProblem(place, "has a number that is none", "write numbers in mm"))
            continue
        mark = Landmark(row["pathology"], row["level"], (x, y, z), size)
        result.setdefault(case, []).append(mark)
    return result, faults
