"""What tables beside images tell of subjects: cells by name, from CSV, TSV or a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vesalius.scans.cohort import FIXED_COLUMNS, MISSING, TABLE_NAME
from vesalius.scans.formats.content import read_text
from vesalius.scans.formats.spreadsheet import ENDINGS, read_sheet
from vesalius.scans.formats.table import MOST_COLUMNS, read_table
from vesalius.scans.importing.names import column_name
from vesalius.scans.input_error import InputError


@dataclass(frozen=True)
class Told:
    """What a native table says of a case."""

    subject: str
    visit: str
    split: str
    cells: Mapping[str, str] = field(default_factory=dict)


def cells_of_cohort(folder: Path) -> dict[str, Told]:
    """Rows of `cases.csv` by case, where there is one."""
    if not (folder / TABLE_NAME).is_file():
        return {}
    result = {}
    for row in read_table(folder / TABLE_NAME, ["case"]):
        cells = {name: cell.strip() for name, cell in row.raw.items() if name not in FIXED_COLUMNS}
        name = row["case"]
        result[name] = Told(row.get("subject") or name, row.get("visit"), row.get("split"), cells)
    return result


def subject_cells(
    path: Path, key: str, columns: Sequence[str] = (), separator: str = "\t"
) -> dict[str, dict[str, str]]:
    """Cells by the entry of a key column, under names that a cohort can hold.

    Args:
        path: of the table.
        key: column that names subjects or cases.
        columns: that are taken, all others if there are none.
        separator: of cells, but for a spreadsheet.

    Raises:
        InputError: for a file that is no such table.

    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "participants.tsv"
    >>> _ = file.write_text("participant_id\\tAge (y)\\tsex\\nsub-01\\t34\\tn/a\\n")
    >>> subject_cells(file, "participant_id")
    {'sub-01': {'age_y': '34', 'sex': ''}}
    """
    if path.suffix.lower() in ENDINGS:
        rows = read_sheet(path)
    else:
        rows = list(csv.reader(io.StringIO(read_text(path), newline=""), delimiter=separator))
    head = [name.strip() for name in rows[0]] if rows else []
    if key not in head or len(head) > MOST_COLUMNS:
        raise InputError(path, f"has no column named {key}", "give the data set's own table")
    place = head.index(key)
    taken = {
        column: column_name(name)
        for column, name in enumerate(head)
        if column != place and column_name(name) and (not columns or name in columns)
    }
    result: dict[str, dict[str, str]] = {}
    for row in rows[1:]:
        if place < len(row) and row[place].strip():
            result.setdefault(row[place].strip(), {}).update(
                {name: _known(row[column]) for column, name in taken.items() if column < len(row)}
            )
    return result


def _known(cell: str) -> str:
    return "" if cell.strip().lower() in MISSING else cell.strip()
