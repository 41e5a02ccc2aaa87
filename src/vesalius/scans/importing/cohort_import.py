"""A folder as somebody keeps it, recognised, and written as a cohort; the source is only read."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from vesalius.scans.cohort import FIXED_COLUMNS, Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.computing import chosen_workers
from vesalius.scans.description import Description
from vesalius.scans.executor import each
from vesalius.scans.formats.nifti import write_nifti
from vesalius.scans.formats.volume_file import NIFTI_ENDINGS, read_volume
from vesalius.scans.importing.found import Found, FoundCase, ImportOptions, Layout
from vesalius.scans.importing.layouts import LAYOUTS
from vesalius.scans.importing.sources import LabelFile, linkable
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.output import Made, digest_of, require_apart
from vesalius.scans.progress import Progress, no_progress
from vesalius.scans.volume import Volume
from vesalius.scans.writing import replacing

MOST_LABELS = 1000
SHORT = np.iinfo(np.int16)


@dataclass(frozen=True)
class Imported:
    """A cohort that was imported, and what of the source is not in it."""

    cohort: Cohort
    found: Found
    left_out: tuple[InputProblem, ...]


def find(
    source: Path, options: ImportOptions, layout: str = "auto", progress: Progress = no_progress
) -> Found:  # fmt: skip
    """What lies in a source, by its own layout or the first that fits.

    Raises:
        InputError: for a source that is not there, or in which nothing can be imported.
    """
    if not source.exists():
        raise InputError(source, "does not exist", "check the path")
    by_pattern = any("{subject}" in channel for channel in options.channels)
    name = "patterns" if layout == "auto" and by_pattern else layout
    return _layout(source, name).find(source, options, progress)


def _layout(source: Path, name: str) -> Layout:
    if name != "auto":
        if name not in LAYOUTS:
            raise InputError("--layout", f"{name} is not known", f"one of {', '.join(LAYOUTS)}")
        return LAYOUTS[name]
    return next((one for one in LAYOUTS.values() if one.recognise(source)), LAYOUTS["dicom"])


def write_found(
    found: Found, source: Path, out: Path, options: ImportOptions, copy: bool = False,
    progress: Progress = no_progress,
) -> Imported:  # fmt: skip
    """Write what was found as a cohort, or complete one that was left unfinished.

    Files that are usable as they are become links, all others are written as NIfTI; affines stay,
    and voxels that are whole numbers are written as such.

    Args:
        found: in the source.
        source: that is read.
        out: folder of the cohort.
        options: that it was found with.
        copy: copy files that could be linked.
        progress: called after each case.

    Raises:
        InputError: where not one case could be imported, or the folder is no place for it.
    """
    require_apart(out, source)
    if found.labels is None:
        found = replace(found, labels=_labels_seen(found, progress))
    ending = _ending(found.cases)
    labels = options.renamed(found.labels or {})
    found = replace(found, labels=labels)
    declared = tuple(a for a in found.attributes if set(a.labels) <= set(labels))
    description = Description(found.channels, labels, ending, declared)
    columns = _columns(found.cases)
    made: Made = {
        "command": "import", "source": digest_of(source), "layout": found.layout,
        "channels": ",".join(options.channels), "labels": options.labels,
        "names": ",".join(options.names), "fold": options.fold, "gaps": options.gaps,
    }  # fmt: skip
    left_out = list(found.left_out)
    with CohortWriter(out, description, columns, made, (source,)) as writer:
        missing = [case for case in found.cases if case.name not in writer.done]
        write = partial(_write_case, str(writer.folder), ending, labels, copy)
        results = each(write, missing, "importing cases", progress, chosen_workers(1))
        for case, problem in zip(missing, results, strict=True):
            if problem is not None:
                left_out.append(problem)
                _remove(writer.folder, case, ending)
                continue
            writer.add_row(case.name, case.subject, case.cells, case.visit, case.split)
        if not writer.done:
            first = left_out[0]
            raise InputError(first.file, first.fault, first.remedy)
        cohort = writer.finish()
    return Imported(cohort, found, tuple(left_out))


def _write_case(
    folder: str, ending: str, labels: Mapping[str, int], copy: bool, case: FoundCase
) -> InputProblem | None:
    """The files of one case; what is wrong with it, if anything is.

    Raises:
        InputError: where nothing can be written, which is no fault of the case.
    """
    try:
        images, label_map = _read_case(case, labels)
    except InputError as refusal:
        return refusal.fault
    for index, (source, image) in enumerate(zip(case.images, images, strict=True)):
        same = Volume(image.voxels, images[0].affine)
        path = Path(folder) / "imagesTr" / f"{case.name}_{index:04d}{ending}"
        _put(path, same if index else image, linkable(source, ending), copy)
    if label_map is not None:
        path = Path(folder) / "labelsTr" / f"{case.name}{ending}"
        same = Volume(label_map.voxels, images[0].affine)
        _put(path, same, linkable(case.labels, ending), copy)
    return None


def _read_case(case: FoundCase, labels: Mapping[str, int]) -> tuple[list[Volume], Volume | None]:
    """Channels and label map of a case, held against each other."""
    images = [source.read() for source in case.images]
    for source, image in zip(case.images, images, strict=True):
        if image.shape != images[0].shape or not image.same_geometry(images[0], 1e-2):
            fault = f"lies in another space than {case.images[0].place.name}"
            raise InputError(source.place, fault, "resample all channels into one space")
        if image.voxels.min() == image.voxels.max():
            raise InputError(source.place, "is constant", "leave it out")
    if case.labels is None:
        return images, None
    label_map = case.labels.read(images[0], labels)
    if not label_map.voxels.any():
        raise InputError(case.labels.place, "is an empty label map", "leave it out")
    return images, label_map


def _put(path: Path, volume: Volume, file: Path | None, copy: bool) -> None:
    """A link to a file that is usable as it is, else the volume."""
    with replacing(path) as partial_:
        if file is None:
            write_nifti(volume, partial_, _whole_type(volume.voxels))
        elif copy:
            shutil.copyfile(file, partial_)
        else:
            try:
                partial_.symlink_to(file.resolve())
            except OSError:  # a file system without links
                shutil.copyfile(file, partial_)


def _whole_type(voxels: np.ndarray) -> type:
    """The smallest type that keeps every voxel."""
    if voxels.dtype.kind in "ui":
        return voxels.dtype.type
    whole = bool((voxels == np.round(voxels)).all())
    fits = whole and voxels.min() >= SHORT.min and voxels.max() <= SHORT.max
    return np.int16 if fits else np.float32


def _remove(folder: Path, case: FoundCase, ending: str) -> None:
    """What an earlier run may have left of a case that cannot be imported."""
    for index in range(len(case.images)):
        (folder / "imagesTr" / f"{case.name}_{index:04d}{ending}").unlink(missing_ok=True)
    (folder / "labelsTr" / f"{case.name}{ending}").unlink(missing_ok=True)


def _ending(cases: Sequence[FoundCase]) -> str:
    """`.nii` where all files of the source are so and can be linked, else `.nii.gz`."""
    plain = all(
        linkable(source, NIFTI_ENDINGS[1]) for case in cases
        for source in (*case.images, *filter(None, [case.labels]))
    )  # fmt: skip
    return NIFTI_ENDINGS[1] if plain else NIFTI_ENDINGS[0]


def _columns(cases: Sequence[FoundCase]) -> tuple[str, ...]:
    named = dict.fromkeys(name for case in cases for name in case.cells)
    return tuple(name for name in named if name and name not in FIXED_COLUMNS)


def _labels_seen(found: Found, progress: Progress) -> dict[str, int]:
    """Numbers by name of label maps that come without names."""
    files = [case.labels.path for case in found.cases if isinstance(case.labels, LabelFile)]
    values: set[int] = set()
    for own in each(_values, files, "looking for labels", progress, chosen_workers(1)):
        values |= own
    if len(values) > MOST_LABELS or any(not 0 <= value < SHORT.max for value in values):
        fault = f"holds {len(values)} values up to {max(values)}, no labels"
        raise InputError(files[0], fault, "point --labels at label maps")
    return {"background": 0} | {f"label_{value}": value for value in sorted(values - {0})}


def _values(path: Path) -> set[int]:
    """Whole numbers in a label map; none of a file that cannot be read, which is listed later."""
    try:
        seen = np.unique(read_volume(path).voxels)
    except InputError:
        return set()
    return {int(value) for value in seen if value == round(float(value))}
