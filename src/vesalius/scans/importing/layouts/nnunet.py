"""nnU-Net v2 raw folders as they come: region labels, test images, splits, any file ending."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from vesalius.scans.attributes import Attribute
from vesalius.scans.formats.json_file import OBJECT, read_json
from vesalius.scans.formats.volume_file import ENDINGS
from vesalius.scans.importing.found import (
    Found,
    FoundCase,
    ImportOptions,
    Layout,
    require_cases,
)
from vesalius.scans.importing.names import column_name, label_name, safe_name
from vesalius.scans.importing.sources import ImageFile, LabelFile
from vesalius.scans.importing.tables import cells_of_cohort
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress

SPLITS = "splits_final.json"
PREPROCESSED = "nnUNet_preprocessed"
PARTS = (("imagesTr", "labelsTr", ""), ("imagesTs", "labelsTs", "test"))


def find_nnunet(source: Path, options: ImportOptions, progress: Progress) -> Found:
    """Training and test cases, with the split of one fold where there is `splits_final.json`."""
    content = read_json(source / "dataset.json", OBJECT)
    channels = _channels(source, content)
    labels, regions = read_labels(source / "dataset.json", content.get("labels"))
    ending = str(content.get("file_ending", ".nii.gz"))
    if ending not in ENDINGS:
        fault = f"asks for {ending} files"
        raise InputError(source / "dataset.json", fault, "convert them to .nii.gz")
    splits = _splits(source, options.fold)
    told = cells_of_cohort(source)
    cases, left_out = [], []
    for images, label_maps, split in PARTS:
        for name, files in files_by_case(source / images, ending).items():
            expected = [source / images / f"{name}_{i:04d}{ending}" for i in range(len(channels))]
            if files != expected:
                fault = f"has {len(files)} of {len(channels)} channels"
                left_out.append(InputProblem(str(files[0]), fault, "add the missing files"))
                continue
            label_map = source / label_maps / f"{name}{ending}"
            own = told.get(name)
            cases.append(
                FoundCase(
                    safe_name(name), own.subject if own else safe_name(name),
                    tuple(ImageFile(path) for path in files),
                    LabelFile(label_map) if label_map.is_file() else None,
                    own.visit if own else "", splits.get(name, (own and own.split) or split),
                    own.cells if own else {},
                )
            )  # fmt: skip
    require_cases(source, cases, left_out, "add images to imagesTr")
    attributes = tuple(
        Attribute(f"{column_name(name)}_volume_ml", "volume_ml", parts)
        for name, parts in regions.items() if len(parts) > 1
    )  # fmt: skip
    notes = [f"region {name} is {' + '.join(parts)}" for name, parts in regions.items()]
    return Found(
        "nnU-Net v2 raw", channels, labels, tuple(cases), tuple(left_out), tuple(notes),
        attributes,
    )  # fmt: skip


def read_labels(
    path: Path, entries: object
) -> tuple[dict[str, int], dict[str, tuple[str, ...]]]:  # fmt: skip
    """Numbers by name, and regions by name; a number that only regions hold takes the narrowest's.

    >>> brats = {"background": 0, "whole tumour": [1, 2, 3], "core": [2, 3], "enhancing": 3}
    >>> read_labels(Path("dataset.json"), brats)
    ({'background': 0, 'label_1': 1, 'label_2': 2, 'enhancing': 3}, {'whole_tumour': ('label_1',\
 'label_2', 'enhancing'), 'core': ('label_2', 'enhancing')})
    """
    if not isinstance(entries, Mapping) or not entries:
        remedy = 'add "labels": {"background": 0, "liver": 1}'
        raise InputError(path, "names no labels", remedy)
    parts = {str(name): _numbers(path, value) for name, value in entries.items()}
    ignored = {name for name in parts if name.lower() == "ignore"}
    values = sorted({value for own in parts.values() for value in own})
    single = {own[0]: name for name, own in parts.items() if len(own) == 1}
    labels = {"background": 0}
    for value in values:
        if value != 0:
            labels[label_name(single.get(value, f"label_{value}"))] = value
    by_value = {value: name for name, value in labels.items()}
    regions = {
        label_name(name): tuple(by_value[value] for value in own)
        for name, own in parts.items() if len(own) > 1 and name not in ignored and 0 not in own
    }  # fmt: skip
    return labels, regions


def _numbers(path: Path, value: Any) -> tuple[int, ...]:
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(type(one) is int and 0 <= one < 32768 for one in listed):
        raise InputError(path, f"has the label {value}", "number labels, or lists of numbers")
    return tuple(listed)


def _channels(source: Path, content: Mapping[str, Any]) -> tuple[str, ...]:
    named = content.get("channel_names")
    if not isinstance(named, dict) or not named:
        fault = "names no channels"
        raise InputError(source / "dataset.json", fault, 'add "channel_names": {"0": "T1"}')
    return tuple(str(named[key]) for key in sorted(named, key=lambda key: (len(key), key)))


def files_by_case(folder: Path, ending: str) -> dict[str, list[Path]]:
    """Files of each case, by channel."""
    result: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.endswith(ending) and not path.name.startswith("."):
            result.setdefault(path.name.removesuffix(ending)[:-5], []).append(path)
    return result


def _splits(source: Path, fold: int) -> dict[str, str]:
    """Split by case of one fold, from beside the data set or from nnU-Net's preprocessed folder."""
    path = next((place for place in _split_files(source) if place.is_file()), None)
    if path is None:
        return {}
    folds = read_json(path, TypeAdapter(list[dict[str, list[str]]]))
    if not 0 <= fold < len(folds):
        raise InputError(path, f"has {len(folds)} folds", f"ask for 0 to {len(folds) - 1}")
    result = {}
    for split in ("train", "val"):
        for name in folds[fold].get(split, ()):
            result[str(name)] = split
    return result


def _split_files(source: Path) -> Iterator[Path]:
    yield source / SPLITS
    yield source.parent.parent / PREPROCESSED / source.name / SPLITS


def _recognise(source: Path) -> bool:
    if not (source / "dataset.json").is_file() or not (source / "imagesTr").is_dir():
        return False
    return "channel_names" in read_json(source / "dataset.json", OBJECT)


NNUNET = Layout("nnunet", "nnU-Net v2 raw", _recognise, find_nnunet)
