"""What was found in somebody's folder: cases, where their images come from, what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from vesalius.scans.attributes import Attribute
from vesalius.scans.formats.dicom_series import Gaps
from vesalius.scans.importing.secret_key import secret_key
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress
from vesalius.scans.volume import Volume


class ImageSource(Protocol):
    """Where one channel of a case comes from."""

    @property
    def place(self) -> Path:
        """The file or folder that a fault names."""
        ...

    def read(self) -> Volume:
        """Its voxels, or a refusal."""
        ...


class LabelSource(Protocol):
    """Where the label map of a case comes from."""

    @property
    def place(self) -> Path:
        """The file or folder that a fault names."""
        ...

    def read(self, image: Volume, labels: Mapping[str, int]) -> Volume:
        """The label map in the space of `image`, or a refusal."""
        ...


@dataclass(frozen=True)
class FoundCase:
    """One case to be: nothing of it is read yet.

    Attributes:
        name: of its files.
        subject: who it is of.
        images: a source a channel.
        labels: of its label map, if there is one.
        visit: of the subject.
        split: `train`, `val`, `test` or empty.
        cells: of `cases.csv`, as text.
    """

    name: str
    subject: str
    images: tuple[ImageSource, ...]
    labels: LabelSource | None = None
    visit: str = ""
    split: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """All that was found, and what not.

    Attributes:
        layout: in which it lies.
        channels: their names.
        labels: numbers by name; `None` where only the label maps themselves know.
        cases: to be imported.
        left_out: what is not, and why.
        notes: what else the user should know.
        attributes: to be declared, such as the regions of nnU-Net.
    """

    layout: str
    channels: tuple[str, ...]
    labels: Mapping[str, int] | None
    cases: tuple[FoundCase, ...]
    left_out: tuple[InputProblem, ...] = ()
    notes: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True)
class ImportOptions:
    """What the user said of a source.

    Attributes:
        channels: `NAME=PATTERN` or a pattern alone, one a channel.
        labels: pattern of label maps, or names of structures to take, by layout.
        names: `NAME=NUMBER` of labels that come without a name, or are to have another.
        fold: of `splits_final.json`.
        gaps: what to do with slices at uneven distances.
        key: file of the secret that pseudonyms are made with; without one they serve for a look.
    """

    channels: tuple[str, ...] = ()
    labels: str = ""
    names: tuple[str, ...] = ()
    fold: int = 0
    gaps: Gaps = "refuse"
    key: Path | None = None

    def named_channels(self) -> tuple[tuple[str, str], ...]:
        """Name and pattern of each channel.

        >>> ImportOptions(("T1=*mprage*", "FLAIR")).named_channels()
        (('T1', '*mprage*'), ('FLAIR', 'FLAIR'))
        """
        return tuple(
            (name, pattern) if equals else (name, name)
            for name, equals, pattern in (one.partition("=") for one in self.channels)
        )

    def renamed(self, labels: Mapping[str, int]) -> dict[str, int]:
        """Labels under the names that the user gave their numbers.

        Raises:
            InputError: for what is no name and number, or a number that no label has.

        >>> ImportOptions(names=("canal=61",)).renamed({"background": 0, "label_61": 61})
        {'background': 0, 'canal': 61}
        """
        given: dict[int, str] = {}
        for text in self.names:
            name, _, number = text.partition("=")
            if not name or not number.isdigit() or int(number) not in labels.values():
                listed = ", ".join(str(value) for value in sorted(labels.values())[:20])
                raise InputError("--label", f"'{text}' names no label", f"numbers: {listed}")
            given[int(number)] = name
        return {given.get(value, name): value for name, value in labels.items()}

    def secret(self) -> bytes:
        """What pseudonyms are made with."""
        return b"" if self.key is None else secret_key(self.key)


@dataclass(frozen=True)
class Layout:
    """One way in which scans lie.

    Attributes:
        name: on the command line.
        title: of the data set or format.
        recognise: whether a folder is of this layout, by names alone.
        find: what is in it.
        seen: how far it was tried: `made up` trees in the published form, or real files.
    """

    name: str
    title: str
    recognise: Callable[[Path], bool]
    find: Callable[[Path, ImportOptions, Progress], Found]
    seen: Literal["made up", "real files"] = "made up"


def require_cases(
    source: Path, cases: Sequence[FoundCase], left_out: Sequence[InputProblem], remedy: str
) -> None:
    """Refuse a source without a single case, with the first reason."""
    if not cases:
        if left_out:
            raise InputError(left_out[0].file, left_out[0].fault, left_out[0].remedy)
        raise InputError(source, "holds nothing that can be imported", remedy)
    names = [case.name for case in cases]
    if len(set(names)) < len(names):
        double, _ = Counter(names).most_common(1)[0]
        raise InputError(source, f"has two cases named {double}", "rename one, or import one part")
