"""What is wrong with an input: the file, the fault and the remedy, in one line."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, and what the user can do about it.

    >>> print(Fault("scan.nii.gz", "holds 3 NaN voxels", "replace them by numbers"))
    scan.nii.gz: holds 3 NaN voxels; replace them by numbers
    """

    file: str
    fault: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.fault}; {self.remedy}"


class Refused(ValueError):
    """Raised when an input cannot be used. Carries one `Fault`; its message is one line.

    >>> raise Refused("my-scans", "holds no dataset.json", "point at an nnU-Net v2 folder")
    Traceback (most recent call last):
    vesalius.scans.fault.Refused: my-scans: holds no dataset.json; point at an nnU-Net v2 folder
    """

    def __init__(self, file: str | Path, fault: str, remedy: str) -> None:
        self.fault = Fault(str(file), " ".join(str(fault).split()), remedy)
        super().__init__(str(self.fault))

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str, str]]:
        return Refused, (self.fault.file, self.fault.fault, self.fault.remedy)


@contextmanager
def refused_if_unwritable(path: str | Path) -> Iterator[None]:
    """Turn the operating system's refusal to write `path` into a `Refused` with a remedy.

    >>> with refused_if_unwritable("out/scan.nii.gz"):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    vesalius.scans.fault.Refused: out/scan.nii.gz: the disk is full; free some space and run again
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Refused(path, "the disk is full", "free some space and run again") from error
        reason = error.strerror or str(error)
        remedy = "choose a folder that you may write to"
        raise Refused(path, f"cannot be written ({reason.lower()})", remedy) from error


def make_folder(path: str | Path) -> Path:
    """Create a folder to write into, or refuse.

    >>> make_folder("/dev/null/out")
    Traceback (most recent call last):
    vesalius.scans.fault.Refused: /dev/null/out: cannot be written (not a directory); choose ...
    """
    folder = Path(path)
    with refused_if_unwritable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    return folder
