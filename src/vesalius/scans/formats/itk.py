"""MetaImage and NRRD files as volumes, through SimpleITK."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.scans.formats.content import refused_if_damaged, require_file
from vesalius.scans.formats.nifti import LARGEST_VOXEL_COUNT, require_geometry
from vesalius.scans.input_error import InputError
from vesalius.scans.volume import Volume

ENDINGS = (".mha", ".mhd", ".nrrd", ".nhdr")


def lps_to_ras(affine: np.ndarray) -> np.ndarray:
    """An affine to the LPS axes of ITK and DICOM as one to RAS; the same the other way."""
    turned: np.ndarray = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    return turned


def read_itk(path: Path, frame: int | None = None) -> Volume:
    """One volume as float32 `(X, Y, Z)`; of several components or frames, the one asked for.

    Raises:
        InputError: without SimpleITK, for a damaged file, colours, impossible geometry or size, or
            voxels that are no numbers.
    """
    require_file(path, sys.maxsize)
    reader = _header(path)
    size = [int(side) for side in reader.GetSize()]
    if len(size) not in (2, 3, 4):
        raise InputError(path, f"has {len(size)} axes", "export it as a volume")
    if math.prod(size) > LARGEST_VOXEL_COUNT:
        fault = f"promises {math.prod(size):.0e} voxels"
        raise InputError(path, fault, "its header is damaged: export it again")
    with refused_if_damaged(path, "is damaged", "copy it again from its source"):
        image = reader.Execute()
        affine = _affine(image, min(3, len(size)))
        voxels = _frames(path, image)
    if frame is None and len(voxels) > 1:
        raise InputError(path, f"holds {len(voxels)} volumes", "name the one that is meant")
    if not 0 <= (frame or 0) < len(voxels):
        raise InputError(path, f"has no volume {frame}", f"it holds {len(voxels)}, from 0")
    require_geometry(path, affine)
    chosen = np.ascontiguousarray(voxels[frame or 0], dtype=np.float32)
    bad = int(chosen.size - np.isfinite(chosen).sum())
    if bad:
        raise InputError(path, f"holds {bad} NaN or infinite voxels", "replace them by numbers")
    return Volume(chosen, affine)


def itk_frames(path: Path) -> int:
    """How many volumes a file holds: components of a voxel, or the fourth axis."""
    reader = _header(path)
    size = reader.GetSize()
    return int(reader.GetNumberOfComponents()) * (int(size[3]) if len(size) == 4 else 1)


def _header(path: Path) -> Any:
    try:
        import SimpleITK
    except ImportError as error:
        remedy = "pip install 'vesalius[formats]', or convert it to .nii.gz"
        raise InputError(path, "needs SimpleITK to be read", remedy) from error
    with refused_if_damaged(path, "is not readable", "copy it again from its source"):
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
    return reader


def _frames(path: Path, image: Any) -> np.ndarray:
    """Voxels `(N, X, Y, Z)` of all components or frames."""
    import SimpleITK

    voxels = SimpleITK.GetArrayFromImage(image)  # axes fall: (T, Z, Y, X, C)
    if image.GetNumberOfComponentsPerPixel() > 1:
        if image.GetDimension() == 4:
            raise InputError(path, "has colours in every frame", "export one grey channel")
        voxels = np.moveaxis(voxels, -1, 0)
    elif image.GetDimension() < 4:
        voxels = voxels[None]
    if image.GetDimension() == 2:
        voxels = voxels[:, None]
    return np.moveaxis(voxels, (1, 2, 3), (3, 2, 1))


def _affine(image: Any, axes: int) -> np.ndarray:
    dimension = image.GetDimension()
    directions = np.array(image.GetDirection()).reshape(dimension, dimension)[:axes, :axes]
    affine = np.eye(4)
    affine[:axes, :axes] = directions * np.array(image.GetSpacing())[:axes]
    affine[:axes, 3] = np.array(image.GetOrigin())[:axes]
    return lps_to_ras(affine)
