"""The layouts in which visits come: our cohorts, and crops of OAI and MOST by their names.

Crops are named as in the code published with Han et al. 2021 ("Predicting osteoarthritis
progression in radiographs via unsupervised representation learning"): of OAI by identity, barcode,
date and side, `9927360_02160601_20070629_l.png`; of MOST by identity, visit and side,
`MB00001_V1_x_r.png`, as far as that code tells.
Grades stand in a CSV with the columns `img name` and `kls`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from vesalius.scans.arrays import ScratchRows
from vesalius.scans.case import Case
from vesalius.scans.cohort import TABLE_NAME, Cohort
from vesalius.scans.formats.table import read_table
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.pictures import picture_of, read_picture, standard
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.scans.visits import Visits

MOST_MONTHS = {"V0": 0, "V1": 15, "V2": 30, "V3": 60, "V5": 84}
YEARS, LEFT, GRADE = "years", "left", "kl_grade"
_CROP = re.compile(r"(?P<patient>[A-Za-z]*\d+)_(?P<rest>.+)_(?P<side>[lrLR])\.png")
_DAYS = 365.25


def read_visits(place: str | Path, side: int = 64, progress: Progress = no_progress) -> Visits:
    """Read pictures of patients who come again.

    Args:
        place: a cohort whose `cases.csv` has the columns subject, visit and years (and left, 1 for
            a left side, which is turned), or a folder of OAI or MOST crops.
        side: pixels of the square that pictures are brought to.
        progress: called after each picture.

    Raises:
        InputError: where neither lies, or what is needed is missing.
    """
    place = Path(place)
    if (place / "dataset.json").is_file():
        return _of_cohort(Cohort.open(place, labelled=False), side, progress)
    if not place.is_dir():
        raise InputError(place, "is not a folder", "point at a cohort or at a folder of crops")
    return _of_crops(place, side, progress)


def pictures_at(
    place: str | Path, side: int, left: bool = False, progress: Progress = no_progress
) -> Visits:
    """One picture, or each subject's first of visits.

    Args:
        place: a picture, or what `read_visits` reads.
        side: pixels of the square that pictures are brought to.
        left: whether a single picture shows a left side.
        progress: called after each picture.
    """
    place = Path(place)
    if not place.is_file():
        visits = read_visits(place, side, progress)
        return visits.taken(visits.first())
    name = place.name.split(".")[0]
    picture = standard(read_picture(place), side)[None, None]
    return _turned(picture, (name,), (name,), np.zeros(1), np.array([left]), {}, ("",), (name,), "")


def _of_cohort(cohort: Cohort, side: int, progress: Progress) -> Visits:
    faults = list(cohort.faults)
    pictures = ScratchRows()
    cases: list[Case] = []
    for case in track(cohort.cases, "reading visits", len(cohort.cases), progress):
        try:
            own = _pictures_of(cohort, case, side)
            if pictures.count and pictures.shape != own.shape:
                fault = f"has {len(own)} channels, others {pictures.shape[0]}"
                raise InputError(case.images[0], fault, "give all pictures the same channels")
        except InputError as refusal:
            faults.append(refusal.fault)
            continue
        pictures.add(own)
        cases.append(case)
    if not cases:
        raise InputError(cohort.folder, f"has no sound picture ({faults[0]})", "mend the cases")
    names = sorted({name for case in cases for name in case.attributes} - {YEARS, LEFT})
    nan = float("nan")
    left = np.array([case.attributes.get(LEFT, 0.0) == 1 for case in cases])
    patients = tuple(case.subject for case in cases)
    both = {p for p in patients if len(set(left[[q == p for q in patients]])) > 1}
    subjects = tuple(
        f"{p}_{'l' if own else 'r'}" if p in both else p
        for p, own in zip(patients, left, strict=True)
    )
    return _turned(
        pictures.array(), tuple(case.name for case in cases), subjects,
        np.array([case.attributes[YEARS] for case in cases]), left,
        {n: np.array([case.attributes.get(n, nan) for case in cases]) for n in names},
        tuple(case.split for case in cases), patients, cohort.description.origin, faults,
    )  # fmt: skip


def _pictures_of(cohort: Cohort, case: Case, side: int) -> np.ndarray:
    """Channels of a visit `(C, side, side)`; a case without a time, or no picture, is refused."""
    if YEARS not in case.attributes:
        remedy = "add the column years, counted from the first visit"
        raise InputError(cohort.folder / TABLE_NAME, f"tells no years of {case.name}", remedy)
    channels = cohort.read_images(case).channels
    if 1 not in channels[0].shape:
        fault = f"has shape {channels[0].shape}, no picture"
        raise InputError(case.images[0], fault, "give slices one voxel thick")
    pictures = np.stack([standard(picture_of(channel), side) for channel in channels])
    return pictures.astype(np.float16)


@dataclass(frozen=True)
class Crop:
    """What a name tells of a crop: `years` since some day."""

    file: Path
    patient: str
    left: bool
    years: float


def _of_crops(folder: Path, side: int, progress: Progress) -> Visits:
    files = sorted(folder.glob("*.png"))
    if not files:
        remedy = "add crops named as OAI's, 9927360_02160601_20070629_l.png"
        raise InputError(folder, "is neither a cohort nor holds PNG pictures", remedy)
    grades = grades_by_file(folder)
    crops, pictures = [], ScratchRows()
    faults: list[InputProblem] = []
    for file in track(files, "reading visits", len(files), progress):
        try:
            crop = crop_of(file)
            pictures.add(standard(read_picture(file), side)[None].astype(np.float16))
        except InputError as refusal:
            faults.append(refusal.fault)
            continue
        crops.append(crop)
    if not crops:
        raise InputError(folder, f"has no sound picture ({faults[0]})", "mend the files")
    subjects = tuple(f"{crop.patient}_{'l' if crop.left else 'r'}" for crop in crops)
    first_years: dict[str, float] = {}
    for subject, crop in zip(subjects, crops, strict=True):
        first_years[subject] = min(first_years.get(subject, crop.years), crop.years)
    years = [
        crop.years - first_years[subject] for subject, crop in zip(subjects, crops, strict=True)
    ]
    nan = float("nan")
    known = {GRADE: np.array([grades.get(c.file.name, nan) for c in crops])} if grades else {}
    return _turned(
        pictures.array(), tuple(crop.file.stem for crop in crops), subjects, np.array(years),
        np.array([crop.left for crop in crops]), known, ("",) * len(crops),
        tuple(crop.patient for crop in crops), "", faults,
    )  # fmt: skip


def crop_of(file: Path) -> Crop:
    """What the name of a crop of OAI or MOST tells, or a refusal."""
    parts = _CROP.fullmatch(file.name)
    remedy = "name it ID_BARCODE_YYYYMMDD_SIDE.png or ID_VISIT_…_SIDE.png"
    if not parts:
        raise InputError(file, "has no name of OAI or MOST", remedy)
    patient, left = parts["patient"], parts["side"].lower() == "l"
    for part in reversed(parts["rest"].split("_")):  # a barcode before the date may look like one
        if part.upper() in MOST_MONTHS:
            return Crop(file, patient, left, MOST_MONTHS[part.upper()] / 12)
        if re.fullmatch(r"(19|20)\d{6}", part):
            try:
                day = date(int(part[:4]), int(part[4:6]), int(part[6:]))
            except ValueError:
                continue
            return Crop(file, patient, left, day.toordinal() / _DAYS)
    raise InputError(file, "tells no date and no visit of MOST (V0, V1, V2, V3, V5)", remedy)


def grades_by_file(folder: Path) -> dict[str, float]:
    """Grades by file name from any CSV that has them; NaN where none was read."""
    result: dict[str, float] = {}
    for path in sorted(folder.glob("*.csv")):
        table = read_table(path)
        if not {"img name", "kls"} <= set(table.columns):
            continue
        for row in table:
            try:
                result[row["img name"]] = float(row.get("kls", "nan"))
            except ValueError:
                fault = f"has '{row['kls']}' as a grade"
                raise InputError(table.place(row), fault, "write 0 to 4 or nothing") from None
    return result


def _turned(
    images: np.ndarray, names: tuple[str, ...], subjects: tuple[str, ...], years: np.ndarray,
    left: np.ndarray, attributes: dict[str, np.ndarray], splits: tuple[str, ...],
    patients: tuple[str, ...], origin: str, faults: Sequence[InputProblem] = (),
) -> Visits:  # fmt: skip
    for row in np.flatnonzero(left):
        images[row] = images[row][..., ::-1].copy()
    return Visits(
        images.astype(np.float16, copy=False), names, subjects, years, left, attributes, splits,
        patients, origin, tuple(faults),
    )  # fmt: skip
