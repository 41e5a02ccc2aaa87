"""What is wrong with an input: the file, the fault and the remedy, in one line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LONGEST_FAULT, LONGEST_REMEDY, LONGEST_MESSAGE = 130, 90, 300


@dataclass(frozen=True)
class InputProblem:
    """One thing that is wrong, and what the user can do about it.

    As text it is one printable line of at most 300 characters: what files and libraries bring into
    it is shortened, of a long path the end is kept.

    >>> print(InputProblem("scan.nii.gz", "holds 3 NaN voxels", "replace them by numbers"))
    scan.nii.gz: holds 3 NaN voxels; replace them by numbers
    >>> len(str(InputProblem("deep/" * 100 + "scan.nii.gz", "holds " + "x" * 5000, "mend it")))
    300
    """

    file: str
    fault: str
    remedy: str

    def __str__(self) -> str:
        fault = _shortened(printable(self.fault), LONGEST_FAULT)
        remedy = _shortened(printable(self.remedy), LONGEST_REMEDY)
        file, room = printable(self.file), LONGEST_MESSAGE - len(fault) - len(remedy) - 4
        return f"{file if len(file) <= room else '…' + file[1 - room :]}: {fault}; {remedy}"


class InputError(ValueError):
    """Raised when an input cannot be used. Carries one `InputProblem`; its message is one line.

    >>> raise InputError("my-scans", "holds no dataset.json", "point at an nnU-Net v2 folder")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: my-scans: holds no dataset.json; point at an nnU-Net...
    """

    def __init__(self, file: str | Path, fault: str, remedy: str) -> None:
        self.fault = InputProblem(str(file), " ".join(str(fault).split()), remedy)
        super().__init__(str(self.fault))

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        return InputError, (self.fault.file, self.fault.fault, self.fault.remedy)


def printable(text: str) -> str:
    """One line of what a terminal can show; all else becomes �, so that no file name steers it.

    >>> printable("scan\\x1b[2J\\udcff.nii")
    'scan�[2J�.nii'
    """
    return "".join(c if c.isprintable() else "�" for c in " ".join(text.split()))


def first_line(error: BaseException) -> str:
    """What an exception says, in its first line; its kind where it says nothing.

    >>> first_line(ValueError("no such shape\\nat line 3")), first_line(AssertionError())
    ('no such shape', 'AssertionError')
    """
    return (
        next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        or type(error).__name__
    )


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
