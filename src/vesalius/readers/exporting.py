"""A study as folders of static pages, for places without a server, and answers that come back.

Browsers let no page of a folder read other files, so pictures are scripts that hold them as text.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from vesalius.readers.answers.store import Answer, Store, now
from vesalius.readers.orders import Step
from vesalius.readers.pages import PAGES
from vesalius.readers.progress import ReaderProgress
from vesalius.readers.questions import fault_in
from vesalius.readers.reporting import outline_entries, step_entries
from vesalius.readers.study import Study
from vesalius.scans.formats.json_file import read_json
from vesalius.scans.input_error import InputError
from vesalius.scans.writing import make_folder, write_text
from vesalius.serving.niivue import FILE as NIIVUE

LARGEST_CLOCK_ERROR = timedelta(days=1)
FIRST_SCRIPT = '<script src="niivue.js">'


def export_study(study: Study, out: str | Path) -> list[Path]:
    """Write one folder a reader, with `reader.html` to open; answers are saved from there.

    Raises:
        InputError: for a folder that holds something.
    """
    folder = make_folder(out)
    if any(folder.iterdir()):
        raise InputError(folder, "is not empty", "choose a new folder")
    tokens = study.tokens()
    return [
        _written(study, reader, tokens[reader], make_folder(folder / f"reader-{reader + 1}"))
        for reader in range(study.readers)
    ]


def _written(study: Study, reader: int, token: str, folder: Path) -> Path:
    steps = study.steps(reader)
    nothing = ReaderProgress(steps, (), timedelta())
    reported = [step_entries(study, nothing, number, True) for number in range(len(steps))]
    content = {
        "study": study.identity, "reader": reader + 1,
        "token": token, "outline": outline_entries(study, steps),
        "washoutDays": study.outline.washout_days,
        "steps": [{key: one[key] for key in ("practice", "session", "aided", "pictures")}
                  for one in reported],
    }  # fmt: skip
    for address in PAGES.addresses:
        data, _ = PAGES.content(address)
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
    key: str = Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
    sitting: str = Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
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


def collect(study: Study, store: Store, file: str | Path) -> Collected:
    """Store the answers of a reader's file; those that are there already are left.

    Each keeps that it came from a file, and what speaks against its order and washout.

    Raises:
        InputError: for a file that is damaged, of another study, or holds an answer that cannot be;
            nothing of it is stored then.
    """
    path = Path(file)
    result = read_json(path, _File, "give the file that the page has saved")
    reader = study.reader_of(result.token)
    if reader is None:
        raise InputError(path, "belongs to another study", "name the study that it was made for")
    steps = study.steps(reader)
    for one in result.answers:
        fault = fault_in(one.content, study.outline.questions)
        if one.step >= len(steps) or not _dated(one.received) or fault:
            reported = fault or "a case that there is not"
            raise InputError(path, f"answers {reported}", "ask the reader to save the file again")
    given = [
        Answer(reader, one.step, one.sitting, one.key, one.content, one.seconds, one.received,
               "file")
        for one in result.answers
    ]  # fmt: skip
    known = store.of(reader)
    keys = {one.key for one in result.answers}
    prior = [one for one in known if one.key not in keys]
    stored = ReaderProgress(steps, known, timedelta())
    fresh = {one.key for one in given} - {one.key for one in known}
    for answer in given:
        closed = stored.session is None or steps[answer.step].session < stored.session
        if answer.key in fresh and closed:
            fault = f"answers case {answer.step + 1}, whose session is closed already"
            raise InputError(path, fault, "ask the reader which answers count")
    washout = timedelta(days=study.outline.washout_days)
    doubts = doubts_of(steps, given, washout, now(), prior)
    new = [
        store.add(replace(answer, doubt=doubt)) for answer, doubt in zip(given, doubts, strict=True)
    ]
    return Collected(reader + 1, sum(new), sum(map(bool, doubts)))


def _dated(time: datetime) -> bool:
    """Whether a time has its zone and can be reckoned with."""
    return time.tzinfo is not None and 2000 <= time.year <= 2200


def doubts_of(
    steps: Sequence[Step], answers: Sequence[Answer], washout: timedelta, now: datetime,
    prior: Sequence[Answer] = (),
) -> list[str]:  # fmt: skip
    """Why each answer cannot be vouched for, empty where nothing speaks against it.

    Pages of a folder keep order and washout by the clock of the reader's machine and show nothing
    of a closed session; whoever opens the files by hand is not held by them. What such a reader's
    answers tell of it is told here.

    Args:
        steps: of the reader.
        answers: in the order of the file.
        washout: between both sessions.
        now: when the file is collected.
        prior: answers that are stored already and are not in the file.
    """
    result, before = [], None
    for number, answer in enumerate(answers):
        own = ReaderProgress(steps, [*prior, *answers[:number]], washout)
        reported = []
        if before is not None and answer.received < before:
            reported.append("given before the one that stands before it")
        if answer.received > now + LARGEST_CLOCK_ERROR:
            reported.append("given in the future")
        reached, opens = own.next_step, own.opens(answer.step)
        if reached is None or steps[answer.step].session < steps[reached].session:
            reported.append("given after its session was closed")
        elif answer.step > reached:
            reported.append("given before its turn")
        elif not own.may_answer(answer.step, answer.sitting, max(answer.received, now)):
            reported.append("changed in another sitting")
        if opens is not None and answer.received < opens:
            reported.append("given before the washout was over")
        result.append("; ".join(reported))
        before = answer.received
    return result


@dataclass(frozen=True)
class Collected:
    """A reader's file that was stored: whose, how many answers were new, how many are in doubt."""

    reader: int
    new: int
    doubtful: int
