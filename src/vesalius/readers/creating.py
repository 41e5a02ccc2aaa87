"""From a design to a study on disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vesalius.readers.blinding import LEVELS, Cue, reported
from vesalius.readers.design import Design, DiagnosisDesign, SaliencyDesign
from vesalius.readers.items import Selection, draw_items
from vesalius.readers.orders import Step, crossover, order_of
from vesalius.readers.questions import questions_of
from vesalius.readers.study import STUDY, Study
from vesalius.readers.writing import write_study
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress
from vesalius.scans.writing import make_folder, write_text
from vesalius.serving.niivue import FILE, niivue_script


@dataclass(frozen=True)
class Created:
    """A study, and what still tells the origin of its images."""

    study: Study
    cues: tuple[Cue, ...]


def create_study(design: Design, out: str | Path, progress: Progress = no_progress) -> Created:
    """Draw the cases, make them alike, order them for each reader, and make personal links.

    Args:
        design: see `vesalius.readers.design`.
        out: folder, new or empty.
        progress: called after each case.

    Raises:
        InputError: for a folder that holds something, too few cases, or files that cannot be read.
    """
    folder = make_folder(out)
    if any(folder.iterdir()):
        fault = "holds a study already" if (folder / STUDY).is_file() else "is not empty"
        raise InputError(folder, fault, "choose a new folder: answers would be mixed up")
    script = niivue_script()
    selection = draw_items(design, progress)
    if 2 * design.repeats > len(selection.items):
        fault = f"asks for {design.repeats} repeats of {len(selection.items)} cases"
        raise InputError("design", fault, "ask for at most one for two cases")
    flat = all(_flat(picture.content) for item in selection.items for picture in item.pictures)
    outline = {
        "design": design.design, "title": design.title, "language": design.language,
        "windows": design.windows, "span": design.span or (0, LEVELS),
        "questions": questions_of(design, flat),
        "washout_days": getattr(design, "washout_days", 0.0),
    }  # fmt: skip
    shutil.copyfile(script, folder / FILE)
    study = write_study(folder, design, selection, _orders(design, selection), outline)
    if selection.cues:
        write_text(folder / "private" / "blinding.csv", reported(selection.cues))
    return Created(study, selection.cues)


def _orders(design: Design, selection: Selection) -> Sequence[Sequence[Step]]:
    practice = len(selection.practice)
    if isinstance(design, DiagnosisDesign):
        truths = [item.truth for item in selection.items]
        return [
            crossover(truths, practice, design.repeats, design.seed, reader)
            for reader in range(design.readers)
        ]
    maps = len(design.methods) if isinstance(design, SaliencyDesign) else 0
    return [
        order_of(len(selection.items), practice, design.repeats, maps, design.seed, reader)
        for reader in range(design.readers)
    ]


def _flat(content: bytes) -> bool:
    return content[:4] == b"\x89PNG" or int.from_bytes(content[46:48], "little") == 1
