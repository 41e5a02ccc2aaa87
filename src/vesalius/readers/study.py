"""A study on disk: what is served, and apart from it what nobody who reads may know.

`study.json` and `stimuli/` are what pages need. `private/` holds the key to the items, the order of
each reader, and the personal links; it is never served.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter

from vesalius.readers.design import ANY_DESIGN, Design, Kind, Language, Window
from vesalius.readers.orders import Step
from vesalius.readers.questions import Question
from vesalius.scans.formats.content import read_bytes
from vesalius.scans.formats.json_file import read_json
from vesalius.scans.formats.table import read_table
from vesalius.scans.input_error import InputError
from vesalius.training.recipe import Settings

STUDY, STIMULI, PRIVATE = "study.json", "stimuli", "private"
FORMAT, AGAIN, LARGEST_STIMULUS = 1, "create the study again", 2**31
KEY, LINKS, DESIGN = "key.json", "links.csv", "design.json"


class Stimulus(Settings):
    """A file that is shown.

    Attributes:
        name: at random; tells nothing.
        ending: `.nii` or `.png`.
        role: `image`, `aid` or `map`.
        flat: one voxel thick.
    """

    name: str = Field(pattern=r"^[0-9a-f]{1,64}$")
    ending: Literal[".nii", ".png"]
    role: Literal["image", "aid", "map"]
    flat: bool = False

    @property
    def file(self) -> str:
        """Its name in `stimuli/`."""
        return self.name + self.ending


class Outline(Settings):
    """What pages are told of a study.

    Attributes:
        design: which one.
        title, language, windows: as designed.
        span: lowest and highest value of images.
        questions: of every case.
        washout_days: between sessions.
        items: files of each.
        readers: hashes of their links' tokens.
    """

    design: Kind
    title: str
    language: Language
    windows: tuple[Window, ...]
    span: tuple[float, float]
    questions: tuple[Question, ...]
    washout_days: float
    items: tuple[tuple[Stimulus, ...], ...]
    readers: tuple[str, ...]


class ItemKey(Settings):
    """What an item truly is.

    Attributes:
        case, source: where it came from.
        truth: `real`, `synthetic`, `yes`, `no`, or empty.
        methods: of its maps, in the order of its files.
        subject: whose it is; the case's own name where that is not known.
    """

    case: str
    source: str
    truth: str
    methods: tuple[str, ...] = ()
    subject: str = ""


@dataclass(frozen=True)
class Study:
    """A study that was created."""

    folder: Path
    outline: Outline

    @classmethod
    def open(cls, folder: str | Path) -> Study:
        """Open a study.

        Raises:
            InputError: for a folder that holds none, or a damaged one.
        """
        path = Path(folder) / STUDY
        if not path.exists():
            fault = "holds no study"
            raise InputError(folder, fault, "make one with vesalius readers create")
        return cls(Path(folder), read_json(path, Outline, AGAIN, FORMAT))

    @property
    def identity(self) -> str:
        """By which its answers are known among those of other studies."""
        return hashed("".join(self.outline.readers))[:16]

    @property
    def readers(self) -> int:
        """How many there are."""
        return len(self.outline.readers)

    def reader_of(self, token: str) -> int | None:
        """The number of the reader whose link this is; all hashes are compared, in like time."""
        given, result = hashed(token), None
        for number, known in enumerate(self.outline.readers):
            if hmac.compare_digest(given, known):
                result = number
        return result

    def steps(self, reader: int) -> list[Step]:
        """What a reader sees, in order."""
        path = self.folder / PRIVATE / f"order-{reader + 1}.json"
        steps = read_json(path, TypeAdapter(list[Step]), AGAIN)
        for step in steps:
            known = 0 <= step.item < len(self.outline.items)
            maps = range(len(self.outline.items[step.item])) if known else range(0)
            if not known or not set(step.arrangement) <= set(maps):
                raise InputError(path, f"shows item {step.item}, which the study has not", AGAIN)
        return steps

    def key(self) -> list[ItemKey]:
        """What the items truly are: for results alone."""
        path = self.folder / PRIVATE / KEY
        result = read_json(path, TypeAdapter(list[ItemKey]), AGAIN)
        if len(result) != len(self.outline.items):
            fault = f"tells {len(result)} items, the study has {len(self.outline.items)}"
            raise InputError(path, fault, AGAIN)
        return result

    def design(self) -> Design:
        """What it was made from."""
        return read_json(self.folder / PRIVATE / DESIGN, ANY_DESIGN, AGAIN)

    def tokens(self) -> list[str]:
        """The secret end of each reader's link."""
        path = self.folder / PRIVATE / LINKS
        result = [row["token"] for row in read_table(path, ["reader", "token"], AGAIN)]
        if [hashed(token) for token in result] != list(self.outline.readers):
            raise InputError(path, "holds other links than the study", AGAIN)
        return result

    def shown(self, step: Step) -> list[Stimulus]:
        """The files of a step as they are arranged; the aid only where it is to be seen."""
        files = self.outline.items[step.item]
        if step.arrangement:
            return [files[place] for place in step.arrangement]
        return [file for file in files if file.role != "aid" or step.aided]

    def content(self, stimulus: Stimulus) -> bytes:
        """The bytes of a file."""
        return read_bytes(self.folder / STIMULI / stimulus.file, LARGEST_STIMULUS)


def hashed(token: str) -> str:
    """What is kept of a link's token."""
    return hashlib.sha256(token.encode()).hexdigest()
