"""A share of the campaign of damaged input; the whole of it is benchmarks/fuzz.py."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import fuzz
from benchmarks.fuzz_entrances import ENTRANCES, Entrance, Reported
from vesalius.scans.input_error import InputError, InputProblem

KEPT = Path(__file__).parent / "kept/form-1"
OWN_INPUT = ("command_line", "http")
"""Entrances that make up their input whether it is damaged or not."""


@pytest.mark.parametrize(
    "entrance", [one for one in ENTRANCES if one.name not in OWN_INPUT], ids=lambda one: one.name
)
def test_sound_input_is_let_in_at_every_entrance(entrance: Entrance, tmp_path: Path) -> None:
    place, out = tmp_path / "input", tmp_path / "out"
    place.mkdir()
    out.mkdir()
    entrance.prepare(KEPT, place)
    rng = np.random.default_rng(0)
    shutil.copytree(place, tmp_path / "damaged")
    kept = entrance.damage(tmp_path / "damaged", rng)
    which = tmp_path / "damaged/.which"
    if which.exists():
        shutil.copyfile(which, place / ".which")
    reported = entrance.enter(place, out, rng)
    assert list(reported.faults) == []
    assert kept is None or (reported.sound or 0) > kept


def test_damaged_input_is_refused_or_listed(tmp_path: Path) -> None:
    counts, found = fuzz.campaign(1200, 2026, KEPT, tmp_path)
    assert found == [] and sum(counts.values()) >= 1200


def test_a_campaign_that_was_killed_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "fuzz.jsonl"
    for work in ("a", "b"):
        (tmp_path / work).mkdir()
    fuzz.campaign(10, 0, KEPT, tmp_path / "a", log, ["stages"])
    lines = log.read_text().splitlines()
    log.write_text("\n".join(lines[:6]) + "\n" + lines[6][:9])
    fuzz.campaign(10, 0, KEPT, tmp_path / "b", log, ["stages"])
    assert len(log.read_text().splitlines()) == 11  # the line that was cut short stays


def _entering(enter: object) -> Entrance:
    stages = next(one for one in ENTRANCES if one.name == "stages")
    return replace(stages, enter=enter)  # type: ignore[arg-type]


def _raise(*_: object) -> Reported:
    raise KeyError("channels")


def _write(place: Path, out: Path, rng: object) -> Reported:
    (place.parent / "elsewhere.txt").write_text("x")
    return Reported()


def _refuse(*_: object) -> Reported:
    raise InputError("scan", "is damaged", "copy it again")


def _report(*_: object) -> Reported:
    return Reported([InputProblem("scan", "is damaged", "copy it again")], sound=2)


def _unpickle(*_: object) -> Reported:
    import pickle

    pickle.loads(pickle.dumps(Path("x")))
    return Reported()


def _take(*_: object) -> Reported:
    assert np.ones(2 * 10**8).sum() > 0
    return Reported()


@pytest.mark.parametrize(
    ("enter", "what"),
    [
        (_raise, "KeyError"), (_write, "writes"), (_unpickle, "pickle.find_class"),
        (_take, "GB"), (_refuse, None), (_report, None),
    ],
)  # fmt: skip
def test_the_campaign_sees_what_breaks_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enter: object, what: str | None
) -> None:
    monkeypatch.setattr(fuzz, "ENTRANCES", (_entering(enter),))
    monkeypatch.setattr(fuzz, "SECONDS", 60.0)  # what is seen does not hang on a busy machine
    _, found = fuzz.campaign(1, 0, KEPT, tmp_path)
    assert [what in one.what for one in found] == ([True] if what else [])
    if what:
        results = fuzz.results_of({"stages": 1}, found, 0)
        assert results.figures["fuzz/stages/violations"].value == 1
