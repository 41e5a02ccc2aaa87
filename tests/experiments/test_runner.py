"""The runner: every stage once, what it measured kept, and what an earlier version left."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from vesalius.evidence.figure import Figure, Results
from vesalius.experiments.runner import Experiment, Stage, run_experiment
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import no_progress
from vesalius.training.recipe import Settings


class _Counting(Experiment[Settings]):
    """Two stages that say when they are gone through."""

    def __init__(self, folder: Path, gone_through: list[str], dies: str = "") -> None:
        super().__init__(folder, Settings(), no_progress)
        self.gone_through, self.dies = gone_through, dies

    def stages(self) -> Mapping[str, Stage]:
        return {"first": partial(self._stage, "first"), "second": partial(self._stage, "second")}

    def _stage(self, name: str) -> dict[str, Figure]:
        if name == self.dies:
            raise KeyboardInterrupt
        self.gone_through.append(name)
        self.notes[name] = "went well"
        return {f"{name}/value": Figure(float(len(name)), "", 1)}


def _run(folder: Path, gone_through: list[str], dies: str = "", settings: str = "abc") -> Results:
    subjects = {"brain": partial(_Counting, gone_through=gone_through, dies=dies)}
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
    assert results.notes["brain"] == {"first": "went well", "second": "went well"}
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
