"""Masks of findings beside a cohort: where each is, which may overlap, unlike labels.

A finding that a case has may lie in `masks/<finding>/<case>.nii.gz`, in the space of its image;
cases without it have no such file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vesalius.scans.formats.nifti import read_nifti, write_nifti
from vesalius.scans.input_error import InputError
from vesalius.scans.volume import Volume
from vesalius.scans.writing import make_folder


def mask_path(folder: str | Path, finding: str, case: str) -> Path:
    """Where the mask of a finding of a case lies.

    >>> mask_path("chests", "nodule", "chest_0001").as_posix()
    'chests/masks/nodule/chest_0001.nii.gz'
    """
    return Path(folder) / "masks" / finding / f"{case}.nii.gz"


def write_masks(folder: str | Path, case: str, masks: Mapping[str, Volume]) -> None:
    """Write the masks of a case."""
    for finding, mask in masks.items():
        path = mask_path(folder, finding, case)
        make_folder(path.parent)
        write_nifti(mask, path, np.uint8, "")


def read_mask(folder: str | Path, finding: str, case: str, image: Volume) -> Volume | None:
    """The mask of a finding of a case, `None` if there is no such file.

    Raises:
        InputError: if it lies in another space than the image.
    """
    path = mask_path(folder, finding, case)
    if not path.is_file():
        return None
    mask = read_nifti(path)
    if mask.shape != image.shape or not mask.same_geometry(image):
        raise InputError(path, "lies in another space than its image", "resample it onto the image")
    return Volume((mask.voxels > 0).astype(np.uint8), mask.affine)
