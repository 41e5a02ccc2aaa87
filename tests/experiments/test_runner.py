"""The runner: every stage once, what it measured kept, and what an earlier version left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.results import Results
from vesalius.experiments.prespecified import FILE, Prespecified, Primary, UsedCohort, digest_of
from vesalius.experiments.runner import Experiment, Stage, run_experiment
from vesalius.scans.formats.json_file import write_json
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import no_progress
from vesalius.training.recipe import Settings


def _asked(question: str) -> Prespecified:
    primary = Primary("first/value", "a count", "higher", 0.0, "counts are whole", "1 count")
    cohort = UsedCohort("none", "fitting", "nobody", 0)
    return Prespecified(question, [("one", "alone")], ["none"], [primary], [cohort], "none", [])


class _Counting(Experiment[Settings]):
    """Two stages that say when they are gone through."""

    def __init__(
        self, folder: Path, gone_through: list[str], dies: str = "", question: str = "Does it?"
    ) -> None:
        super().__init__(folder, Settings(), no_progress)
        self.gone_through, self.dies, self.question = gone_through, dies, question

    @property
    def prespecified(self) -> Prespecified:
        return _asked(self.question)

    def stages(self) -> Mapping[str, Stage]:
        return {"first": partial(self._stage, "first"), "second": partial(self._stage, "second")}

    def _stage(self, name: str) -> dict[str, Figure]:
        if name == self.dies:
            raise KeyboardInterrupt
        self.gone_through.append(name)
        self.notes[name] = "went well"
        return {f"{name}/value": counted(len(name), "", 1, "counts")}


def _run(
    folder: Path, gone_through: list[str], dies: str = "", settings: str = "abc",
    question: str = "Does it count?",
) -> Results:  # fmt: skip
    own = partial(_Counting, gone_through=gone_through, dies=dies, question=question)
    subjects = {"brain": own}
    results = Results("counting", "demo", 0, True, {}, {})
    return run_experiment(results, folder, settings, subjects, lambda stage: None)


def test_a_killed_experiment_goes_on_and_reads_what_was_measured(tmp_path: Path) -> None:
    gone_through: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path, gone_through, dies="second")
    kept = Results.read(tmp_path)
    assert "brain/first/value" in kept.figures and "brain/second/value" not in kept.figures
    results = _run(tmp_path, gone_through)
    assert gone_through == ["first", "second"]
    assert [results.figures[f"brain/{name}/value"].value for name in gone_through] == [5.0, 6.0]
    told = results.notes["brain"]
    assert told["first"] == told["second"] == "went well"
    assert results.figures["brain/seconds/first"].unit == "s"
    again = _run(tmp_path, gone_through)
    assert gone_through == ["first", "second"] and again.figures == results.figures


def test_a_stage_whose_measurements_are_gone_is_done_again(tmp_path: Path) -> None:
    gone_through: list[str] = []
    _run(tmp_path, gone_through)
    (tmp_path / "brain/measured/first/results.json").unlink()
    _run(tmp_path, gone_through)
    assert gone_through == ["first", "second", "first"]


def test_a_folder_of_other_settings_is_refused(tmp_path: Path) -> None:
    _run(tmp_path, [])
    with pytest.raises(InputError, match="other settings"):
        _run(tmp_path, [], settings="xyz")


def test_what_is_asked_is_written_before_the_first_stage_and_changes_show(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path, [], dies="first")
    document = tmp_path / "brain" / FILE
    text = document.read_text()
    assert "Does it count?" in text and not (tmp_path / "results.json").exists()
    told = _run(tmp_path, []).notes["brain"]["prespecified"]
    assert told == {"question": "Does it count?", "digest": digest_of(text), "changed": ""}
    document.write_text(text.replace("it count", "it count twice"))
    edited = _run(tmp_path, []).notes["brain"]["prespecified"]
    assert edited["digest"] == told["digest"]
    assert "edited after the first stage" in edited["changed"]
    document.write_text(text)
    later = _run(tmp_path, [], question="Does it count faster?").notes["brain"]["prespecified"]
    assert later["digest"] == told["digest"] and "asks or compares otherwise" in later["changed"]
    assert document.read_text() == text


def test_a_document_that_comes_after_a_stage_says_so(tmp_path: Path) -> None:
    _run(tmp_path, [])
    kept = json.loads((tmp_path / "stages.json").read_text())
    before = {key: kept[key] for key in ("settings", "seconds", "done")}
    write_json(tmp_path / "stages.json", before, 1)
    told = _run(tmp_path, []).notes["brain"]["prespecified"]
    assert told["digest"] == ""
    assert told["changed"] == "the document was not written before the first stage"
