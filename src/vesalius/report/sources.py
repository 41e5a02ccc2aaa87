"""What a page is made from, as far as it is there already."""

from __future__ import annotations

from pathlib import Path

from vesalius.evidence.results import Results
from vesalius.scans.cohort import Cohort
from vesalius.scans.formats.table import read_table
from vesalius.scans.input_error import InputError


def cohort_if_there(folder: Path, labelled: bool = True) -> Cohort | None:
    """A cohort that has at least one sound case; `None` while there is none."""
    if not (folder / "cases.csv").is_file():
        return None
    try:
        return Cohort.open(folder, labelled)
    except InputError:
        return None


def results_if_there(folder: Path) -> Results:
    """The results in a folder, without any figure while there are none."""
    if (folder / "results.json").exists():
        return Results.read(folder)
    return Results("", "", 0, True, {}, {})


def table_if_there(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV, none if there is no such file."""
    return [dict(row.raw) for row in read_table(path)] if path.exists() else []
