"""Arrays on disk, mapped into memory: numpy's own, of which only what is looked at is read."""

from __future__ import annotations

import errno
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from vesalius.scans.writing import refused_if_unwritable, remove_if_there


def allocated(path: Path, dtype: Any, shape: tuple[int, ...]) -> np.memmap:
    """A new `.npy` file whose room is taken at once, mapped for writing.

    A sparse file would be written to through memory, where a full disk ends the process without a
    word.

    Raises:
        OSError: if the disk has no room for it.

    >>> allocated(Path(tempfile.mkdtemp()) / "images.npy", np.uint8, (2, 3)).shape
    (2, 3)
    """
    remove_if_there(path)
    _require_room(path.parent, dtype, shape)
    result: np.memmap = np.lib.format.open_memmap(path, "w+", dtype, shape)
    with path.open("r+b") as stream:
        _take_room(stream, path.stat().st_size)
    return result


def scratch(dtype: Any, shape: tuple[int, ...]) -> np.memmap:
    """An array in a nameless file of the temporary folder, gone when nobody looks at it any more.

    The folder is that of `TMPDIR`; it should lie on a disk, not in memory.

    Raises:
        InputError: if the disk has no room for it.

    >>> numbers = scratch(np.float32, (2, 3))
    >>> numbers[:] = 1.0
    >>> float(numbers.sum())
    6.0
    """
    folder = Path(tempfile.gettempdir())
    with refused_if_unwritable(folder), tempfile.TemporaryFile() as stream:
        _require_room(folder, dtype, shape)
        stream.truncate(max(1, math.prod(shape) * np.dtype(dtype).itemsize))
        _take_room(stream, math.prod(shape) * np.dtype(dtype).itemsize)
        return np.memmap(stream, dtype, "r+", shape=shape)


class ScratchRows:
    """Arrays of one shape, added one after the other to a nameless file.

    Args:
        folder: of the file; the temporary one if `None`.

    >>> rows = ScratchRows()
    >>> for value in (1.0, 2.0):
    ...     rows.add(np.full((2, 2), value, np.float16))
    >>> rows.array().shape, float(rows.array()[1].mean())
    ((2, 2, 2), 2.0)
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir())
        self._stream = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
        self.count, self._dtype = 0, np.dtype(np.float32)
        self.shape: tuple[int, ...] = ()

    def add(self, row: np.ndarray) -> None:
        """Add one.

        Raises:
            ValueError: for one of another shape.
        """
        if not self.count:
            self.shape, self._dtype = row.shape, row.dtype
        if row.shape != self.shape:
            raise ValueError(f"a row of {row.shape} among rows of {self.shape}")
        with refused_if_unwritable(self._folder):
            self._stream.write(np.ascontiguousarray(row, self._dtype).data)
        self.count += 1

    def array(self) -> np.ndarray:
        """All of them `(N, ...)`, which can be written to as well."""
        if not self.count:
            return np.zeros((0, *self.shape), self._dtype)
        self._stream.flush()
        return np.memmap(self._stream, self._dtype, "r+", shape=(self.count, *self.shape))


def taken(array: np.ndarray, rows: Sequence[int]) -> np.ndarray:
    """Some rows of an array, in this order: in memory if it is, on disk if it lies there.

    >>> isinstance(taken(scratch(np.uint8, (3, 2)), [2, 0]), np.memmap)
    True
    """
    chosen = [int(row) for row in rows]
    if not isinstance(array, np.memmap) or not chosen:
        return array[chosen]
    return filled(array.dtype, (len(chosen), *array.shape[1:]), (array[row] for row in chosen))


def filled(dtype: Any, shape: tuple[int, ...], rows: Iterable[np.ndarray]) -> np.ndarray:
    """A scratch array with its rows."""
    result = scratch(dtype, shape)
    for place, row in enumerate(rows):
        result[place] = row
    return result


def _require_room(folder: Path, dtype: Any, shape: tuple[int, ...]) -> None:
    if shutil.disk_usage(folder).free < math.prod(shape) * np.dtype(dtype).itemsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _take_room(stream: IO[bytes], size: int) -> None:
    if hasattr(os, "posix_fallocate") and size:
        os.posix_fallocate(stream.fileno(), 0, size)
