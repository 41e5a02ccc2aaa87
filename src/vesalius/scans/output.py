"""What a writer may touch: no input, no folder of another's making, and nothing beside a writer.

Every command that writes asks here first, before any long work.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vesalius.scans.formats.content import read_text
from vesalius.scans.formats.json_file import OBJECT, read_json, write_json
from vesalius.scans.input_error import InputError
from vesalius.scans.writing import (
    make_folder,
    refused_if_unwritable,
    remove_if_there,
)

Made = Mapping[str, Any]
"""How an output came about: what must be the same for a later command to go on with it."""

MARK, LOCK, FORMAT = "made.json", ".writing.lock", 1
_held: dict[Path, ExitStack] = {}


def require_apart(out: str | Path, *inputs: str | Path | None) -> None:
    """Refuse an output that is an input, holds one, or lies inside one.

    Links are followed on both sides, so that no other name of a folder slips through.

    >>> require_apart("edited", "scans")
    >>> require_apart("scans/edited", "scans")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: scans/edited: lies inside the input scans; choose a f...
    >>> require_apart(".", "scans/a.nii.gz")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: .: holds the input scans/a.nii.gz; choose a folder ...
    """
    target = _real(out)
    for given in inputs:
        if given is None:
            continue
        source = _real(given)
        if source == target or _same(source, target):
            word = "is"
        elif source in target.parents or any(_same(source, one) for one in target.parents):
            word = "lies inside"
        elif target in source.parents or any(_same(target, one) for one in source.parents):
            word = "holds"
        else:
            continue
        remedy = "choose a folder of its own: inputs are never written to"
        raise InputError(out, f"{word} the input {given}", remedy)


@contextmanager
def sole_writer(folder: Path, shared: bool = False) -> Iterator[None]:
    """Hold a folder alone for as long as something is written into it.

    The operating system gives up the lock of a dead process.

    Args:
        folder: that is there.
        shared: whether all processes that one launcher has started write there; the first of them
            holds it for all.

    Raises:
        InputError: while another process writes there.
    """
    if shared and rank():
        yield
        return
    place = folder / LOCK
    lock = FileLock(place, timeout=0, thread_local=False)
    with refused_if_unwritable(folder):
        try:
            lock.acquire()
        except Timeout as busy:
            fault = f"is being written to by {_holder(place)}"
            raise InputError(
                folder, fault, "wait for it to end, or choose another folder"
            ) from busy
        holder = json.dumps({"process": os.getpid(), "machine": socket.gethostname()})
        place.write_text(holder, encoding="utf-8")
    try:
        yield
    finally:
        remove_if_there(place)  # while it is held: whoever waits for the old file opens a new one
        lock.release()


def hold(folder: Path, shared: bool = False) -> None:
    """Hold a folder until `let_go` or the end of this process, which may hold it several times."""
    place = folder.resolve()
    if place not in _held:
        kept = ExitStack()
        kept.enter_context(sole_writer(folder, shared))
        _held[place] = kept


def let_go(folder: Path) -> None:
    """Let go of a folder that `hold` has held."""
    kept = _held.pop(folder.resolve(), None)
    if kept is not None:
        kept.close()


@atexit.register
def _let_all_go() -> None:
    for place in list(_held):
        let_go(place)


@contextmanager
def output_folder(
    out: str | Path, made: Made, inputs: tuple[str | Path | None, ...] = ()
) -> Iterator[Path]:
    """A folder for files of one command, held while they are written.

    It is new, empty, or was started by the same making: `made.json` in it tells.

    Args:
        out: the folder.
        made: what must not differ from what the folder holds.
        inputs: of the command, none of which may be touched.

    Raises:
        InputError: for an input, a folder of other files or another making, or one in use.

    >>> import tempfile; out = Path(tempfile.mkdtemp()) / "maps"
    >>> with output_folder(out, {"command": "segment", "run": "ab12"}) as folder:
    ...     sorted(path.name for path in folder.iterdir())
    ['.writing.lock', 'made.json']
    >>> with output_folder(out, {"command": "segment", "run": "cd34"}):
    ...     pass
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: ...maps: was made with run ab12, not cd34; choose a n...
    """
    require_apart(out, *inputs)
    folder = make_folder(out)
    with sole_writer(folder):
        mark = folder / MARK
        if mark.exists():
            before = read_json(mark, OBJECT, newest=FORMAT)
            require_same(folder, before, made)
        elif any(not path.name.startswith(".") for path in folder.iterdir()):
            raise InputError(
                folder, "holds files of something else", "choose a new or empty folder"
            )
        else:
            write_json(mark, made, FORMAT)
        yield folder


def require_same(folder: Path, before: Made, now: Made) -> None:
    """Refuse a folder that was made otherwise than it shall be gone on with."""
    if now and not before:
        fault = "was started by a version that did not keep how"
        raise InputError(folder, fault, "choose a new folder")
    for name in dict.fromkeys((*before, *now)):
        if before.get(name) != now.get(name):
            was, wanted = (one.get(name, "none") for one in (before, now))
            fault = f"was made with {name.replace('_', ' ')} {was}, not {wanted}"
            raise InputError(
                folder, fault, "choose a new folder, or the settings it was started with"
            )


def require_own_file(path: str | Path, begins: str) -> None:
    """Refuse to replace a file that does not begin as those of this command do.

    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "cases.csv"
    >>> require_own_file(file, "image,")
    >>> _ = file.write_text("case,subject"); require_own_file(file, "image,")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: ...cases.csv: holds something else; choose a new file
    """
    path = Path(path)
    if path.exists() and not read_text(path).startswith(begins):
        raise InputError(path, "holds something else", "choose a new file")


def digest_of(path: str | Path) -> str:
    """A few digits that stand for a place, by which it is known again and not told.

    >>> digest_of("scans") == digest_of("./scans/"), len(digest_of("scans"))
    (True, 12)
    """
    return hashlib.sha256(str(_real(path)).encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _real(path: str | Path) -> Path:
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(path, "is no usable path", "check it for links to themselves") from error


def _same(one: Path, other: Path) -> bool:
    """Whether both are there and one and the same, however they are called."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _holder(place: Path) -> str:
    """Who holds a lock; the holder may just be writing down who it is."""
    for _ in range(20):
        try:
            reported = read_json(place, OBJECT)
            return f"process {reported['process']} on {reported['machine']}"
        except (InputError, KeyError):
            time.sleep(0.05)
    return "another process"


def rank() -> int:
    """The number of this process among those that one launcher has started to share their work."""
    for size, own in (("WORLD_SIZE", "RANK"), ("SLURM_NTASKS", "SLURM_PROCID")):
        reported = os.environ.get(size, ""), os.environ.get(own, "")
        if all(number.isdecimal() for number in reported):
            return int(reported[1]) if int(reported[0]) > 1 else 0
    return 0
