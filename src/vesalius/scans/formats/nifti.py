"""NIfTI in and out, with every fault named before the voxels are used."""

from __future__ import annotations

import math
import sys
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np

from vesalius.scans.formats.content import refused_if_damaged, require_file
from vesalius.scans.input_error import InputError
from vesalius.scans.memory import require_memory
from vesalius.scans.volume import Volume
from vesalius.scans.writing import replacing

LARGEST_VOXEL_COUNT = 2**31
"""A header that promises more is taken for damaged: the largest clinical series hold 10⁹ voxels."""

LARGEST_SIDE, LARGEST_SPACING_MM, SMALLEST_SPACING_MM = 32767, 1000.0, 1e-4
LONGEST_FIELD_MM = 4000.0
"""A larger field of view is a spacing in another unit, which would be resampled without end."""

BYTES_A_VOXEL = 12
"""Taken at most while a volume is read: as stored, scaled, and as float32."""

DEFLATE_LIMIT = 1032
"""No deflated file unpacks to more times its size (zlib's technical details)."""

LARGE_BYTES = 2**27
"""Less than this fits wherever anything runs, and free memory is not asked for."""

FLATTEST, FARTHEST_MM = 1e-4, 1e7
"""Smallest determinant of unit axes, and largest distance from the origin, of a real scan."""

COPY = "copy it again from its source"


def read_nifti(path: str | Path, frame: int | None = None) -> Volume:
    """Read one volume; voxels come as float32 `(X, Y, Z)`.

    Args:
        path: of a NIfTI file.
        frame: which volume of a series, from 0; without it a series is refused.

    Raises:
        InputError: if the file is missing, damaged, not an image, a series, of impossible geometry
            or size, or holds NaN or infinite voxels.

    >>> from vesalius.scans.formats.nifti import write_nifti
    >>> import tempfile; folder = Path(tempfile.mkdtemp())
    >>> write_nifti(Volume(np.ones((2, 3, 4)), np.eye(4)), folder / "scan.nii.gz")
    >>> read_nifti(folder / "scan.nii.gz").shape
    (2, 3, 4)
    >>> read_nifti("nowhere.nii.gz")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: nowhere.nii.gz: does not exist; check the path
    """
    path = Path(path)
    image = _open(path, series=frame is not None)
    frames = math.prod(image.shape[3:])
    if not 0 <= (frame or 0) < frames:
        raise InputError(path, f"has no volume {frame}", f"it holds {frames}, from 0")
    with refused_if_damaged(path, "is damaged", COPY), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # overflows are counted below
        if frame is not None and len(image.shape) > 3:
            place = np.unravel_index(frame, image.shape[3:])
            voxels = np.asarray(image.dataobj[(..., *map(int, place))], dtype=np.float32)
        else:
            voxels = np.asarray(image.dataobj, dtype=np.float32)
    voxels = voxels.reshape((*voxels.shape[:3], 1)[:3])
    bad = int(voxels.size - np.isfinite(voxels).sum())
    if bad:
        raise InputError(path, f"holds {bad} NaN or infinite voxels", "replace them by numbers")
    return Volume(voxels, np.asarray(image.affine, dtype=np.float64))


def write_nifti(volume: Volume, path: str | Path, dtype: type = np.float32, note: str = "") -> None:
    """Write one volume so that a kill or a full disk never leaves half a file.

    The same voxels give the same bytes. `note` goes to the header's description, 79 characters.

    Raises:
        InputError: if the place cannot be written or the disk is full.
    """
    path = Path(path)
    image = nib.Nifti1Image(np.asarray(volume.voxels, dtype=dtype), volume.affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = note.encode("ascii", "replace")[:79]
    image.set_sform(volume.affine, code="scanner")
    image.set_qform(volume.affine, code="scanner", strip_shears=True)
    with replacing(path) as partial:
        nib.save(image, partial)


def nifti_frames(path: Path) -> int:
    """How many volumes a file holds, of which no voxel is read."""
    return math.prod(_open(path, series=True).shape[3:])


def _open(path: Path, series: bool = False) -> nib.Nifti1Image:
    """The image behind `path` with its header found plausible; its voxels are not yet read."""
    size = require_file(path, sys.maxsize)
    header = _raw_header(path)
    with refused_if_damaged(path, "has a damaged header", COPY):
        _require_plausible(path, header, size, series)
    with (
        refused_if_damaged(path, "is not readable as NIfTI", "export it again"),
        nib.imageglobals.LoggingOutputSuppressor(),  # its remarks are none of the refusal
    ):
        image = nib.load(path)
        if not isinstance(image, nib.Nifti1Image | nib.Nifti2Image):
            raise InputError(path, "is an image, but not NIfTI", "convert it to .nii.gz")
        affine = np.asarray(image.affine, dtype=np.float64)
        if len(image.shape) < 3:
            voxels = np.asarray(image.dataobj).reshape((*image.shape, 1))
            image = nib.Nifti1Image(voxels, affine, image.header)
    require_geometry(path, affine)
    return image


def _require_plausible(
    path: Path, header: nib.Nifti1Header, file_bytes: int, series: bool
) -> None:  # fmt: skip
    """Refuse a header that promises what no volume is, or what its file cannot hold."""
    dimensions = int(header["dim"][0])
    shape = [int(n) for n in header["dim"][1 : 1 + dimensions]]
    spacing = [float(size) for size in header["pixdim"][1:4]][: max(0, min(3, dimensions))]
    if not 2 <= dimensions <= 7 or any(n < 1 for n in shape):
        raise InputError(path, f"has no voxels (shape {shape})", "export it again as a volume")
    if any(n > 1 for n in shape[3:]) and not series:
        fault = f"is a series of shape {tuple(shape)}"
        raise InputError(path, fault, "split it into one 3D file for each volume or channel")
    count = math.prod(shape)
    if count > LARGEST_VOXEL_COUNT or max(shape) > LARGEST_SIDE:
        fault = f"promises {count:.0e} voxels"
        raise InputError(path, fault, "its header is damaged: export it again")
    if not all(SMALLEST_SPACING_MM <= size <= LARGEST_SPACING_MM for size in spacing):
        raise InputError(path, f"has spacing {spacing} mm", "correct pixdim in its header")
    fields = [n * size for n, size in zip(shape, spacing, strict=False)]
    if max(fields, default=0.0) > LONGEST_FIELD_MM:
        fault = f"is {max(fields) / 1000:.3g} m long"
        raise InputError(path, fault, "correct pixdim in its header: it is in mm")
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf":
        raise InputError(path, "holds colours or complex numbers", "export one grey channel")
    promised = count * dtype.itemsize
    limit = DEFLATE_LIMIT if path.suffix == ".gz" else 1
    if promised > limit * file_bytes:
        fault = f"promises {promised / 1e6:.0f} MB of voxels, more than it can hold"
        raise InputError(path, fault, COPY)
    if promised > LARGE_BYTES:
        whole = count if not series else math.prod(shape[:3])
        require_memory(path, whole * BYTES_A_VOXEL, "crop or resample it")


def require_geometry(path: Path, affine: np.ndarray) -> None:
    """Refuse an affine under which voxels have no volume, axes no direction, or no place."""
    remedy = "correct sform and qform in its header"
    sound = affine.shape == (4, 4) and bool(np.isfinite(affine).all())
    if sound:
        sizes = np.linalg.norm(affine[:3, :3], axis=0)
        sound = bool((sizes >= SMALLEST_SPACING_MM).all() and (sizes <= LARGEST_SPACING_MM).all())
        sound = sound and abs(np.linalg.det(affine[:3, :3] / sizes)) > FLATTEST
        sound = sound and bool(np.abs(affine[:3, 3]).max() < FARTHEST_MM)
        sound = sound and None not in nib.aff2axcodes(affine)
    if not sound:
        raise InputError(path, "has an affine of no volume", remedy)


def _raw_header(path: Path) -> nib.Nifti1Header:
    """The header as it stands in the file; nibabel's own reading mends pixdim in silence."""
    with refused_if_damaged(path, "is damaged", COPY):
        with nib.openers.Opener(str(path)) as stream:
            start = stream.read(540)
    for kind, size in ((nib.Nifti1Header, 348), (nib.Nifti2Header, 540)):
        if len(start) < size:
            continue
        header = kind(start[:size], check=False)
        if int(header["sizeof_hdr"]) == size and bytes(header["magic"].item())[:2] in (
            b"n+",
            b"ni",
        ):
            return header
    raise InputError(path, "is not a NIfTI image", "convert it to .nii.gz")
