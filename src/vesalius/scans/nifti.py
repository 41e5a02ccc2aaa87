"""NIfTI in and out, with every fault named before the voxels are used."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np

from vesalius.scans.fault import Refused, refused_if_unwritable
from vesalius.scans.volume import Volume

LARGEST_VOXEL_COUNT = 2**31
"""A header that promises more is taken for damaged: the largest clinical series hold 10⁹ voxels."""

_DAMAGED = (OSError, EOFError, zlib.error, ValueError, nib.filebasedimages.ImageFileError)


def read_nifti(path: str | Path) -> Volume:
    """Read one volume; voxels come as float32 `(X, Y, Z)`.

    Raises:
        Refused: if the file is missing, damaged, not an image, a series, of impossible geometry or
            size, or holds NaN or infinite voxels.

    >>> from vesalius.scans.nifti import write_nifti
    >>> import tempfile; folder = Path(tempfile.mkdtemp())
    >>> write_nifti(Volume(np.ones((2, 3, 4)), np.eye(4)), folder / "scan.nii.gz")
    >>> read_nifti(folder / "scan.nii.gz").shape
    (2, 3, 4)
    >>> read_nifti("nowhere.nii.gz")
    Traceback (most recent call last):
    vesalius.scans.fault.Refused: nowhere.nii.gz: does not exist; check the path
    """
    path = Path(path)
    image = _open(path)
    try:
        voxels = np.asarray(image.dataobj, dtype=np.float32)
    except _DAMAGED as error:
        raise Refused(path, f"is damaged ({error})", "copy it again from its source") from error
    voxels = voxels.reshape(voxels.shape[:3])
    bad = int(voxels.size - np.isfinite(voxels).sum())
    if bad:
        raise Refused(path, f"holds {bad} NaN or infinite voxels", "replace them by numbers")
    return Volume(voxels, np.asarray(image.affine, dtype=np.float64))


def write_nifti(volume: Volume, path: str | Path, dtype: type = np.float32, note: str = "") -> None:
    """Write one volume so that a kill or a full disk never leaves half a file.

    The same voxels give the same bytes. `note` goes to the header's description, 79 characters.

    Raises:
        Refused: if the place cannot be written or the disk is full.
    """
    path = Path(path)
    image = nib.Nifti1Image(np.asarray(volume.voxels, dtype=dtype), volume.affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = note.encode("ascii", "replace")[:79]
    image.set_sform(volume.affine, code="scanner")
    image.set_qform(volume.affine, code="scanner", strip_shears=True)
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        with refused_if_unwritable(path):
            nib.save(image, partial)
            os.replace(partial, path)
    finally:
        if partial.exists():
            partial.unlink()


def _open(path: Path) -> nib.Nifti1Image:
    """The image behind `path` with its header found plausible; its voxels are not yet read."""
    if not path.is_file():
        raise Refused(path, "does not exist", "check the path")
    header = _raw_header(path)
    shape = [int(n) for n in header["dim"][1 : 1 + int(header["dim"][0])]]
    spacing = [float(size) for size in header["pixdim"][1:4]]
    if len(shape) < 2 or any(n < 1 for n in shape):
        raise Refused(path, f"has no voxels (shape {shape})", "export it again as a volume")
    if any(n > 1 for n in shape[3:]):
        fault = f"is a series of shape {tuple(shape)}"
        raise Refused(path, fault, "split it into one 3D file for each volume or channel")
    count = float(np.prod([float(n) for n in shape]))
    if count > LARGEST_VOXEL_COUNT:
        raise Refused(
            path, f"promises {count:.0e} voxels", "its header is damaged: export it again"
        )
    if not all(np.isfinite(size) and size > 0 for size in spacing[: min(3, len(shape))]):
        raise Refused(path, f"has spacing {spacing} mm", "correct pixdim in its header")
    try:
        image = nib.load(path)
    except _DAMAGED as error:
        raise Refused(path, f"is not readable as NIfTI ({error})", "export it again") from error
    if not isinstance(image, nib.Nifti1Image | nib.Nifti2Image):
        raise Refused(path, "is an image, but not NIfTI", "convert it to .nii.gz")
    if len(image.shape) < 3:
        voxels = np.asarray(image.dataobj).reshape(*image.shape, 1)
        image = nib.Nifti1Image(voxels, image.affine, image.header)
    if not np.isfinite(image.affine).all() or abs(np.linalg.det(image.affine[:3, :3])) < 1e-9:
        raise Refused(path, "has an affine of no volume", "correct sform and qform in its header")
    return image


def _raw_header(path: Path) -> nib.Nifti1Header:
    """The header as it stands in the file; nibabel's own reading mends pixdim in silence."""
    try:
        with nib.openers.Opener(str(path)) as stream:
            start = stream.read(540)
    except _DAMAGED as error:
        raise Refused(path, f"is damaged ({error})", "copy it again from its source") from error
    for kind, size in ((nib.Nifti1Header, 348), (nib.Nifti2Header, 540)):
        if len(start) < size:
            continue
        header = kind(start[:size], check=False)
        if int(header["sizeof_hdr"]) == size and bytes(header["magic"].item())[:2] in (
            b"n+",
            b"ni",
        ):
            return header
    raise Refused(path, "is not a NIfTI image", "convert it to .nii.gz")
