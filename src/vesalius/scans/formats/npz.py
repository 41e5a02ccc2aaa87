"""NumPy archives: what is asked for, held against its header first and unpacked to disk."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from vesalius.scans.arrays import scratch
from vesalius.scans.formats.content import refused_if_damaged, require_file
from vesalius.scans.input_error import InputError

LARGEST_BYTES = 2**36
UNLIKELY_RATIO, LARGE_BYTES = 100, 2**28
"""An archive that unpacks to so many times its size, and to so much, was made to fill memory."""


AT_ONCE = 2**24
"""Bytes that are unpacked at a time."""

MAPPED_BYTES = 2**20
"""From which on an array lies on disk, in a nameless file."""


def read_arrays(path: Path, wanted: Sequence[str]) -> dict[str, np.ndarray]:
    """Arrays of numbers of an `.npz`, by name; those that are missing are left out.

    Args:
        path: of the archive.
        wanted: names.

    Raises:
        InputError: for a damaged archive, an array of objects, or one that the disk of the
            temporary folder has no room for. Nothing is unpickled.

    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "set.npz"
    >>> np.savez(file, images=np.zeros((2, 3)), notes=np.array([None]))
    >>> read_arrays(file, ["images", "masks"])["images"].shape
    (2, 3)
    >>> read_arrays(file, ["notes"])
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: ...set.npz: holds objects in notes; save arrays of nu...
    """
    require_file(path, LARGEST_BYTES)
    result: dict[str, np.ndarray] = {}
    with refused_if_damaged(path, "is no readable archive", "download it again"):
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            for name in wanted:
                entry = entries.get(f"{name}.npy")
                if entry is not None:
                    with archive.open(entry) as stream:
                        result[name] = _unpacked(path, entry, name, stream)
    return result


def _unpacked(path: Path, entry: zipfile.ZipInfo, name: str, stream: IO[bytes]) -> np.ndarray:
    """An array, some of it at a time."""
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(stream)
    if version not in read:
        raise InputError(path, f"holds {name} in an unknown form", "save it anew with NumPy")
    shape, transposed, dtype = read[version](stream)
    size = _plausible_bytes(path, entry, name, shape, dtype)
    laid = shape[::-1] if transposed else shape
    result = scratch(dtype, laid) if size >= MAPPED_BYTES else np.empty(laid, dtype)
    flat = result.reshape(-1).view(np.uint8)
    for start in range(0, size, AT_ONCE):
        piece = stream.read(min(AT_ONCE, size - start))
        if len(piece) < min(AT_ONCE, size - start):
            raise InputError(path, f"promises more in {name} than it holds", "download it again")
        flat[start : start + len(piece)] = np.frombuffer(piece, np.uint8)
    return result.T if transposed else result


def _plausible_bytes(
    path: Path, entry: zipfile.ZipInfo, name: str, shape: tuple[int, ...], dtype: np.dtype
) -> int:
    """How many bytes an array of numbers takes; what cannot be true is refused."""
    if dtype.hasobject:
        raise InputError(path, f"holds objects in {name}", "save arrays of numbers")
    if dtype.kind not in "biuf":
        raise InputError(path, f"holds no numbers in {name}", "save arrays of numbers")
    count = 1
    for side in shape:
        count *= side
    promised: int = count * dtype.itemsize
    if promised > entry.file_size:
        raise InputError(path, f"promises more in {name} than it holds", "download it again")
    if promised > LARGE_BYTES and promised > UNLIKELY_RATIO * entry.compress_size:
        fault = f"unpacks {name} to {promised / max(entry.compress_size, 1):.0f} times its size"
        raise InputError(path, fault, "check where it comes from")
    return promised
