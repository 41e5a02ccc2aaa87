"""A case: one image, its label map if there is one, its attributes, and where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.scans.description import Description
from vesalius.scans.formats.json_file import OBJECT, read_json
from vesalius.scans.formats.nifti import read_nifti
from vesalius.scans.input_error import InputError
from vesalius.scans.volume import Volume


@dataclass(frozen=True)
class Case:
    """Where a case lies on disk and what `cases.csv` says of it. Nothing is read yet."""

    name: str
    images: tuple[Path, ...]
    label_map: Path | None
    subject: str
    visit: str = ""
    split: str = ""
    attributes: Mapping[str, float] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)
    provenance_file: Path | None = None

    @property
    def synthetic(self) -> bool:
        """Whether a run made this case. Synthetic cases carry a provenance file."""
        return self.provenance_file is not None

    def provenance(self) -> dict[str, Any]:
        """Request, measured attributes, seed, run and parent; empty for a real case."""
        if self.provenance_file is None:
            return {}
        return read_json(self.provenance_file, OBJECT, "generate the case again")

    def images_digest(self) -> str:
        """A few digits of the image files, by which two cases of one name are told apart."""
        return images_digest(self.images)


def images_digest(images: Sequence[Path]) -> str:
    """A few digits of what image files hold; those that are not there count for nothing."""
    digest = hashlib.sha256()
    for path in images:
        if path.exists():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Scan:
    """A case that was read: one volume a channel."""

    channels: tuple[Volume, ...]


@dataclass(frozen=True, eq=False)
class LabelledScan(Scan):
    """A scan with a label map in the same geometry."""

    label_map: Volume


def read_label_map(path: Path, description: Description) -> Volume:
    """Read a label map as uint8 or int16 voxels and hold it against the cohort's labels.

    Raises:
        InputError: for values that are no whole numbers or unknown to `dataset.json`, or if all
            voxels are background.
    """
    raw = read_nifti(path)
    values = np.unique(raw.voxels)
    unknown = sorted(set(values.tolist()) - {float(v) for v in description.labels.values()})
    if unknown:
        listed = ", ".join(f"{value:g}" for value in unknown[:5])
        raise InputError(path, f"holds label {listed}, unknown to dataset.json", "name it there")
    if not values.any():
        raise InputError(path, "is an empty label map", "draw the labels or leave the case out")
    smallest = np.uint8 if max(description.labels.values()) < 256 else np.int16
    return Volume(raw.voxels.astype(smallest), raw.affine)


def read_images(case: Case) -> Scan:
    """Read the images of a case and check them against each other.

    Raises:
        InputError: naming the file, the fault and the remedy, as soon as one is found.
    """
    channels = tuple(read_nifti(path) for path in case.images)
    for path, image in zip(case.images, channels, strict=True):
        if image.shape != channels[0].shape or not image.same_geometry(channels[0]):
            fault = f"lies in another space than {case.images[0].name}"
            raise InputError(path, fault, "resample all channels into one space")
        _require_varied(path, image)
    return Scan(channels)


def read_case(case: Case, description: Description) -> LabelledScan:
    """Read the images and the label map of a case and check them against each other.

    Raises:
        InputError: naming the file, the fault and the remedy, as soon as one is found.
    """
    if case.label_map is None:
        fault = "has no label map in labelsTr"
        raise InputError(case.images[0], fault, "add it there or leave the case out")
    label_map = read_label_map(case.label_map, description)
    channels = tuple(read_nifti(path) for path in case.images)
    for path, image in zip(case.images, channels, strict=True):
        if image.shape != label_map.shape:
            fault = f"has shape {image.shape}, its label map {label_map.shape}"
            raise InputError(path, fault, "resample the label map onto the image")
        if not image.same_geometry(label_map):
            fault = "has another affine than its label map"
            raise InputError(path, fault, "export both in the same space")
        _require_varied(path, image)
    return LabelledScan(channels, label_map)


def _require_varied(path: Path, image: Volume) -> None:
    if image.voxels.min() == image.voxels.max():
        fault = f"is constant ({image.voxels.flat[0]:g} everywhere)"
        raise InputError(path, fault, "export it again")
