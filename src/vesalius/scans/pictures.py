"""Single pictures in and out of files: PNG, JPEG, DICOM, NIfTI, as arrays of intensities."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from vesalius.scans.formats.content import require_file
from vesalius.scans.formats.dicom import read_dicom
from vesalius.scans.formats.nifti import read_nifti
from vesalius.scans.formats.raster import ENDINGS, read_raster
from vesalius.scans.input_error import InputError
from vesalius.scans.intensity import to_unit_range
from vesalius.scans.volume import Volume
from vesalius.scans.writing import replacing

LARGEST_SIDE = 4096


def picture_of(volume: Volume) -> np.ndarray:
    """A volume one voxel thick as rows from top to bottom, the patient's right side on the left.

    >>> affine = np.diag([1.0, 1.0, 1.0, 1.0])
    >>> voxels = np.zeros((4, 1, 3)); voxels[0, 0, 2] = 1  # left, at the top
    >>> picture_of(Volume(voxels, affine))[0].tolist()
    [0.0, 0.0, 0.0, 1.0]
    """
    upright = volume.oriented("RAS")
    thin = int(np.argmin(upright.shape))
    if upright.shape[thin] != 1:
        raise ValueError(f"a picture is one voxel thick, not of shape {upright.shape}")
    flat = np.take(upright.voxels, 0, axis=thin)
    turned: np.ndarray = np.ascontiguousarray(flat.T[::-1, ::-1])
    return turned


def read_picture(path: Path) -> np.ndarray:
    """Intensities `(H, W)` of a PNG, JPEG, TIFF, DICOM or flat NIfTI file, dense being bright.

    Colour is made grey, and DICOM's rescaling and inverted greys are undone.

    Raises:
        InputError: for a file that cannot be read, or holds no single picture.
    """
    require_file(path, sys.maxsize, "correct the table, or add the file")
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        volume = read_nifti(path)
        if 1 not in volume.shape:
            raise InputError(
                path, f"has shape {volume.shape}, no picture", "give a slice one voxel thick"
            )
        return picture_of(volume)
    return read_raster(path) if name.endswith(ENDINGS) else read_dicom(path)


def standard(picture: np.ndarray, side: int | None = None) -> np.ndarray:
    """Intensities between the 0.5th and the 99.5th percentile in [0, 1], in a square of `side`.

    What is not square is set on black; averaged where pixels become fewer.

    >>> standard(np.arange(32.0).reshape(4, 8), side=4).shape
    (4, 4)
    """
    if side is not None and not 1 <= side <= LARGEST_SIDE:
        raise InputError("side", f"{side} pixels are out of range", f"ask for 1 to {LARGEST_SIDE}")
    scaled = to_unit_range(picture).astype(np.float32)
    if side is None or scaled.shape == (side, side):
        return scaled
    # Sized before it is set on black: a strip never takes the memory of its square.
    height, width = (max(1, round(n * side / max(scaled.shape))) for n in scaled.shape)
    sized = np.asarray(Image.fromarray(scaled).resize((width, height), Image.Resampling.BILINEAR))
    margins = [((side - n) // 2, side - n - (side - n) // 2) for n in sized.shape]
    result: np.ndarray = np.pad(sized, margins)
    return result


def write_picture(picture: np.ndarray, path: Path) -> None:
    """Write `(H, W)` greys or `(H, W, 3)` colours in [0, 1] as PNG."""
    levels = (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
    with replacing(path) as partial:
        Image.fromarray(levels).save(partial)
