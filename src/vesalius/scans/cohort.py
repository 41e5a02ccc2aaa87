"""A cohort: a folder of cases in nnU-Net v2 raw format, with `cases.csv` and provenance beside."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from vesalius.scans.case import Case, LabelledScan, Scan, read_case, read_images
from vesalius.scans.description import Description, write_text
from vesalius.scans.fault import Fault, Refused, make_folder, refused_if_unwritable
from vesalius.scans.nifti import write_nifti
from vesalius.scans.progress import Progress, followed, silent

S = TypeVar("S", bound=Scan)
FIXED_COLUMNS = ("case", "subject", "visit", "split")


@dataclass(frozen=True)
class Cohort:
    """The sound cases of a folder, and the faults of those that are not.

    `Cohort.open` looks at names and tables only; `Cohort.read` looks at one case's voxels.
    """

    folder: Path
    description: Description
    cases: tuple[Case, ...]
    faults: tuple[Fault, ...]

    @classmethod
    def open(cls, folder: str | Path, labelled: bool = True) -> Cohort:
        """Find the cases of a folder in nnU-Net v2 raw format.

        A folder without `cases.csv` is taken as one case a subject.

        Args:
            folder: with `dataset.json` and `imagesTr`.
            labelled: whether a case needs a label map.

        Raises:
            Refused: if the folder is no cohort at all. What is wrong with single cases ends up in
                `faults`, and the other cases are kept.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise Refused(folder, "is not a folder", "point at a folder in nnU-Net v2 raw format")
        description = Description.read(folder)
        ending = description.file_ending
        found: dict[str, list[Path]] = {}
        for path in sorted((folder / "imagesTr").glob(f"[!.]*{ending}")):
            found.setdefault(path.name.removesuffix(ending)[:-5], []).append(path)
        if not found:
            raise Refused(folder / "imagesTr", "holds no images", f"add <case>_0000{ending} files")
        rows, faults = _read_table(folder / "cases.csv", set(found))
        cases = []
        for name, images in found.items():
            expected = tuple(
                folder / "imagesTr" / f"{name}_{index:04d}{ending}"
                for index in range(len(description.channels))
            )
            label_map = folder / "labelsTr" / f"{name}{ending}"
            provenance = folder / "provenance" / f"{name}.json"
            row = rows.get(name)
            if tuple(images) != expected:
                fault = f"has {len(images)} of {len(expected)} channels"
                faults.append(Fault(str(images[0]), fault, "add the missing channel files"))
            elif labelled and not label_map.is_file():
                faults.append(Fault(str(label_map), "is missing", "add it, or remove the image"))
            elif rows and row is None:
                remedy = "add its row, or remove the images"
                faults.append(Fault(str(folder / "cases.csv"), f"has no row for {name}", remedy))
            elif row is None or "fault" not in row:
                known = row or {"subject": name, "visit": "", "split": "", "attributes": {}}
                cases.append(
                    Case(
                        name,
                        expected,
                        label_map if label_map.is_file() else None,
                        known["subject"],
                        known["visit"],
                        known["split"],
                        known["attributes"],
                        provenance if provenance.is_file() else None,
                    )
                )
        if not cases:
            first = str(faults[0]) if faults else "no image has a label map"
            raise Refused(folder, f"has no sound case ({first})", "mend the cases or choose others")
        return cls(folder, description, tuple(cases), tuple(faults))

    def read(self, case: Case) -> LabelledScan:
        """Read the voxels of one case, or refuse with what is wrong with it."""
        return read_case(case, self.description)

    def read_images(self, case: Case) -> Scan:
        """Read the images of one case alone, or refuse with what is wrong with them."""
        return read_images(case)

    def read_sound(
        self, cases: Sequence[Case], progress: Progress = silent
    ) -> tuple[list[tuple[Case, LabelledScan]], list[Fault]]:
        """Read many cases: the sound ones with their voxels, and the faults of the others."""
        return _sound(cases, self.read, progress)

    def read_sound_images(
        self, cases: Sequence[Case], progress: Progress = silent
    ) -> tuple[list[tuple[Case, Scan]], list[Fault]]:
        """The same without label maps."""
        return _sound(cases, self.read_images, progress)

    def of_split(self, *splits: str) -> tuple[Case, ...]:
        """The cases whose `split` is one of `splits`."""
        return tuple(case for case in self.cases if case.split in splits)

    def values(self, attribute: str, cases: Sequence[Case] | None = None) -> np.ndarray:
        """One attribute of all cases `(N,)`, from `cases.csv` or measured on the label maps."""
        return np.array([self.value(attribute, case) for case in cases or self.cases])

    def value(self, attribute: str, case: Case) -> float:
        """One attribute of one case, from `cases.csv` or measured on its label map."""
        if attribute in case.attributes:
            return case.attributes[attribute]
        measured = self.description.attribute(attribute)
        return measured.of(self.read(case).label_map, self.description.labels)


class CohortWriter:
    """Writes cases one by one; each is whole on disk before its row stands in `cases.csv`.

    A writer opened on a folder that a killed process left behind knows which cases are `done`.
    Several processes may write different cases into one folder.
    """

    def __init__(
        self, folder: str | Path, description: Description, attributes: Sequence[str] = ()
    ) -> None:
        self.folder = make_folder(folder)
        self.description = description
        self.attributes = tuple(attributes)
        for part in ("imagesTr", "labelsTr"):
            make_folder(self.folder / part)
        self._table = self.folder / "cases.csv"
        columns = [*FIXED_COLUMNS, *self.attributes]
        if self._table.exists():
            rows = list(csv.reader(self._table.read_text(encoding="utf-8").splitlines()))
            if not rows or rows[0] != columns:
                fault = f"has columns {', '.join(rows[0]) if rows else 'none'}"
                raise Refused(self._table, fault, "choose a new folder to write into")
            self.done = {row[0] for row in rows[1:] if len(row) == len(columns)}
        else:
            write_text(self._table, ",".join(columns) + "\n")
            description.write(self.folder, 0)
            self.done = set()

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
        told = (f"{attributes[a]:.6g}" if a in attributes else "" for a in self.attributes)
        row = [name, subject, visit, split, *told]
        with refused_if_unwritable(self._table), self._table.open("a", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerow(row)
        self.done.add(name)

    def finish(self) -> Cohort:
        """Sort the table, count the cases in `dataset.json`, and open what was written."""
        head, *rows = self._table.read_text(encoding="utf-8").splitlines()
        write_text(self._table, "\n".join([head, *sorted(set(rows))]) + "\n")
        self.description.write(self.folder, len(rows))
        labelled = any((self.folder / "labelsTr").iterdir())
        return Cohort.open(self.folder, labelled)


def write_table(cohort: Cohort, attributes: Mapping[str, Mapping[str, float]]) -> None:
    """Write `cases.csv` of a cohort anew, with `attributes[name][case]` as further columns."""
    columns = list(dict.fromkeys(a for case in cohort.cases for a in case.attributes))
    columns += [name for name in attributes if name not in columns]
    lines = [",".join([*FIXED_COLUMNS, *columns])]
    for case in cohort.cases:
        known = dict(case.attributes) | {
            name: values[case.name] for name, values in attributes.items() if case.name in values
        }
        cells = [f"{known[name]:.6g}" if name in known else "" for name in columns]
        lines.append(",".join([case.name, case.subject, case.visit, case.split, *cells]))
    write_text(cohort.folder / "cases.csv", "\n".join(lines) + "\n")


def _sound(
    cases: Sequence[Case], read: Callable[[Case], S], progress: Progress
) -> tuple[list[tuple[Case, S]], list[Fault]]:
    sound, faults = [], []
    for case in followed(cases, "reading cases", len(cases), progress):
        try:
            sound.append((case, read(case)))
        except Refused as refusal:
            faults.append(refusal.fault)
    return sound, faults


def _read_table(path: Path, known: set[str]) -> tuple[dict[str, dict[str, Any]], list[Fault]]:
    """Rows of `cases.csv` by case, and what is wrong with the others."""
    if not path.is_file():
        return {}, []
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    reader = csv.DictReader(lines)
    columns = list(reader.fieldnames or [])
    if "case" not in columns:
        raise Refused(path, "has no column named case", f"start it with {','.join(FIXED_COLUMNS)}")
    rows: dict[str, dict[str, Any]] = {}
    faults = []
    for line, row in enumerate(reader, start=2):
        name = (row["case"] or "").strip()
        place = f"{path}:{line}"
        if name not in known:
            faults.append(Fault(place, f"names case {name}, which has no image", "remove the row"))
            continue
        if name in rows:
            faults.append(Fault(place, f"names case {name} a second time", "remove one row"))
            rows[name]["fault"] = True
            continue
        attributes = {}
        for column in columns:
            cell = (row.get(column) or "").strip()
            if column in FIXED_COLUMNS or not cell:
                continue
            try:
                attributes[column] = float(cell)
            except ValueError:
                attributes[column] = math.nan
            if not math.isfinite(attributes[column]):
                fault = f"has '{cell}' in the number column {column}"
                faults.append(Fault(place, fault, "write a number or leave it empty"))
                rows[name] = {"fault": True}
        fixed = {column: (row.get(column) or "").strip() for column in FIXED_COLUMNS[1:]}
        fixed["subject"] = fixed["subject"] or name
        rows[name] = {**fixed, "attributes": attributes, **rows.get(name, {})}
    return rows, faults
