"""A cohort: a folder of cases in nnU-Net v2 raw format, with `cases.csv` and provenance beside."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vesalius.scans.case import Case, LabelledScan, Scan, read_case, read_images
from vesalius.scans.description import Description
from vesalius.scans.formats.content import unreadable
from vesalius.scans.formats.table import Row, Table, TableForm, read_table, write_table
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress, no_progress, track

TABLE_NAME = "cases.csv"
FIXED_COLUMNS = ("case", "subject", "visit", "split")
MISSING = frozenset({"", "-", ".", "?", "n/a", "na", "nan", "none", "null", "unknown"})
"""Cells, in small letters, that say that a value is not known."""


@dataclass(frozen=True)
class Cohort:
    """The sound cases of a folder, and the faults of those that are not.

    `Cohort.open` looks at names and tables only; `Cohort.read` looks at one case's voxels.
    """

    folder: Path
    description: Description
    cases: tuple[Case, ...]
    faults: tuple[InputProblem, ...]

    def __fspath__(self) -> str:
        """The folder, so that a cohort may stand wherever a path is taken."""
        return str(self.folder)

    @classmethod
    def open(cls, folder: str | Path, labelled: bool = True) -> Cohort:
        """Find the cases of a folder in nnU-Net v2 raw format.

        A folder without `cases.csv` is taken as one case a subject.

        Args:
            folder: with `dataset.json` and `imagesTr`.
            labelled: whether a case needs a label map.

        Raises:
            InputError: if the folder is no cohort at all. What is wrong with single cases ends up
                in `faults`, and the other cases are kept.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError(
                folder, "is not a folder", "point at a folder in nnU-Net v2 raw format"
            )
        description = Description.read(folder)
        ending = description.file_ending
        result: dict[str, list[Path]] = {}
        for path in _listed(folder / "imagesTr", ending):
            result.setdefault(path.name.removesuffix(ending)[:-5], []).append(path)
        if not result:
            raise InputError(
                folder / "imagesTr", "holds no images", f"add <case>_0000{ending} files"
            )
        rows, faults = _read_table(folder / TABLE_NAME, set(result))
        cases = []
        for name, images in result.items():
            expected = tuple(
                folder / "imagesTr" / f"{name}_{index:04d}{ending}"
                for index in range(len(description.channels))
            )
            label_map = folder / "labelsTr" / f"{name}{ending}"
            provenance = folder / "provenance" / f"{name}.json"
            row = rows.get(name)
            if tuple(images) != expected:
                fault = f"has {len(images)} of {len(expected)} channels"
                faults.append(InputProblem(str(images[0]), fault, "add the missing channel files"))
            elif labelled and not label_map.is_file():
                faults.append(
                    InputProblem(str(label_map), "is missing", "add it, or remove the image")
                )
            elif rows and name not in rows:
                remedy = "add its row, or remove the images"
                faults.append(
                    InputProblem(str(folder / TABLE_NAME), f"has no row for {name}", remedy)
                )
            elif not rows or row is not None:
                known = row or Case(name, (), None, name)
                cases.append(
                    replace(
                        known, images=expected,
                        label_map=label_map if label_map.is_file() else None,
                        provenance_file=provenance if provenance.is_file() else None,
                    )
                )  # fmt: skip
        if not cases:
            first = str(faults[0]) if faults else "no image has a label map"
            raise InputError(
                folder, f"has no sound case ({first})", "mend the cases or choose others"
            )
        return cls(folder, description, tuple(cases), tuple(faults))

    def read(self, case: Case) -> LabelledScan:
        """Read the voxels of one case, or refuse with what is wrong with it."""
        return read_case(case, self.description)

    def read_images(self, case: Case) -> Scan:
        """Read the images of one case alone, or refuse with what is wrong with them."""
        return read_images(case)

    def sound(
        self, cases: Sequence[Case], progress: Progress = no_progress,
        look: Callable[[Case, LabelledScan], None] | None = None,
    ) -> tuple[list[Case], list[InputProblem]]:  # fmt: skip
        """Which cases can be read, and what is wrong with the others; no voxels are kept.

        Args:
            cases: read one after the other.
            progress: called after each.
            look: called with each that could be read.
        """
        sound, faults = [], []
        for case in track(cases, "reading cases", len(cases), progress):
            try:
                scan = self.read(case)
            except InputError as refusal:
                faults.append(refusal.fault)
                continue
            if look is not None:
                look(case, scan)
            sound.append(case)
        return sound, faults

    def alone(self) -> Cohort:
        """The same without the list of all cases, which is long to be sent to a process."""
        return replace(self, cases=(), faults=())

    def of_split(self, *splits: str) -> tuple[Case, ...]:
        """The cases whose `split` is one of `splits`."""
        return tuple(case for case in self.cases if case.split in splits)


def update_table(cohort: Cohort, columns: Mapping[str, Mapping[str, str]]) -> None:
    """Set cells of `cases.csv`, by column and case; all else stays as it stands, in its order.

    Columns that are new come last. Byte order mark and ends of lines stay. Rows of cases with
    faults, columns that mean nothing to this library and cells that are not set are kept to the
    letter. Without a table one is made.

    Args:
        cohort: whose table it is.
        columns: `columns[name][case]` is the cell's new text.

    Raises:
        InputError: for a table that cannot be read, or a row with more cells than columns.
    """
    path = cohort.folder / TABLE_NAME
    form = TableForm()
    if path.exists():
        table, form = read_table(path, ["case"]), TableForm.of(path)
        head, records = list(table.columns), [list(record) for record in table.records]
        surplus = next((row for row in table if row.surplus), None)
        if surplus is not None and set(columns) - set(head):
            fault = "has more cells than there are columns, which a new column would take in"
            raise InputError(
                table.place(surplus), fault, "put cells with commas into double quotes"
            )
    else:
        head = list(FIXED_COLUMNS)
        records = [[case.name, case.subject, case.visit, case.split] for case in cohort.cases]
    known = {case.name for case in cohort.cases}
    place = head.index("case")
    head += [name for name in columns if name not in head]
    for record in records:
        record.extend([""] * (len(head) - len(record)))
        name = record[place] if record[place] in known else record[place].strip()
        for column, cells in columns.items():
            if name in cells:
                record[head.index(column)] = cells[name]
    write_table(path.resolve(), head, records, form)


def _listed(folder: Path, ending: str) -> list[Path]:
    try:
        names = sorted(path for path in folder.iterdir() if path.name.endswith(ending))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(folder, error) from error
    return [path for path in names if not path.name.startswith(".")]


def _read_table(path: Path, known: set[str]) -> tuple[dict[str, Case | None], list[InputProblem]]:
    """Rows of `cases.csv` by case, none where a row is wrong, and what is wrong."""
    if not path.exists():
        return {}, []
    table = read_table(path, ["case"], f"start it with {','.join(FIXED_COLUMNS)}")
    texts = text_columns(table)
    rows: dict[str, Case | None] = {}
    faults = []
    for row in table:
        name = row.raw["case"] if row.raw["case"] in known else row["case"]
        place = table.place(row)
        if name not in known:
            faults.append(
                InputProblem(place, f"names case {name}, which has no image", "remove the row")
            )
        elif name in rows:
            faults.append(InputProblem(place, f"names case {name} a second time", "remove one row"))
            rows[name] = None
        else:
            rows[name], result = _read_row(table, row, name, texts)
            faults += result
    return rows, faults


def text_columns(table: Table) -> frozenset[str]:
    """Columns of which fewer than half of the known cells are numbers, such as sex or date.

    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "cases.csv"
    >>> _ = file.write_text("case,sex,age,seen\\na,F,61,2019-03-01\\nb,M,n/a,2020-11-12\\n")
    >>> sorted(text_columns(read_table(file)))
    ['seen', 'sex']
    """
    result = set()
    for column in table.columns:
        cells = [row.get(column) for row in table]
        known = [cell for cell in cells if cell.lower() not in MISSING]
        if column not in FIXED_COLUMNS and 2 * sum(map(_is_number, known)) < len(known):
            result.add(column)
    return frozenset(result)


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _read_row(
    table: Table, row: Row, name: str, texts: frozenset[str]
) -> tuple[Case | None, list[InputProblem]]:
    """What a row tells of its case, or everything that is wrong in it."""
    place, attributes, faults = table.place(row), {}, []
    categories = {}
    if row.surplus:
        fault = f"has {row.surplus} more cells than there are columns"
        faults.append(InputProblem(place, fault, "put cells with commas into double quotes"))
    for column in table.columns:
        cell = row.get(column)
        if column in FIXED_COLUMNS or cell.lower() in MISSING:
            continue
        if column in texts:
            categories[column] = cell
        elif _is_number(cell):
            attributes[column] = float(cell)
        else:
            fault = f"has '{cell}' in the number column {column}"
            faults.append(InputProblem(place, fault, "write a number or leave it empty"))
    subject, visit, split = row.get("subject") or name, row.get("visit"), row.get("split")
    case = Case(name, (), None, subject, visit, split, attributes, categories)
    return (None if faults else case), faults
