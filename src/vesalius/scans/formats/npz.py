"""NumPy archives: only the arrays that are asked for, each held against its header first."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from vesalius.scans.formats.content import refused_if_damaged, require_file
from vesalius.scans.input_error import InputError
from vesalius.scans.memory import require_memory

LARGEST_BYTES = 2**36
UNLIKELY_RATIO, LARGE_BYTES = 100, 2**28
"""An archive that unpacks to so many times its size, and to so much, was made to fill memory."""


def read_arrays(path: Path, wanted: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Arrays of numbers of an `.npz`, by name; those that are missing are left out.

    Args:
        path: of the archive.
        wanted: names, and how many bytes an element takes while it is used.

    Raises:
        InputError: for a damaged archive, an array of objects, or one that no memory holds. Nothing
            is unpickled.

    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "set.npz"
    >>> np.savez(file, images=np.zeros((2, 3)), notes=np.array([None]))
    >>> read_arrays(file, {"images": 8, "masks": 1})["images"].shape
    (2, 3)
    >>> read_arrays(file, {"notes": 8})
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: ...set.npz: holds objects in notes; save arrays of nu...
    """
    require_file(path, LARGEST_BYTES)
    result: dict[str, np.ndarray] = {}
    with refused_if_damaged(path, "is no readable archive", "download it again"):
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            for name, element_bytes in wanted.items():
                entry = entries.get(f"{name}.npy")
                if entry is not None:
                    _require_plausible(path, archive, entry, name, element_bytes)
                    with archive.open(entry) as stream:
                        result[name] = npy.read_array(stream, allow_pickle=False)
    return result


def _require_plausible(
    path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, element_bytes: int
) -> None:
    with archive.open(entry) as stream:
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        version = npy.read_magic(stream)
        if version not in read:
            raise InputError(path, f"holds {name} in an unknown form", "save it anew with NumPy")
        shape, _, dtype = read[version](stream)
    if dtype.hasobject:
        raise InputError(path, f"holds objects in {name}", "save arrays of numbers")
    if dtype.kind not in "biuf":
        raise InputError(path, f"holds no numbers in {name}", "save arrays of numbers")
    count = 1
    for side in shape:
        count *= side
    promised = count * dtype.itemsize
    if promised > entry.file_size:
        raise InputError(path, f"promises more in {name} than it holds", "download it again")
    if promised > LARGE_BYTES and promised > UNLIKELY_RATIO * entry.compress_size:
        fault = f"unpacks {name} to {promised / max(entry.compress_size, 1):.0f} times its size"
        raise InputError(path, fault, "check where it comes from")
    require_memory(path, count * max(dtype.itemsize, element_bytes), "take a smaller version of it")
