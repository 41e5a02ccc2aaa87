"""A volume from a file of any known format, told by its ending."""

from __future__ import annotations

import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from vesalius.scans.formats.content import refused_if_damaged, require_file
from vesalius.scans.formats.itk import ENDINGS as ITK_ENDINGS
from vesalius.scans.formats.itk import itk_frames, read_itk
from vesalius.scans.formats.nifti import nifti_frames, read_nifti, require_geometry
from vesalius.scans.formats.raster import ENDINGS as PICTURE_ENDINGS
from vesalius.scans.formats.raster import read_raster
from vesalius.scans.input_error import InputError
from vesalius.scans.volume import Volume

NIFTI_ENDINGS = (".nii.gz", ".nii")
OTHER_ENDINGS = (".img", ".mgz", ".mgh", ".mnc", ".par")
"""Read by nibabel: Analyze and NIfTI pairs, FreeSurfer, MINC, Philips PAR/REC."""

ENDINGS = (*NIFTI_ENDINGS, *ITK_ENDINGS, *OTHER_ENDINGS, *PICTURE_ENDINGS)


def ending_of(path: Path) -> str:
    """The known ending of a file name, empty if it is none.

    >>> ending_of(Path("scan.nii.gz")), ending_of(Path("Scan.MHA")), ending_of(Path("notes.txt"))
    ('.nii.gz', '.mha', '')
    """
    name = path.name.lower()
    return next((ending for ending in ENDINGS if name.endswith(ending)), "")


def read_volume(path: Path, frame: int | None = None) -> Volume:
    """One volume as float32 `(X, Y, Z)`.

    Args:
        path: of the file.
        frame: which volume of a series, from 0; without it a series is refused.

    Raises:
        InputError: for a format that is not known, or what is wrong with the file.
    """
    ending = ending_of(path)
    if ending in NIFTI_ENDINGS:
        return read_nifti(path, frame)
    if ending in ITK_ENDINGS:
        return read_itk(path, frame)
    if ending in PICTURE_ENDINGS:
        return frontal(read_raster(path))
    if ending in OTHER_ENDINGS:
        return _read_other(path, frame)
    raise InputError(path, "is of no format that is read", "convert it to .nii.gz")


def frames_in(path: Path) -> int:
    """How many volumes a file holds, of which no voxel is read."""
    ending = ending_of(path)
    if ending in NIFTI_ENDINGS:
        return nifti_frames(path)
    return itk_frames(path) if ending in ITK_ENDINGS else 1


def frontal(picture: np.ndarray, pixel_mm: tuple[float, float] = (1.0, 1.0)) -> Volume:
    """A picture `(H, W)` as a coronal volume `(W, 1, H)`, the patient's right side on its left.

    Args:
        picture: rows from top to bottom.
        pixel_mm: height and width of a pixel.

    >>> volume = frontal(np.arange(6.0).reshape(2, 3))
    >>> volume.shape, volume.orientation
    ((3, 1, 2), 'LAI')
    """
    affine = np.diag([-pixel_mm[1], 1.0, -pixel_mm[0], 1.0])
    affine[0, 3] = pixel_mm[1] * (picture.shape[1] - 1)
    affine[2, 3] = pixel_mm[0] * (picture.shape[0] - 1)
    return Volume(np.ascontiguousarray(picture.T[:, None], dtype=np.float32), affine)


def _read_other(path: Path, frame: int | None) -> Volume:
    require_file(path, sys.maxsize)
    beside = [path.with_suffix(one) for one in (".REC", ".rec")]
    if path.suffix.lower() == ".par" and not any(one.is_file() for one in beside):
        raise InputError(path, f"lacks {beside[0].name}, its voxels", "put it beside")
    with (
        refused_if_damaged(path, "is not readable", "convert it to .nii.gz"),
        nib.imageglobals.LoggingOutputSuppressor(),
    ):
        image = nib.load(path)
        if not isinstance(image, nib.spatialimages.SpatialImage):
            raise InputError(path, "is no image", "give a scan")
        voxels = np.asarray(image.dataobj, dtype=np.float32)
        affine = np.asarray(image.affine, dtype=np.float64)
    while voxels.ndim > 3 and voxels.shape[-1] == 1:
        voxels = voxels[..., 0]
    if voxels.ndim == 4 and frame is not None and frame < voxels.shape[3]:
        voxels = voxels[..., frame]
    if voxels.ndim != 3:
        fault = f"is of shape {voxels.shape}, no single volume"
        raise InputError(path, fault, "split it into one 3D file each")
    require_geometry(path, affine)
    if not np.isfinite(voxels).all():
        raise InputError(path, "holds NaN or infinite voxels", "replace them by numbers")
    return Volume(voxels, affine)
