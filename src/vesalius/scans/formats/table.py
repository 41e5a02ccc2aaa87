"""Tables in CSV, in and out: cells are kept as they stand, columns in their order."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vesalius.scans.formats.content import LARGEST_TEXT, read_bytes, read_text
from vesalius.scans.input_error import InputError, first_line
from vesalius.scans.writing import write_text

MOST_COLUMNS = 4096


@dataclass(frozen=True)
class Row:
    """One row of a table: cells are taken by column, without the spaces around them.

    Attributes:
        line: of the file, where it begins.
        raw: cells by column as they stand.
        surplus: how many cells beyond the last column are not empty.
    """

    line: int
    raw: dict[str, str]
    surplus: int = 0

    def __getitem__(self, column: str) -> str:
        return self.raw[column].strip()

    def get(self, column: str, otherwise: str = "") -> str:
        """A cell, or `otherwise` where there is no such column or nothing in it."""
        return self.raw.get(column, "").strip() or otherwise


@dataclass(frozen=True)
class Table:
    """A table that was read."""

    path: Path
    columns: tuple[str, ...]
    lines: tuple[int, ...]
    records: tuple[tuple[str, ...], ...]
    """Cells as they stand, a tuple a row; a row may be shorter or longer than the columns."""

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Row]:
        width = len(self.columns)
        for line, record in zip(self.lines, self.records, strict=True):
            padded = (*record, *("" for _ in range(width - len(record))))
            cells = {name: cell for name, cell in zip(self.columns, padded, strict=False) if name}
            yield Row(line, cells, sum(bool(cell.strip()) for cell in record[width:]))

    def place(self, row: Row) -> str:
        """Where a row stands, such as `cases.csv:7`."""
        return f"{self.path}:{row.line}"


def read_table(
    path: Path, required: Sequence[str] = (), remedy: str = "", missing: str = "check the path"
) -> Table:
    """A CSV file in UTF-8 whose first row names the columns. Empty lines are left out.

    Args:
        path: of the file.
        required: columns without which it is refused.
        remedy: what to do where one of them is missing.
        missing: what to do where the file is.

    Raises:
        InputError: for a file that cannot be read, of another encoding, without columns, with too
            many of them or one name twice, or with a cell that no table has.

    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "cases.csv"
    >>> _ = file.write_text('case,subject\\na,"Doe, John"\\n')
    >>> [row["subject"] for row in read_table(file, ["case"])]
    ['Doe, John']
    >>> read_table(file, ["file"], "name the pictures in it")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: ...cases.csv: has no column named file; name the pict...
    """
    reader = csv.reader(io.StringIO(read_text(path, remedy=missing), newline=""))
    columns: tuple[str, ...] = ()
    lines, records = [], []
    try:
        begins = 1
        for record in reader:
            if len(record) > MOST_COLUMNS:
                fault = f"has {len(record)} cells in line {begins}"
                raise InputError(path, fault, f"keep to {MOST_COLUMNS} columns")
            if record and not columns:
                columns = tuple(name.strip() for name in record)
            elif any(record):
                lines.append(begins)
                records.append(tuple(record))
            begins = reader.line_num + 1
    except csv.Error as error:
        fault = f"is no table ({first_line(error)} in line {reader.line_num})"
        raise InputError(path, fault, "correct the line") from error
    for name in required:
        if name not in columns:
            raise InputError(
                path, f"has no column named {name}", remedy or f"add the column {name}"
            )
    double = next((name for name in columns if name and columns.count(name) > 1), None)
    if double is not None:
        raise InputError(path, f"has two columns named {double}", "rename one of them")
    return Table(path, columns, tuple(lines), tuple(records))


def table_text(
    columns: Sequence[str], records: Iterable[Sequence[object]], line_end: str = "\n"
) -> str:
    """A table as text, quoted where it has to be.

    >>> table_text(["case", "subject"], [["a", "Doe, John"]])
    'case,subject\\na,"Doe, John"\\n'
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator=line_end)
    writer.writerow(columns)
    writer.writerows(records)
    return stream.getvalue()


@dataclass(frozen=True)
class TableForm:
    """What a file of a table has beside its cells: whether a byte order mark, and ends of lines."""

    mark: str = ""
    line_end: str = "\n"

    @classmethod
    def of(cls, path: Path) -> TableForm:
        """That of a file, so that it is written again as programs of the user's expect it."""
        start = read_bytes(path, LARGEST_TEXT)[: 2**20]
        mark = "\ufeff" if start.startswith(codecs.BOM_UTF8) else ""
        return cls(mark, "\r\n" if b"\r\n" in start else "\n")


def write_table(
    path: Path, columns: Sequence[str], records: Iterable[Sequence[object]],
    form: TableForm = TableForm(),
) -> None:  # fmt: skip
    """Write a table whole or not at all."""
    write_text(path, form.mark + table_text(columns, records, form.line_end))
