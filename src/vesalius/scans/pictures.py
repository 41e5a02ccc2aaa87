"""Single pictures in and out of files: PNG, JPEG, DICOM, NIfTI, as arrays of intensities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch.nn import functional

from vesalius.scans.fault import Refused, refused_if_unwritable
from vesalius.scans.nifti import read_nifti
from vesalius.scans.volume import Volume

ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


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
        Refused: for a file that cannot be read, or holds no single picture.
    """
    if not path.is_file():
        raise Refused(path, "does not exist", "correct the table, or add the file")
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        volume = read_nifti(path)
        if 1 not in volume.shape:
            raise Refused(
                path, f"has shape {volume.shape}, no picture", "give a slice one voxel thick"
            )
        return picture_of(volume)
    return _raster(path) if name.endswith(ENDINGS) else _dicom(path)


def _raster(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            grey = (
                image if image.mode in ("L", "I", "F") or "16" in image.mode else image.convert("L")
            )
            return np.asarray(grey, dtype=np.float32)
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise Refused(path, f"is no readable picture ({error})", "export it again") from error


def _dicom(path: Path) -> np.ndarray:
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError
    from pydicom.pixels import apply_modality_lut

    try:
        content = dcmread(path)
        frame = np.asarray(apply_modality_lut(content.pixel_array, content), dtype=np.float32)
    except (
        InvalidDicomError,
        AttributeError,
        RuntimeError,
        ValueError,
    ) as error:
        remedy = "export it as uncompressed DICOM or PNG"
        raise Refused(path, f"holds no readable picture ({error})", remedy) from error
    if frame.ndim != 2:
        raise Refused(path, f"holds pixels of shape {frame.shape}", "give a single grey frame")
    inverted = str(content.get("PhotometricInterpretation", "")) == "MONOCHROME1"
    return frame.max() - frame if inverted else frame


def standard(picture: np.ndarray, side: int | None = None) -> np.ndarray:
    """Intensities between the 0.5th and the 99.5th percentile in [0, 1], in a square of `side`.

    What is not square is set on black; averaged where pixels become fewer.

    >>> standard(np.arange(32.0).reshape(4, 8), side=4).shape
    (4, 4)
    """
    low, high = np.percentile(picture, [0.5, 99.5])
    scaled = np.clip((picture - low) / max(high - low, 1e-9), 0, 1).astype(np.float32)
    if side is None or scaled.shape == (side, side):
        return scaled
    longest = max(scaled.shape)
    margins = [((longest - n) // 2, longest - n - (longest - n) // 2) for n in scaled.shape]
    square = torch.from_numpy(np.pad(scaled, margins))[None, None]
    sized = functional.interpolate(
        square, (side, side), mode="bilinear", align_corners=False, antialias=True
    )
    found: np.ndarray = sized[0, 0].numpy()
    return found


def write_picture(picture: np.ndarray, path: Path) -> None:
    """Write `(H, W)` greys or `(H, W, 3)` colours in [0, 1] as PNG."""
    levels = (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
    with refused_if_unwritable(path):
        Image.fromarray(levels).save(path)
