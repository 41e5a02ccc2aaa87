"""A study as folders of static pages, for places without a server, and answers that come back.

Browsers let no page of a folder read other files, so pictures are scripts that hold them as text.
"""

from __future__ import annotations

import base64
import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vesalius.readers.answers.store import Answer, Store
from vesalius.readers.niivue import FILE as NIIVUE
from vesalius.readers.pages import PAGES, page
from vesalius.readers.progress import ReaderProgress
from vesalius.readers.questions import fault_in
from vesalius.readers.study import Study
from vesalius.readers.telling import outline_told, step_told
from vesalius.scans.description import write_text
from vesalius.scans.fault import Refused, make_folder

FIRST_SCRIPT = '<script src="niivue.js">'
LARGEST_FILE = 64 * 2**20


def export_study(study: Study, out: str | Path) -> list[Path]:
    """Write one folder a reader, with `reader.html` to open; answers are saved from there.

    Raises:
        Refused: for a folder that holds something.
    """
    folder = make_folder(out)
    if any(folder.iterdir()):
        raise Refused(folder, "is not empty", "choose a new folder")
    tokens = study.tokens()
    return [
        _written(study, reader, tokens[reader], make_folder(folder / f"reader-{reader + 1}"))
        for reader in range(study.readers)
    ]


def _written(study: Study, reader: int, token: str, folder: Path) -> Path:
    steps = study.steps(reader)
    nothing = ReaderProgress(steps, (), timedelta())
    told = [step_told(study, nothing, number, True) for number in range(len(steps))]
    content = {
        "study": study.identity, "reader": reader + 1,
        "token": token, "outline": outline_told(study, steps),
        "washoutDays": study.outline.washout_days,
        "steps": [{key: one[key] for key in ("practice", "session", "aided", "pictures")}
                  for one in told],
    }  # fmt: skip
    for address in PAGES:
        data, _ = page(address)
        name = "reader.html" if address == "/" else address[1:]
        if address == "/":
            own = f'<script src="study.js"></script>\n{FIRST_SCRIPT}'
            data = data.replace(FIRST_SCRIPT.encode(), own.encode())
        (folder / name).write_bytes(data)
    shutil.copyfile(study.folder / NIIVUE, folder / NIIVUE)
    write_text(folder / "study.js", f"window.vesaliusStudy = {json.dumps(content)};\n")
    pictures = make_folder(folder / "stimuli")
    for step in steps:
        for one in study.shown(step):
            text = base64.b64encode(study.content(one)).decode()
            script = f'(reader.files ??= {{}})["{one.name}"] = "{text}";\n'
            write_text(pictures / f"{one.name}.js", script)
    return folder / "reader.html"


class _Given(BaseModel):
    """One answer in a reader's file."""

    model_config = ConfigDict(extra="forbid")

    step: int = Field(ge=0)
    key: str = Field(min_length=8, max_length=64)
    sitting: str = Field(min_length=8, max_length=64)
    seconds: float = Field(ge=0, le=86_400)
    received: datetime
    content: dict[str, Any]


class _File(BaseModel):
    """What a reader saves."""

    model_config = ConfigDict(extra="forbid")

    study: str
    reader: int
    token: str
    answers: list[_Given]


def collect(study: Study, store: Store, file: str | Path) -> tuple[int, int]:
    """Store the answers of a reader's file; those that are there already are left.

    Returns the reader's number from 1, and how many answers were new.

    Raises:
        Refused: for a file that is damaged, of another study, or holds an answer that cannot be;
            nothing of it is stored then.
    """
    path = Path(file)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise Refused(path, "is too large for answers", "give the file that the page has saved")
        found = _File.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused(path, "cannot be read", "check the path") from error
    except (ValidationError, UnicodeDecodeError) as error:
        fault = "holds no answers of a reader"
        raise Refused(path, fault, "give the file that the page has saved") from error
    reader = study.reader_of(found.token)
    if reader is None:
        raise Refused(path, "belongs to another study", "name the study that it was made for")
    steps = study.steps(reader)
    for one in found.answers:
        fault = fault_in(one.content, study.outline.questions)
        if one.step >= len(steps) or one.received.tzinfo is None or fault:
            told = fault or "a case that there is not"
            raise Refused(path, f"answers {told}", "ask the reader to save the file again")
    new = [
        store.add(Answer(reader, one.step, one.sitting, one.key, one.content, one.seconds,
                         one.received))
        for one in found.answers
    ]  # fmt: skip
    return reader + 1, sum(new)
