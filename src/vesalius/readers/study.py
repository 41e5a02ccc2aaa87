"""A study on disk: what is served, and apart from it what nobody who reads may know.

`study.json` and `stimuli/` are what pages need. `private/` holds the key to the items, the order of
each reader, and the personal links; it is never served.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from vesalius.readers.design import ANY_DESIGN, Design, Kind, Language, Window
from vesalius.readers.orders import Step
from vesalius.readers.questions import Question
from vesalius.scans.fault import Refused
from vesalius.training.recipe import Settings

STUDY, STIMULI, PRIVATE = "study.json", "stimuli", "private"
KEY, LINKS, DESIGN = "key.json", "links.csv", "design.json"


class Stimulus(Settings):
    """A file that is shown.

    Attributes:
        name: by chance; tells nothing.
        ending: `.nii` or `.png`.
        role: `image`, `aid` or `map`.
        flat: one voxel thick.
    """

    name: str
    ending: str
    role: str
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
    """

    case: str
    source: str
    truth: str
    methods: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """A study that was created."""

    folder: Path
    outline: Outline

    @classmethod
    def open(cls, folder: str | Path) -> Study:
        """Open a study.

        Raises:
            Refused: for a folder that holds none, or a damaged one.
        """
        path = Path(folder) / STUDY
        if not path.is_file():
            fault = "holds no study"
            raise Refused(folder, fault, "make one with vesalius readers create")
        try:
            outline = Outline.model_validate_json(path.read_text(encoding="utf-8"))
        except (ValidationError, UnicodeDecodeError) as error:
            raise Refused(path, "is damaged", "create the study again") from error
        return cls(Path(folder), outline)

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
        given, found = hashed(token), None
        for number, known in enumerate(self.outline.readers):
            if hmac.compare_digest(given, known):
                found = number
        return found

    def steps(self, reader: int) -> list[Step]:
        """What a reader sees, in order."""
        path = self.folder / PRIVATE / f"order-{reader + 1}.json"
        return [Step.model_validate(one) for one in json.loads(path.read_text())]

    def key(self) -> list[ItemKey]:
        """What the items truly are: for results alone."""
        path = self.folder / PRIVATE / KEY
        return [ItemKey.model_validate(one) for one in json.loads(path.read_text())]

    def design(self) -> Design:
        """What it was made from."""
        return ANY_DESIGN.validate_json((self.folder / PRIVATE / DESIGN).read_text())

    def tokens(self) -> list[str]:
        """The secret end of each reader's link."""
        lines = (self.folder / PRIVATE / LINKS).read_text().splitlines()[1:]
        return [line.split(",")[1] for line in lines]

    def shown(self, step: Step) -> list[Stimulus]:
        """The files of a step as they are arranged; the aid only where it is to be seen."""
        files = self.outline.items[step.item]
        if step.arrangement:
            return [files[place] for place in step.arrangement]
        return [file for file in files if file.role != "aid" or step.aided]

    def content(self, stimulus: Stimulus) -> bytes:
        """The bytes of a file."""
        return (self.folder / STIMULI / stimulus.file).read_bytes()


def hashed(token: str) -> str:
    """What is kept of a link's token."""
    return hashlib.sha256(token.encode()).hexdigest()
