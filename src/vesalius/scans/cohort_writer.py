"""Writing a cohort: case by case, each whole on disk before its row stands in `cases.csv`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from vesalius.scans.case import LabelledScan, Scan
from vesalius.scans.cohort import FIXED_COLUMNS, TABLE_NAME, Cohort
from vesalius.scans.description import FILE_NAME, Description
from vesalius.scans.formats.json_file import OBJECT, read_json
from vesalius.scans.formats.nifti import write_nifti
from vesalius.scans.formats.table import read_table, write_table
from vesalius.scans.input_error import InputError
from vesalius.scans.output import Made, require_apart, require_same, sole_writer
from vesalius.scans.writing import append_line, make_folder, write_text

OURS = ("imagesTr", "labelsTr", "provenance", "masks", TABLE_NAME, "landmarks.csv")
"""What a cohort consists of beside `dataset.json`."""


class CohortWriter:
    """Writes cases one by one into a folder that it holds alone.

    A writer opened on a folder that a killed process left behind knows which cases are `done`. It
    goes on only with what was started in the same way: the same description and the same `made`,
    which stands in `dataset.json`.

    Args:
        folder: new, empty, or started in the same way.
        description: of the cohort.
        attributes: columns of `cases.csv`.
        made: how its cases come about: command, run, seed and whatever else decides on them.
        inputs: that were read, none of which may be touched.
        alone: whether the folder is held; not by the helpers of a process that holds it.

    Raises:
        InputError: for an input, a folder of another making, or one that is being written to.
    """

    def __init__(
        self,
        folder: str | Path,
        description: Description,
        attributes: Sequence[str] = (),
        made: Made | None = None,
        inputs: Sequence[str | Path | None] = (),
        alone: bool = True,
    ) -> None:
        require_apart(folder, *inputs)
        self.folder = make_folder(folder)
        self.description = description
        self.attributes = tuple(attributes)
        self.made = dict(made or {})
        self._table = self.folder / TABLE_NAME
        self._held = ExitStack()
        if alone:
            self._held.enter_context(sole_writer(self.folder, shared=True))
        try:
            self._begin()
            self.done = self.written()
        except BaseException:
            self.close()
            raise

    @staticmethod
    def require_place(
        folder: str | Path, origin: str, *inputs: str | Path | None
    ) -> None:  # fmt: skip
        """Refuse a folder that cases of some origin may not be written to, before any work.

        Raises:
            InputError: for an input, or a cohort of another origin.
        """
        require_apart(folder, *inputs)
        if (Path(folder) / FILE_NAME).exists():
            _require_origin(Path(folder), Description.read(folder).origin, origin)

    def __enter__(self) -> CohortWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Let the folder go."""
        self._held.close()

    def _begin(self) -> None:
        """Write `dataset.json` first, or hold what is there against what shall be written."""
        if (self.folder / FILE_NAME).exists():
            self._require_same()
        else:
            strange = next((name for name in OURS if _holds_something(self.folder / name)), None)
            if strange is not None:
                fault = f"holds {strange}, but no {FILE_NAME}"
                raise InputError(self.folder, fault, "choose a new folder to write into")
            self.description.write(self.folder, 0, self.made)
        for part in ("imagesTr", "labelsTr"):
            make_folder(self.folder / part)
        if not self._table.exists():
            write_table(self._table, self._columns, [])

    @property
    def _columns(self) -> list[str]:
        return [*FIXED_COLUMNS, *self.attributes]

    def _require_same(self) -> None:
        before = Description.read(self.folder)
        _require_origin(self.folder, before.origin, self.description.origin)
        for name in ("channels", "labels", "file_ending"):
            if getattr(before, name) != getattr(self.description, name):
                fault = f"holds a cohort of other {name.replace('_', ' ')}"
                raise InputError(self.folder, fault, "choose a new folder to write into")
        ours = read_json(self.folder / FILE_NAME, OBJECT).get("vesalius", {})
        before = ours.get("made", {}) if isinstance(ours, dict) else {}
        require_same(self.folder, before if isinstance(before, dict) else {}, self.made)

    def written(self) -> set[str]:
        """Cases whose row is whole, of all processes; a last line without its end is taken away."""
        table = read_table(self._table)
        if list(table.columns) != self._columns:
            fault = f"has columns {', '.join(table.columns) or 'none'}"
            raise InputError(self._table, fault, "choose a new folder to write into")
        records = list(table.records)
        if records and not self._table.read_bytes().endswith(b"\n"):
            records.pop()
            write_table(self._table, self._columns, records)
        return {record[0] for record in records if len(record) == len(self._columns)}

    def require_same_case(self, name: str, **settings: Any) -> None:
        """Refuse to go on if a case that is done was asked for otherwise, by its provenance.

        Args:
            name: of the case.
            settings: entries of its provenance, such as seed and request.

        Raises:
            InputError: naming the entry that differs.
        """
        path = self.folder / "provenance" / f"{name}.json"
        if name not in self.done or not path.exists():
            return
        before = read_json(path, OBJECT, "choose a new folder")
        for entry, value in settings.items():
            if before.get(entry) != value:
                fault = f"holds {name} of another {entry}"
                raise InputError(self.folder, fault, "choose a new folder to write into")

    def add(
        self,
        name: str,
        scan: Scan,
        subject: str,
        attributes: Mapping[str, float],
        visit: str = "",
        split: str = "",
        provenance: Mapping[str, Any] | None = None,
        dtype: type = np.float32,
    ) -> None:
        """Write one case: images, label map, provenance if it is synthetic, and last its row."""
        ending = self.description.file_ending
        note = "SYNTHETIC, made by Vesalius" if provenance else ""
        for index, image in enumerate(scan.channels):
            path = self.folder / "imagesTr" / f"{name}_{index:04d}{ending}"
            write_nifti(image, path, dtype, note)
        if isinstance(scan, LabelledScan):
            label_dtype = scan.label_map.voxels.dtype.type
            write_nifti(scan.label_map, self.folder / f"labelsTr/{name}{ending}", label_dtype, note)
        if provenance is not None:
            make_folder(self.folder / "provenance")
            text = json.dumps(provenance, indent=2) + "\n"
            write_text(self.folder / "provenance" / f"{name}.json", text)
        cells = {name: f"{value:.6g}" for name, value in attributes.items()}
        self.add_row(name, subject, cells, visit, split)

    def add_row(
        self, name: str, subject: str, cells: Mapping[str, str], visit: str = "", split: str = ""
    ) -> None:  # fmt: skip
        """Write the row of a case whose files are whole."""
        own = (cells.get(attribute, "") for attribute in self.attributes)
        append_line(self._table, _line([name, subject, visit, split, *own]))
        self.done.add(name)

    def finish(self) -> Cohort:
        """Sort the table, count the cases in `dataset.json`, let go, and open what was written."""
        records = sorted(set(read_table(self._table).records))
        write_table(self._table, self._columns, records)
        self.description.write(self.folder, len(records), self.made)
        self.close()
        labelled = any((self.folder / "labelsTr").iterdir())
        return Cohort.open(self.folder, labelled)


def _require_origin(folder: Path, before: str, now: str) -> None:
    kinds = {"": "real scans", "phantom": "phantoms", "synthetic": "synthetic cases"}
    if before != now:
        fault = f"holds {kinds.get(before, before)}"
        raise InputError(folder, fault, "choose a new folder to write into")


def _line(cells: Sequence[str]) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="").writerow(cells)
    return stream.getvalue()


def _holds_something(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and any(path.iterdir()))
