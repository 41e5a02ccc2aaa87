"""Files written whole or not at all, and refusals for places that cannot be written."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vesalius.scans.input_error import InputError


@contextmanager
def refused_if_unwritable(path: str | Path) -> Iterator[None]:
    """Turn the operating system's refusal to write `path` into a `InputError` with a remedy.

    >>> with refused_if_unwritable("out/scan.nii.gz"):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: out/scan.nii.gz: the disk is full; free some space an...
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(path, "the disk is full", "free some space and run again") from error
        reason = error.strerror or str(error)
        remedy = "choose a folder that you may write to"
        raise InputError(path, f"cannot be written ({reason.lower()})", remedy) from error


def make_folder(path: str | Path) -> Path:
    """Create a folder to write into, or refuse.

    >>> make_folder("/dev/null/out")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: /dev/null/out: cannot be written (not a directory); c...
    """
    folder = Path(path)
    with refused_if_unwritable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    return folder


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place once all of it is written.

    A kill or a full disk leaves what stood at `path`. The name beside it ends as `path` does, since
    libraries go by endings.

    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "card.md"
    >>> with replacing(file) as partial:
    ...     _ = partial.write_text("whole")
    >>> file.read_text(), [one.name for one in file.parent.iterdir()]
    ('whole', ['card.md'])
    """
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        with refused_if_unwritable(path):
            yield partial
            if path.is_file():
                shutil.copymode(path, partial)  # what was private stays so
            os.replace(partial, path)
    finally:
        remove_if_there(partial)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="")


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all; of a link, what it points to."""
    with replacing(target) as partial:
        shutil.copyfile(source, partial)


def remove_if_there(path: Path) -> None:
    """Remove a file that may be missing; on a medium that cannot be written it stays."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def append_line(path: Path, line: str) -> None:
    """Add a line to a text file in one write; a line that a kill cut short is closed off first.

    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "log.csv"
    >>> append_line(file, "a,1"); append_line(file, "b,2"); file.read_text()
    'a,1\\nb,2\\n'
    """
    with refused_if_unwritable(path), path.open("ab+") as stream:
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                line = "\n" + line
        stream.write((line + "\n").encode("utf-8"))
