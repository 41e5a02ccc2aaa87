"""How much memory is free, so that an absurd file is refused before its memory is taken."""

from __future__ import annotations

from pathlib import Path

import psutil

from vesalius.scans.input_error import InputError

CONTROL_GROUP = Path("/sys/fs/cgroup")


def free_memory_bytes() -> float:
    """Free memory of this machine, or of the container where that has less.

    >>> free_memory_bytes() > 0
    True
    """
    free = float(psutil.virtual_memory().available)
    try:
        limit = (CONTROL_GROUP / "memory.max").read_text(encoding="utf-8").strip()
        if limit.isdigit():
            taken = int((CONTROL_GROUP / "memory.current").read_text(encoding="utf-8"))
            free = min(free, float(int(limit) - taken))
    except (OSError, ValueError):
        pass
    return free


def require_memory(path: str | Path, needed_bytes: float, remedy: str) -> None:
    """Refuse a file whose content fits in no memory that is free.

    >>> require_memory("scan.nii", 1e18, "crop it")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: scan.nii: needs 1000000000.0 GB of memory, ... are fr...
    """
    free = free_memory_bytes()
    if needed_bytes > free:
        fault = f"needs {needed_bytes / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free"
        raise InputError(path, fault, remedy)
