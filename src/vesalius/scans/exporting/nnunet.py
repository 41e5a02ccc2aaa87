"""A cohort as an nnU-Net v2 raw data set with splits in which no synthetic case validates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.scans.case import Case
from vesalius.scans.description import FILE_NAME
from vesalius.scans.exporting.source import ExportCase
from vesalius.scans.importing.layouts.nnunet import SPLITS
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.scans.writing import copy_file, make_folder, write_text

FOLDS = 5


def export_nnunet(
    cases: Sequence[ExportCase], out: Path, seed: int = 0, progress: Progress = no_progress
) -> list[str]:
    """Write `imagesTr`, `labelsTr`, `imagesTs`, `labelsTs`, `dataset.json`, `splits_final.json`.

    Cases of split `test` go to `imagesTs`. Where cases are marked `val` there is one fold, else
    five by subject. Files are copied bit by bit.

    Args:
        cases: with label maps.
        out: folder of the data set, such as `nnUNet_raw/Dataset101_Brain`.
        seed: decides which subject validates in which fold.
        progress: called after each case.

    Returns:
        What the user should know.
    """
    description = cases[0].cohort.description
    ending = description.file_ending
    for one in cases:
        if one.case.label_map is None:
            place = one.cohort.folder / "labelsTr" / f"{one.case.name}{ending}"
            raise InputError(place, "is missing", "nnU-Net needs a label map of every case")
    training = [one.case for one in cases if one.case.split != "test"]
    folds = splits(training, seed)
    for name in ("imagesTr", "labelsTr", "imagesTs", "labelsTs"):
        make_folder(out / name)
    for one in track(cases, "exporting cases", len(cases), progress):
        part = "Ts" if one.case.split == "test" else "Tr"
        for index, image in enumerate(one.case.images):
            copy_file(image, out / f"images{part}" / f"{one.case.name}_{index:04d}{ending}")
        if one.case.label_map is not None:
            copy_file(one.case.label_map, out / f"labels{part}" / f"{one.case.name}{ending}")
    content: dict[str, Any] = {
        "channel_names": {str(n): name for n, name in enumerate(description.channels)},
        "labels": description.labels,
        "numTraining": len(training),
        "file_ending": ending,
        "name": out.name.partition("_")[2] or out.name,
        "description": _described(cases),
    }
    write_text(out / FILE_NAME, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    write_text(out / SPLITS, json.dumps(folds, indent=2) + "\n")
    notes = [f"after nnUNetv2_plan_and_preprocess copy {SPLITS} to nnUNet_preprocessed/{out.name}"]
    left = sorted({c.name for c in training} - {n for fold in folds for n in fold["train"]})
    if left:
        notes.append(f"{len(left)} synthetic cases of validation subjects train in no fold")
    return notes


def splits(cases: Sequence[Case], seed: int = 0) -> list[dict[str, list[str]]]:
    """Folds by subject: real cases validate, and nothing made from a validating subject trains.

    A synthetic case is made from a subject if it is of that subject or names a case of it as its
    parent.

    >>> from pathlib import Path
    >>> real = [Case(f"c{n}", (), None, f"s{n}") for n in range(5)]
    >>> made = Case("m", (), None, "s2", provenance_file=Path("m.json"))
    >>> folds = splits([*real, made])
    >>> [("m" in fold["train"]) == ("c2" not in fold["val"]) for fold in folds]
    [True, True, True, True, True]
    >>> any("m" in fold["val"] for fold in folds)
    False
    """
    real = [case for case in cases if not case.synthetic]
    subject_of = {case.name: case.subject for case in cases}
    marked = {case.subject for case in real if case.split == "val"}
    subjects = sorted({case.subject for case in real})
    if marked:
        held_out = [marked]
    else:
        if len(subjects) < FOLDS:
            fault = f"has {len(subjects)} real subjects, too few for {FOLDS} folds"
            raise InputError("splits", fault, "mark some as val with vesalius cohort split")
        np.random.default_rng(seed).shuffle(subjects)
        held_out = [set(subjects[fold::FOLDS]) for fold in range(FOLDS)]
    return [
        {
            "train": sorted(c.name for c in cases if not _from(c, validating, subject_of)),
            "val": sorted(c.name for c in real if c.subject in validating),
        }
        for validating in held_out
    ]


def _from(case: Case, subjects: set[str], subject_of: dict[str, str]) -> bool:
    """Whether a case is of, or was made from, any of these subjects."""
    parent = ""
    if case.provenance_file is not None and case.provenance_file.is_file():
        parent = str(case.provenance().get("parent") or "")
    return bool({case.subject, subject_of.get(parent, parent)} & subjects)


def _described(cases: Sequence[ExportCase]) -> str:
    synthetic = sum(one.case.synthetic for one in cases)
    real = len(cases) - synthetic
    kind = "phantoms" if cases[0].cohort.description.origin == "phantom" else "real cases"
    return f"{real} {kind} and {synthetic} synthetic cases, exported by Vesalius"
