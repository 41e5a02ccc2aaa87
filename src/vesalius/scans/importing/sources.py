"""Where channels and label maps come from: image files, label files, a file a structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vesalius.scans.formats.volume_file import ending_of, read_volume
from vesalius.scans.input_error import InputError
from vesalius.scans.volume import Volume


@dataclass(frozen=True)
class ImageFile:
    """A volume in a file of its own, or one of a series."""

    path: Path
    frame: int | None = None

    @property
    def place(self) -> Path:
        """The file."""
        return self.path

    def read(self) -> Volume:
        """Its voxels, or a refusal."""
        return read_volume(self.path, self.frame)


@dataclass(frozen=True)
class LabelFile:
    """A label map in a file of its own, whose numbers are those of the cohort."""

    path: Path

    @property
    def place(self) -> Path:
        """The file."""
        return self.path

    def read(self, image: Volume, labels: Mapping[str, int]) -> Volume:
        """The label map, which must lie in the space of the image."""
        raw = read_volume(self.path)
        require_space(self.path, raw, image)
        values = np.unique(raw.voxels)
        unknown = sorted(set(values.tolist()) - {float(v) for v in labels.values()})
        if unknown:
            listed = ", ".join(f"{value:g}" for value in unknown[:5])
            fault = f"holds label {listed}, which has no name"
            raise InputError(self.path, fault, "name it in the data set's own list of labels")
        return Volume(raw.voxels.astype(label_type(labels)), raw.affine)


@dataclass(frozen=True)
class MaskFiles:
    """A file a structure, none where it is not in the picture."""

    folder: Path
    masks: tuple[tuple[str, Path], ...]

    @property
    def place(self) -> Path:
        """The folder of the masks."""
        return self.folder

    def read(self, image: Volume, labels: Mapping[str, int]) -> Volume:
        """All masks as one label map in the space of the image."""
        masks = {}
        for name, path in self.masks:
            mask = read_volume(path)
            require_space(path, mask, image)
            masks[name] = mask.voxels > 0
        return merged(masks, image, labels)


def merged(masks: Mapping[str, np.ndarray], image: Volume, labels: Mapping[str, int]) -> Volume:
    """Masks `(X, Y, Z)` as one label map; where they overlap, the smaller structure is on top.

    >>> body, liver = np.ones((3, 1, 1)), np.array([0, 1, 0]).reshape(3, 1, 1)
    >>> image = Volume(np.zeros((3, 1, 1)), np.eye(4))
    >>> labels = {"background": 0, "liver": 1, "body": 2}
    >>> merged({"liver": liver, "body": body}, image, labels).voxels.ravel().tolist()
    [2, 1, 2]
    """
    result = np.zeros(image.shape, label_type(labels))
    sizes = {name: int(np.count_nonzero(mask)) for name, mask in masks.items()}
    for name in sorted(masks, key=lambda name: (-sizes[name], name)):
        result[masks[name] > 0] = labels[name]
    return Volume(result, image.affine)


def label_type(labels: Mapping[str, int]) -> type[np.generic]:
    """The smallest type that holds all numbers."""
    return np.uint8 if max(labels.values(), default=0) < 256 else np.int16


def require_space(path: Path, volume: Volume, image: Volume) -> None:
    """Refuse a label map of another space than its image."""
    if volume.shape != image.shape:
        fault = f"has shape {volume.shape}, its image {image.shape}"
        raise InputError(path, fault, "resample it onto the image")
    if not volume.same_geometry(image):
        raise InputError(path, "has another affine than its image", "export both in one space")


def linkable(source: object, ending: str) -> Path | None:
    """The file that may stand in a cohort as it is: a whole NIfTI file of the cohort's ending."""
    if isinstance(source, ImageFile | LabelFile) and ending_of(source.path) == ending:
        return None if getattr(source, "frame", None) is not None else source.path
    return None
