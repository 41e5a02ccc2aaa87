"""The bytes and the text of a file, or a refusal: bounded, permitted, a file and nothing else."""

from __future__ import annotations

import codecs
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vesalius.scans.input_error import InputError, first_line

LARGEST_TEXT = 64 * 2**20
"""Bytes. The largest table of a public data set (CheXpert's, 223,000 rows) has 25 MB."""

_REASONS = {
    errno.EACCES: ("may not be read", "give yourself permission to read it"),
    errno.EPERM: ("may not be read", "give yourself permission to read it"),
    errno.ENOENT: ("does not exist", "check the path"),
    errno.EISDIR: ("is a folder, not a file", "remove it, or point at the file"),
    errno.ENOTDIR: ("does not exist", "check the path"),
    errno.ELOOP: ("is a link to itself", "mend the link"),
    errno.ENAMETOOLONG: ("has too long a name", "shorten it"),
    errno.ENOSPC: ("finds the disk full", "free some space and run again"),
    errno.EDQUOT: ("finds the disk full", "free some space and run again"),
    errno.EROFS: ("lies where nothing can be written", "choose a folder that you may write to"),
}


def unreadable(path: str | Path, error: OSError) -> InputError:
    """The refusal for what the operating system says of a file.

    >>> unreadable("cases.csv", PermissionError(errno.EACCES, "Permission denied")).fault.fault
    'may not be read'
    """
    said = f"cannot be read ({(error.strerror or str(error)).lower()})"
    fault, remedy = _REASONS.get(error.errno or 0, (said, "copy it again from its source"))
    return InputError(path, fault, remedy)


@contextmanager
def refused_if_damaged(path: str | Path, fault: str, remedy: str) -> Iterator[None]:
    """Turn whatever a library throws over a file into one refusal.

    Libraries that parse files throw what they like, so every exception is meant: a damaged file is
    the user's to mend, whatever the line of whichever library that stumbles over it.

    >>> with refused_if_damaged("scan.nii", "is damaged", "copy it again"):
    ...     raise OverflowError("cannot convert float infinity to integer")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: scan.nii: is damaged (cannot convert float ...); copy...
    """
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        if error.errno in _REASONS:
            raise unreadable(path, error) from error
        raise InputError(path, f"{fault} ({first_line(error)})", remedy) from error
    except MemoryError as error:
        raise InputError(path, "needs more memory than is free", "make it smaller") from error
    except Exception as error:
        raise InputError(path, f"{fault} ({first_line(error)})", remedy) from error


def require_file(path: Path, largest: int, remedy: str = "check the path") -> int:
    """The size of a file in bytes; refuse what is none, is missing, or is larger than `largest`."""
    try:
        result = path.stat()
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise unreadable(path, error) from error
        raise InputError(path, "does not exist", remedy) from error
    if path.is_dir():
        raise unreadable(path, IsADirectoryError(errno.EISDIR, "Is a directory"))
    if not path.is_file():
        raise InputError(path, "is no regular file", "point at a file")
    if result.st_size > largest:
        fault = f"has {result.st_size / 1e6:.0f} MB, at most {largest / 1e6:.0f} MB are read"
        raise InputError(path, fault, "split it, or check that it is the right file")
    return result.st_size


def read_bytes(path: Path, largest: int, remedy: str = "check the path") -> bytes:
    """All bytes of a file of at most `largest`."""
    require_file(path, largest, remedy)
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def read_text(path: Path, largest: int = LARGEST_TEXT, remedy: str = "check the path") -> str:
    """The text of a file in UTF-8, with or without a byte order mark; ends of lines as they stand.

    Raises:
        InputError: for a file that cannot be read, and for text in another encoding, with its name
            where it gives itself away.

    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "cases.csv"
    >>> _ = file.write_bytes("case,größe".encode("utf-8-sig")); read_text(file)
    'case,größe'
    >>> _ = file.write_bytes("case,größe".encode("latin-1")); read_text(file)
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: ...cases.csv: is not UTF-8 (byte 0xf6 in line 1); sav...
    """
    content = read_bytes(path, largest, remedy)
    for mark, name in (
        (codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF32_BE, "UTF-32"),
        (codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"),
    ):  # fmt: skip
        if content.startswith(mark):
            raise InputError(path, f"is text in {name}", "save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        fault = f"is not UTF-8 (byte 0x{content[error.start]:02x} in line {line})"
        raise InputError(path, fault, "save it as UTF-8") from error
