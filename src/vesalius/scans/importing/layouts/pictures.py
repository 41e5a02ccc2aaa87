"""Pictures with tables: CheXpert, ChestX-ray14, MedMNIST, MRNet, crops of OAI and MOST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from vesalius.scans.classified_layouts import LABELS, XRAY14, listed_pictures
from vesalius.scans.formats.content import read_text, refused_if_damaged, require_file
from vesalius.scans.formats.npz import read_arrays
from vesalius.scans.formats.volume_file import frontal
from vesalius.scans.importing.found import (
    Found,
    FoundCase,
    ImportOptions,
    Layout,
    require_cases,
)
from vesalius.scans.importing.names import column_name, safe_name
from vesalius.scans.importing.sources import ImageFile
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress
from vesalius.scans.visit_layouts import GRADE, LEFT, YEARS, Crop, crop_of, grades_by_file
from vesalius.scans.volume import Volume

LARGEST_BYTES = 2**30
PLANES = ("sagittal", "coronal", "axial")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class SlicesFile:
    """Slices `(N, H, W)` in an `.npy` file, whose spacing nobody knows."""

    path: Path

    @property
    def place(self) -> Path:
        """The file."""
        return self.path

    def read(self) -> Volume:
        """The slices from left to right, 1 mm apart as nothing else is known."""
        require_file(self.path, LARGEST_BYTES)
        with refused_if_damaged(self.path, "is no array", "copy it again"):
            slices = np.load(self.path, allow_pickle=False)
        if slices.ndim != 3 or slices.dtype.kind not in "uif" or not np.isfinite(slices).all():
            raise InputError(self.path, f"is of shape {slices.shape}, no slices", "copy it again")
        voxels = np.ascontiguousarray(slices.transpose(0, 2, 1), dtype=np.float32)
        return Volume(voxels, np.diag([1.0, -1.0, -1.0, 1.0]))


@dataclass(frozen=True)
class ArrayRow:
    """One image of a MedMNIST file."""

    path: Path
    entry: str
    row: int

    @property
    def place(self) -> Path:
        """The file."""
        return self.path

    def read(self) -> Volume:
        """The picture, or the volume, 1 mm a voxel as nothing else is known."""
        image = _entry(str(self.path), self.entry)[self.row].astype(np.float32)
        if image.ndim == 3 and image.shape[-1] == 3:
            image = image.mean(axis=-1)
        if image.ndim == 2:
            return frontal(image)
        return Volume(np.ascontiguousarray(image.transpose(2, 1, 0)), np.diag([-1.0, -1, 1, 1]))


@lru_cache(maxsize=1)
def _entry(path: str, entry: str) -> np.ndarray:
    return read_arrays(Path(path), [entry])[entry]


def find_pictures(source: Path, options: ImportOptions, progress: Progress) -> Found:
    """Pictures of CheXpert, ChestX-ray14, or a folder with `labels.csv`."""
    listed, known = listed_pictures(source, "unknown")
    columns = [column_name(name) for name in known]
    cases = [
        FoundCase(
            safe_name(Path(one.name).with_suffix("").as_posix().replace("/", "_")),
            safe_name(one.subject), (ImageFile(one.file),), None, "", one.split,
            {name: "" if np.isnan(value) else f"{value:g}"
             for name, value in zip(columns, one.targets, strict=True)},
        )
        for one in listed
    ]  # fmt: skip
    require_cases(source, cases, [], "list pictures in the table")
    return Found("pictures with a table", ("radiograph",), {"background": 0}, tuple(cases))


def find_medmnist(source: Path, options: ImportOptions, progress: Progress) -> Found:
    """Every image of a MedMNIST v2 file; classes of more than two become a column each."""
    arrays = read_arrays(source, [f"{split}_labels" for split in SPLITS])
    cases = []
    for split in SPLITS:
        labels = arrays.get(f"{split}_labels")
        if labels is None or labels.ndim != 2:
            raise InputError(source, f"holds no {split}_labels", "give a file of MedMNIST")
        classes = int(max(own.max(initial=0) for own in arrays.values())) + 1
        for row, own in enumerate(labels):
            spread = np.eye(classes)[int(own[0])] if len(own) == 1 and classes > 2 else own
            cells = {f"label_{n}": f"{value:g}" for n, value in enumerate(spread)}
            name = f"{source.stem}_{split}_{row:06d}"
            image = ArrayRow(source, f"{split}_images", row)
            cases.append(FoundCase(name, name, (image,), None, "", split, cells))
    notes = ("every image counts as a subject of its own, 1 mm a voxel",)
    return Found("MedMNIST", ("image",), {"background": 0}, tuple(cases), (), notes)


def find_mrnet(source: Path, options: ImportOptions, progress: Progress) -> Found:
    """Knee MRI of one plane (Bien et al. 2018), with its three labels."""
    plane = options.channels[0] if options.channels else PLANES[0]
    if plane not in PLANES or len(options.channels) > 1:
        raise InputError("--channel", f"{plane} is no plane", f"choose one of {', '.join(PLANES)}")
    cases = []
    for folder, split in (("train", "train"), ("valid", "val")):
        told: dict[str, dict[str, str]] = {}
        for path in sorted(source.glob(f"{folder}-*.csv")):
            finding = column_name(path.stem.removeprefix(f"{folder}-"))
            for line in read_text(path).split():
                name, _, value = line.partition(",")
                told.setdefault(name, {})[finding] = value
        for path in sorted((source / folder / plane).glob("*.npy")):
            cells = told.get(path.stem, {})
            name = safe_name(path.stem)
            cases.append(FoundCase(name, name, (SlicesFile(path),), None, "", split, cells))
    require_cases(source, cases, [], "point at the folder with train and valid")
    notes = (f"{plane} slices without spacing or direction: 1 mm cubes, not to be measured",)
    return Found("MRNet", (plane,), {"background": 0}, tuple(cases), (), notes)


def find_crops(source: Path, options: ImportOptions, progress: Progress) -> Found:
    """Crops of single knees of OAI and MOST, named as in the code of Han et al. 2021."""
    grades = grades_by_file(source)
    crops: list[Crop] = []
    left_out: list[InputProblem] = []
    for path in sorted(source.glob("*.png")):
        try:
            crops.append(crop_of(path))
        except InputError as refusal:
            left_out.append(refusal.fault)
    first: dict[str, float] = {}
    for crop in crops:
        first[crop.patient] = min(first.get(crop.patient, crop.years), crop.years)
    cases = [
        FoundCase(
            safe_name(crop.file.stem), safe_name(crop.patient), (ImageFile(crop.file),), None,
            "", "", _crop_cells(crop, first[crop.patient], grades),
        )
        for crop in crops
    ]  # fmt: skip
    require_cases(source, cases, left_out, "name them ID_BARCODE_YYYYMMDD_SIDE.png")
    return Found("OAI or MOST crops", ("radiograph",), {"background": 0}, tuple(cases),
                 tuple(left_out))  # fmt: skip


def _crop_cells(crop: Crop, first: float, grades: Mapping[str, float]) -> dict[str, str]:
    grade = grades.get(crop.file.name, float("nan"))
    cells = {YEARS: f"{crop.years - first:.3f}", LEFT: str(int(crop.left))}
    return cells | ({} if np.isnan(grade) else {GRADE: f"{grade:g}"})


def refuse_oai(source: Path, options: ImportOptions, progress: Progress) -> Found:
    """Raw radiographs of both knees, which are not cropped here."""
    fault = "holds raw OAI radiographs of both knees, in which no knee is found by itself"
    remedy = "crop each knee into a PNG named ID_BARCODE_YYYYMMDD_SIDE.png, then import those"
    raise InputError(source, fault, remedy)


def _has_crops(source: Path) -> bool:
    files: Sequence[Path] = sorted(source.glob("*.png"))[:20] if source.is_dir() else ()
    try:
        return bool(files) and all(crop_of(path) for path in files)
    except InputError:
        return False


def _has_table(source: Path) -> bool:
    return source.is_dir() and (
        (source / LABELS).is_file() or any(source.glob(XRAY14))
        or ((source / "train.csv").is_file() and _first_column(source / "train.csv") == "Path")
    )  # fmt: skip


def _first_column(path: Path) -> str:
    return read_text(path).partition(",")[0].strip()


PICTURES = (
    Layout("pictures", "CheXpert, ChestX-ray14, or labels.csv", _has_table, find_pictures),
    Layout("medmnist", "MedMNIST", lambda source: source.suffix == ".npz", find_medmnist),
    Layout("mrnet", "MRNet", lambda source: (source / "train" / PLANES[0]).is_dir(), find_mrnet),
    Layout("crops", "OAI or MOST crops", _has_crops, find_crops),
    Layout("oai", "raw OAI radiographs (refused)",
           lambda source: any(source.glob("*/[0-9].[CE].[0-9]/*/*")), refuse_oai),
)  # fmt: skip
