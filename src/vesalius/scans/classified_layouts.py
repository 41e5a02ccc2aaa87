"""The layouts in which classified images come: our cohorts, CheXpert, ChestX-ray14, MedMNIST, CSV.

Each is read as its authors publish it: CheXpert (Irvin et al. 2019), ChestX-ray14 (Wang et al.
2017), MedMNIST v2 (Yang et al. 2023). Any other folder needs a `labels.csv` of our own form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from vesalius.scans.arrays import ScratchRows
from vesalius.scans.classified import TEST, TRAIN, VALIDATION, Classified, Listed, read_listed
from vesalius.scans.cohort import Cohort
from vesalius.scans.formats.content import read_text
from vesalius.scans.formats.npz import read_arrays
from vesalius.scans.formats.table import Table, read_table
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.intensity import to_unit_range
from vesalius.scans.masks import read_mask
from vesalius.scans.pictures import picture_of, standard
from vesalius.scans.progress import Progress, no_progress, track

Uncertain = Literal["unknown", "positive", "negative"]
LABELS = "labels.csv"
CHEXPERT = ("Sex", "Age", "Frontal/Lateral", "AP/PA")
XRAY14 = "Data_Entry_2017*.csv"
SPLITS = (TRAIN, VALIDATION, TEST)
MOST_CLASSES = 1000
_UNCERTAIN = {"unknown": float("nan"), "positive": 1.0, "negative": 0.0}


def read_classified(
    place: str | Path, labels: Sequence[str] = (), side: int = 64,
    uncertain: Uncertain = "unknown", progress: Progress = no_progress, labelled: bool = True,
) -> Classified:  # fmt: skip
    """Read classified images in whatever known layout they lie.

    Args:
        place: a cohort; a folder of CheXpert, of ChestX-ray14, or with `labels.csv`; or a
            MedMNIST `.npz` file.
        labels: to be learnt; all of them if none is named.
        side: pixels of the square that pictures are brought to; volumes and MedMNIST keep theirs.
        uncertain: what CheXpert's −1 is taken for.
        progress: called after each picture.
        labelled: whether a cohort or table without any label is refused.

    Raises:
        InputError: where nothing known lies, for unknown labels, or for a table that is wrong.
    """
    place = Path(place)
    if place.suffix == ".npz":
        result = read_medmnist(place)
    elif (place / "dataset.json").is_file():
        return read_cohort(Cohort.open(place, labelled=False), labels, side, progress, labelled)
    else:
        listed, known = listed_pictures(place, uncertain)
        wanted = _columns(place, labels, known, labelled)
        chosen = [
            Listed(one.name, one.file, one.subject, one.split,
                   tuple(one.targets[column] for column in wanted))
            for one in listed
        ]  # fmt: skip
        return read_listed(chosen, [known[column] for column in wanted], side, progress)
    wanted = _columns(place, labels, result.labels)
    return Classified(
        result.images, result.targets[:, wanted], tuple(result.labels[c] for c in wanted),
        result.names, result.subjects, result.splits,
    )  # fmt: skip


def read_cohort(
    cohort: Cohort, labels: Sequence[str] = (), side: int = 64, progress: Progress = no_progress,
    labelled: bool = True,
) -> Classified:  # fmt: skip
    """Images of a cohort whose attributes of 0 and 1 are the labels, with masks if it has any.

    Pictures one voxel thick are brought to squares of `side`; volumes must have one shape.
    """
    known = sorted({name for case in cohort.cases for name in case.attributes})
    binary = [
        name for name in known
        if {case.attributes.get(name, 0.0) for case in cohort.cases} <= {0.0, 1.0}
    ]  # fmt: skip
    table = cohort.folder / "cases.csv"
    wanted = [binary[column] for column in _columns(table, labels, binary, labelled)]
    images, masks = ScratchRows(), ScratchRows()
    affines, sound = [], []
    faults = list(cohort.faults)
    masked = bool(wanted) and (cohort.folder / "masks").is_dir()
    for case in track(cohort.cases, "reading images", len(cohort.cases), progress):
        try:
            channels = cohort.read_images(case).channels
            own = [read_mask(cohort.folder, name, case.name, channels[0]) for name in wanted]
        except InputError as refusal:
            faults.append(refusal.fault)
            continue
        flat = 1 in channels[0].shape
        if flat:
            shown = [standard(picture_of(channel), side) for channel in channels]
        else:
            shown = [to_unit_range(channel.voxels) for channel in channels]
        if images.count and images.shape != np.shape(shown):
            fault = f"has shape {np.shape(shown)[1:]}, others {images.shape[1:]}"
            faults.append(
                InputProblem(str(case.images[0]), fault, "resample all volumes to one shape")
            )
            continue
        images.add(np.stack(shown).astype(np.float16))
        if masked:
            empty = np.zeros(images.shape[1:], dtype=bool)
            masks.add(np.stack([
                empty if m is None
                else standard(picture_of(m).astype(float), side) > 0.5 if flat else m.voxels > 0
                for m in own
            ]))  # fmt: skip
        affines.append(channels[0].affine)
        sound.append(case)
    if not sound:
        raise InputError(cohort.folder, f"has no sound image ({faults[0]})", "mend the files")
    nan = float("nan")
    targets = [[case.attributes.get(name, nan) for name in wanted] for case in sound]
    return Classified(
        images.array(), np.array(targets, dtype=np.float32), tuple(wanted),
        tuple(case.name for case in sound), tuple(case.subject for case in sound),
        tuple(case.split for case in sound), masks.array() if masked else None,
        None if flat else np.stack(affines), cohort.description.origin, tuple(faults),
    )  # fmt: skip


def read_medmnist(path: Path) -> Classified:
    """A MedMNIST v2 file, 2D or 3D, grey or colour, of one label, several, or classes.

    Classes of more than two become a label each. Every image counts as a subject of its own.
    """
    entries = [f"{split}_{kind}" for split in SPLITS for kind in ("images", "labels")]
    arrays = read_arrays(path, entries)
    images: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    splits: list[str] = []
    for split in SPLITS:
        try:
            own, reported = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        except KeyError as error:
            remedy = "give a file of MedMNIST, with train_images, train_labels and so on"
            raise InputError(path, f"holds no {error.args[0]}", remedy) from error
        _require_medmnist(path, split, own, reported)
        if (
            images
            and own.shape[1:] + reported.shape[1:] != images[0].shape[1:] + targets[0].shape[1:]
        ):
            raise InputError(path, f"has {split} arrays of another shape", "download it again")
        images.append(own)
        targets.append(reported)
        splits += [split] * len(own)
    count = sum(len(own) for own in images)
    reported = np.concatenate(targets).reshape(count, -1)
    if not count:
        raise InputError(path, "holds no images", "download it again")
    if reported.shape[1] == 1 and reported.max() > 1:
        reported = np.eye(int(reported.max()) + 1)[reported[:, 0].astype(int)]
    colour = images[0].ndim == 4 and images[0].shape[-1] == 3
    names = tuple(f"{path.stem}_{row:06d}" for row in range(count))
    labels = tuple(f"label_{column}" for column in range(reported.shape[1]))
    return Classified(
        _scaled((one for own in images for one in own), colour),
        reported.astype(np.float32), labels, names, names, tuple(splits),
    )  # fmt: skip


def _scaled(images: Iterator[np.ndarray], colour: bool) -> np.ndarray:
    """Images of bytes in [0, 1] `(N, C, ...)`, on disk."""
    rows = ScratchRows()
    for one in images:
        channelled = np.moveaxis(one, -1, 0) if colour else one[None]
        rows.add(np.divide(channelled, np.float16(255), dtype=np.float16, casting="unsafe"))
    return rows.array()


def _require_medmnist(path: Path, split: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Refuse images that are no bytes in 2D or 3D, and labels that are no classes."""
    remedy = "download it again"
    if images.ndim not in (3, 4) or images.dtype != np.uint8 or 0 in images.shape[1:]:
        fault = f"holds {split} images of shape {images.shape} and type {images.dtype}"
        raise InputError(path, fault, "give a file of MedMNIST: bytes (N, H, W) or (N, D, H, W)")
    if labels.ndim not in (1, 2) or len(labels) != len(images):
        fault = f"holds {len(images)} {split} images and labels of shape {labels.shape}"
        raise InputError(path, fault, remedy)
    whole = bool((labels == np.round(labels)).all()) if labels.dtype.kind == "f" else True
    if labels.size and not (whole and labels.min() >= 0 and labels.max() < MOST_CLASSES):
        raise InputError(path, f"holds {split} labels that are no classes", remedy)


def listed_pictures(folder: Path, uncertain: Uncertain) -> tuple[list[Listed], list[str]]:
    """Pictures of a folder with their labels, none of which is read, and the labels' names.

    Raises:
        InputError: where no layout is known, or its table is wrong.
    """
    if not folder.is_dir():
        raise InputError(folder, "is neither a folder nor a .npz file", "point at your images")
    if (folder / LABELS).exists():
        return _own_table(folder)
    if (folder / "train.csv").exists():
        return _chexpert(folder, uncertain)
    if list(folder.glob(XRAY14)):
        return _xray14(folder)
    remedy = f"add {LABELS} with the columns file, subject, split, and one for each label"
    raise InputError(folder, "has no layout that is known", remedy)


def _own_table(folder: Path) -> tuple[list[Listed], list[str]]:
    """`labels.csv`: file, subject and split if they are known, then a column for each label."""
    table = _rows(folder / LABELS, "file", remedy="name the pictures in it")
    known = [c for c in table.columns if c and c not in ("file", "subject", "split")]
    listed = [
        Listed(row["file"], folder / row["file"], row.get("subject") or row["file"],
               row.get("split"), tuple(_target(table.place(row), row[name], {}) for name in known))
        for row in table
    ]  # fmt: skip
    return listed, known


def _chexpert(folder: Path, uncertain: Uncertain) -> tuple[list[Listed], list[str]]:
    """`train.csv` and `valid.csv`, whose paths begin with the name of the set; frontal views."""
    listed: list[Listed] = []
    known: list[str] = []
    meaning = {"-1.0": _UNCERTAIN[uncertain], "-1": _UNCERTAIN[uncertain]}
    for name, split in (("train.csv", TRAIN), ("valid.csv", VALIDATION)):
        if not (folder / name).exists():
            continue
        table = _rows(folder / name, "Path", *known, remedy="give CheXpert's own table")
        known = known or [c for c in table.columns if c and c not in ("Path", *CHEXPERT)]
        for row in table:
            if row.get("Frontal/Lateral") == "Lateral":
                continue
            parts = Path(row["Path"]).parts
            patient = next((part for part in parts if part.startswith("patient")), row["Path"])
            targets = tuple(_target(table.place(row), row[c], meaning, "") for c in known)
            listed.append(Listed(row["Path"], folder.joinpath(*parts[1:]), patient, split, targets))
    return listed, known


def _xray14(folder: Path) -> tuple[list[Listed], list[str]]:
    """The table of ChestX-ray14, images in `images/` or `images_001/images/` to `_012`."""
    columns = ("Image Index", "Finding Labels", "Patient ID")
    remedy = "give ChestX-ray14's own table"
    rows = list(_rows(sorted(folder.glob(XRAY14))[0], *columns, remedy=remedy))
    places = {path.name: path for path in folder.glob("images*/**/*.png")}
    tested = folder / "test_list.txt"
    test = set(read_text(tested).split()) if tested.exists() else set()
    said = [set(row["Finding Labels"].split("|")) for row in rows]
    known = sorted(set().union(*said) - {"No Finding"})
    listed = []
    for row, own in zip(rows, said, strict=True):
        image = row["Image Index"]
        place = places.get(image, folder / "images" / image)
        targets = tuple(float(name in own) for name in known)
        split = TEST if image in test else ""
        listed.append(Listed(image, place, row["Patient ID"], split, targets))
    return listed, known


def _rows(path: Path, *required: str, remedy: str) -> Table:
    table = read_table(path, required, remedy)
    if not len(table):
        raise InputError(path, "has no rows", "list the pictures in it")
    return table


def _target(place: str, cell: str, meaning: Mapping[str, float], empty: str = "nan") -> float:
    """A cell as 1, 0 or NaN. In CheXpert's tables an empty one means that it is not there."""
    if cell in meaning:
        return meaning[cell]
    if not cell:
        return float("nan") if empty == "nan" else 0.0
    try:
        value = float(cell)
    except ValueError:
        value = float("inf")
    if value not in (0.0, 1.0):
        raise InputError(place, f"has '{cell}' as a label", "write 1, 0 or nothing")
    return value


def _columns(
    place: Path, wanted: Sequence[str], known: Sequence[str], labelled: bool = True
) -> list[int]:
    """Where the wanted labels stand, all where none is named."""
    if labelled and not known:
        raise InputError(place, "has no column of 0 and 1", "add one for each label")
    for name in wanted:
        if name not in known:
            raise InputError(place, f"has no label {name}", f"choose of {', '.join(known)}")
    return [list(known).index(name) for name in wanted or known]
