"""The Medical Segmentation Decathlon and all that took its `dataset.json`, such as nnU-Net v1.

The form is that of Antonelli et al. 2022, "The Medical Segmentation Decathlon": `modality` and
`labels` by number, `training` and `validation` as pairs of image and label, `test` as images; files
of several modalities have a fourth axis. AMOS 2022 comes in it, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vesalius.scans.formats.json_file import OBJECT, read_json
from vesalius.scans.formats.volume_file import NIFTI_ENDINGS, ending_of, frames_in
from vesalius.scans.importing.found import (
    Found,
    FoundCase,
    ImportOptions,
    Layout,
    require_cases,
)
from vesalius.scans.importing.layouts.nnunet import files_by_case
from vesalius.scans.importing.names import label_name, safe_name
from vesalius.scans.importing.sources import ImageFile, LabelFile
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress, track

PARTS = (("training", ""), ("validation", "val"), ("test", "test"))


def find_decathlon(source: Path, options: ImportOptions, progress: Progress) -> Found:
    """All cases that `dataset.json` lists; a channel a frame, or a channel a file in nnU-Net v1."""
    path = source / "dataset.json"
    content = read_json(path, OBJECT)
    channels = tuple(str(name) for _, name in sorted(_numbered(path, content, "modality").items()))
    labels = {"background": 0}
    for number, name in sorted(_numbered(path, content, "labels").items()):
        if number != 0:
            labels[label_name(str(name))] = number
    cases, left_out = [], []
    listed = list(_listed(source, content))
    for image, label_map, split in track(listed, "looking at cases", len(listed), progress):
        try:
            images = _images(image, len(channels))
        except InputError as refusal:
            left_out.append(refusal.fault)
            continue
        name = safe_name(image.name.removesuffix(ending_of(image)))
        if label_map is not None and not label_map.is_file():
            left_out.append(InputProblem(str(label_map), "is missing", "add it"))
            continue
        labels_of = None if label_map is None else LabelFile(label_map)
        cases.append(FoundCase(name, name, images, labels_of, "", split))
    require_cases(source, cases, left_out, "check the paths in dataset.json")
    title = "Medical Segmentation Decathlon form"
    return Found(title, channels, labels, tuple(cases), tuple(left_out))


def _images(image: Path, channels: int) -> tuple[ImageFile, ...]:
    """The channels of a case: its frames, or files numbered as in nnU-Net v1."""
    ending = ending_of(image) or ".nii.gz"
    if not image.is_file():
        stem = image.name.removesuffix(ending)
        numbered = files_by_case(image.parent, ending).get(stem, [])
        if len(numbered) == channels:
            return tuple(ImageFile(path) for path in numbered)
        raise InputError(image, "does not exist", "check the paths in dataset.json")
    frames = frames_in(image)
    if frames != channels:
        fault = f"holds {frames} volumes, dataset.json names {channels} modalities"
        raise InputError(image, fault, "correct modality there")
    if channels == 1 and ending in NIFTI_ENDINGS:
        return (ImageFile(image),)
    return tuple(ImageFile(image, frame) for frame in range(channels))


def _listed(source: Path, content: Mapping[str, Any]) -> Iterator[tuple[Path, Path | None, str]]:
    """Image, label map and split of each case, in the order of the file."""
    for part, split in PARTS:
        for entry in content.get(part) or ():
            if isinstance(entry, str):
                yield _inside(source, entry), None, split
            elif isinstance(entry, dict) and isinstance(entry.get("image"), str):
                label = entry.get("label")
                yield (
                    _inside(source, entry["image"]),
                    _inside(source, label) if isinstance(label, str) else None, split,
                )  # fmt: skip
            else:
                fault = f"lists {part} in another form"
                remedy = 'write {"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}'
                raise InputError(source / "dataset.json", fault, remedy)


def _inside(source: Path, named: str) -> Path:
    """A path of the file, which may not lead out of its folder."""
    path = source / named
    if not path.resolve().is_relative_to(source.resolve()) and ".." in Path(named).parts:
        fault = f"names {named}, outside its folder"
        raise InputError(source / "dataset.json", fault, "keep images in the data set")
    return path


def _numbered(path: Path, content: Mapping[str, Any], name: str) -> dict[int, Any]:
    entries = content.get(name)
    try:
        return {int(number): entry for number, entry in entries.items()}  # type: ignore[union-attr]
    except (AttributeError, ValueError) as error:
        remedy = f'write "{name}": {{"0": "…"}}'
        raise InputError(path, f"has no {name} by number", remedy) from error


def _recognise(source: Path) -> bool:
    if not (source / "dataset.json").is_file():
        return False
    content = read_json(source / "dataset.json", OBJECT)
    return "modality" in content and "training" in content


DECATHLON = Layout(
    "decathlon", "Medical Segmentation Decathlon, AMOS, nnU-Net v1", _recognise, find_decathlon
)
