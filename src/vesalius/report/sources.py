"""What a page is made from, as far as it is there already."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from vesalius.scans.cohort import Cohort
from vesalius.scans.fault import Refused


def cohort_if_there(folder: Path, labelled: bool = True) -> Cohort | None:
    """A cohort that has at least one sound case; `None` while there is none."""
    if not (folder / "cases.csv").is_file():
        return None
    try:
        return Cohort.open(folder, labelled)
    except Refused:
        return None


def json_if_there(path: Path) -> dict[str, Any]:
    """The content of a JSON file, empty while there is none."""
    content: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return content


def table_if_there(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV, none if there is no such file."""
    if not path.is_file():
        return []
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))
