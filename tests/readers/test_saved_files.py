"""Files of static pages: what speaks against their order and washout is told."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Making  # type: ignore[import-not-found]

from vesalius.readers.answers.store import Answer, Store, now
from vesalius.readers.exporting import collect
from vesalius.readers.results.reporting import report_results
from vesalius.readers.study import Study

SAID = {"decision": "yes", "confidence": 2}
START = now() - timedelta(days=40)


def _file(study: Study, folder: Path, reader: int = 0, **changed: Any) -> tuple[Path, int]:
    """A reader's file of a whole study, and its first step of session 2."""
    steps = study.steps(reader)
    first = sum(step.session == 1 for step in steps)
    answers = [
        {"step": number, "key": f"key-{number:05d}", "sitting": "sitting-1", "seconds": 3.0,
         "received": (START + timedelta(minutes=number, days=29 * (number >= first))).isoformat(),
         "content": SAID}
        for number in range(len(steps))
    ]  # fmt: skip
    for number, entry in changed.get("answers", {}).items():
        answers[number] |= entry
    for row in changed.get("swapped", ()):
        answers[row], answers[row + 1] = answers[row + 1], answers[row]
    answers += changed.get("more", [])
    reported = {"study": study.identity, "reader": reader + 1, "token": study.tokens()[reader],
            "answers": answers}  # fmt: skip
    path = folder / f"answers-{reader + 1}.json"
    path.write_text(json.dumps(reported))
    return path, first


def _doubts(study: Study, path: Path) -> list[str]:
    store = Store.at(study)
    collect(study, store, path)
    return [one.doubt for one in store.every() if one.doubt]


def test_a_file_in_order_with_its_washout_is_vouched_for(make: Making, tmp_path: Path) -> None:
    study = make("diagnosis")
    path, _ = _file(study, tmp_path)
    found = collect(study, Store.at(study), path)
    assert (found.reader, found.new, found.doubtful) == (1, len(study.steps(0)), 0)
    assert {one.source for one in Store.at(study).every()} == {"file"}


def test_a_washout_cut_short_is_told(make: Making, tmp_path: Path) -> None:
    study = make("diagnosis")
    _, first = _file(study, tmp_path)
    early = (START + timedelta(days=3)).isoformat()
    path, _ = _file(study, tmp_path, answers={first: {"received": early}})
    assert _doubts(study, path) == ["given before the washout was over"]


def test_a_changed_answer_of_a_closed_session_is_told(make: Making, tmp_path: Path) -> None:
    study = make("diagnosis")
    late = {"step": 1, "key": "key-late-1", "sitting": "sitting-1", "seconds": 1.0,
            "received": now().isoformat(), "content": SAID | {"decision": "no"}}  # fmt: skip
    path, _ = _file(study, tmp_path, more=[late])
    assert _doubts(study, path) == ["given after its session was closed"]


def test_answers_out_of_their_order_or_of_the_future_are_told(make: Making, tmp_path: Path) -> None:
    study = make("diagnosis")
    path, _ = _file(study, tmp_path, swapped=[2])
    assert _doubts(study, path) == [
        "given before its turn",
        "given before the one that stands before it",
    ]
    study = make("realism")
    say = {"origin": "real", "appearance": 1, "anatomy": 1, "consistency": 1}
    ahead = {0: {"received": (now() + timedelta(days=2)).isoformat(), "content": say}}
    path, _ = _file(study, tmp_path, answers=ahead)
    content = json.loads(path.read_text())
    content["answers"] = content["answers"][:1]
    path.write_text(json.dumps(content))
    assert _doubts(study, path) == ["given in the future"]


def test_results_name_every_answer_in_doubt(make: Making, tmp_path: Path) -> None:
    study = make("diagnosis")
    _, first = _file(study, tmp_path)
    early = (START + timedelta(days=3)).isoformat()
    path, _ = _file(study, tmp_path, answers={first + 3: {"received": early}})
    collect(study, Store.at(study), path)
    results = report_results(study, Store.at(study), tmp_path / "results")
    (doubt,) = results.notes["doubts"]
    assert "washout" in doubt and "reader 1" in doubt
    assert results.notes["from_files"] > 0
    page = (tmp_path / "results/report.html").read_text()
    assert "cannot be vouched for" in page and doubt.split(":")[0] in page
    assert "washout" in (tmp_path / "results/answers.csv").read_text()


@pytest.mark.parametrize("time", ["2026-01-01T00:00:00", "0001-01-01T00:00:00+00:00"])
def test_times_that_cannot_be_reckoned_with_are_refused(
    make: Making, tmp_path: Path, time: str
) -> None:
    study = make("diagnosis")
    path, _ = _file(study, tmp_path, answers={0: {"received": time}})
    with pytest.raises(ValueError, match="save the file again"):
        collect(study, Store.at(study), path)


def test_a_file_never_changes_what_the_server_has_closed(make: Making, tmp_path: Path) -> None:
    study = make("realism")
    say = {"origin": "real", "appearance": 1, "anatomy": 1, "consistency": 1}
    store = Store.at(study)
    for step in range(len(study.steps(0))):
        store.add(Answer(0, step, "sitting-9", f"server-{step:03d}", say, 1.0, now()))
    answers = {n: {"content": say | {"origin": "synthetic"}} for n in range(len(study.steps(0)))}
    path, _ = _file(study, tmp_path, answers=answers)
    with pytest.raises(ValueError, match="whose session is closed already"):
        collect(study, store, path)
    assert {one.content["origin"] for one in store.every()} == {"real"}


def test_a_second_file_with_more_answers_adds_what_is_new(make: Making, tmp_path: Path) -> None:
    study = make("diagnosis")
    path, first = _file(study, tmp_path)
    whole = json.loads(path.read_text())
    path.write_text(json.dumps(whole | {"answers": whole["answers"][:first]}))
    assert collect(study, Store.at(study), path).new == first
    path.write_text(json.dumps(whole))
    found = collect(study, Store.at(study), path)
    assert (found.new, found.doubtful) == (len(whole["answers"]) - first, 0)
