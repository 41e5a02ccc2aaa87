"""The first sheet of a spreadsheet as text: what data sets publish as XLS, XLSX or ODS."""

from __future__ import annotations

import io
from pathlib import Path

from vesalius.scans.formats.content import read_bytes, refused_if_damaged
from vesalius.scans.input_error import InputError

ENDINGS = (".xls", ".xlsx", ".ods")
LARGEST_BYTES = 50_000_000


def read_sheet(path: Path) -> list[list[str]]:
    """Rows of cells; whole numbers as such, though spreadsheets keep them as fractions.

    Args:
        path: of the file.

    Raises:
        InputError: for a file that is damaged or too large, or where the library that reads it is
            not installed.
    """
    try:
        from python_calamine import CalamineWorkbook
    except ImportError:
        remedy = "pip install 'vesalius[formats]', or save it as CSV"
        raise InputError(path, "is a spreadsheet", remedy) from None
    content = read_bytes(path, LARGEST_BYTES)
    with refused_if_damaged(path, "is no readable spreadsheet", "save it as CSV"):
        rows = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
        return [[_text(cell) for cell in row] for row in rows.to_python()]


def _text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
