"""Rejection sampling with a method of one line: what is kept, what is tried again, what resumes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from tests.training.toy import ToyRecipe
from vesalius.evidence.copies import CopySearch
from vesalius.phantoms.cohorts.organs import write_gridded
from vesalius.sampling.cohort import sample_cohort
from vesalius.sampling.rejection import (
    Candidate,
    CaseRequest,
    Finished,
    Sampler,
    Trial,
    case_requests,
    first_draws,
    sample_case,
    sample_one,
)
from vesalius.sampling.sharing import _Sampling
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.computing import chosen_precision
from vesalius.scans.input_error import InputError
from vesalius.training.measures import Measuring
from vesalius.training.method import Reading
from vesalius.training.reading import read_sound
from vesalius.training.run import Run

GRID = (32, 32, 32)


@pytest.fixture(scope="module")
def breasts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cohort, Cohort]:
    """Training cases, and other patients."""
    folder = tmp_path_factory.mktemp("breasts")
    real = write_gridded("breast", folder / "real", 22, 0, GRID, split="train")
    return real, write_gridded("breast", folder / "others", 8, 1, GRID)


class Scripted(Sampler[CaseRequest]):
    """Hands out scans in a fixed order; a case measures its place in it."""

    title = "scripted"

    def __init__(self, cohort: Cohort, scans: list[LabelledScan], folder: Path) -> None:
        names = {case.name for case in cohort.cases[:2]}
        measuring = Measuring(cohort, labelled=False)
        sound = read_sound(measuring, cohort.cases[:2], names, Reading())
        seen = sound.fingerprint(sound.grid())
        self.run = Run(folder, ToyRecipe(), seen)
        self.description, self.attributes = cohort.description, ["place"]
        self.settings, self.scans, self.finished = {"tolerance": 0.1}, scans, 0

    def candidates(self, request: CaseRequest, first: int = 0) -> Iterator[Candidate]:
        for place in count(first):
            scan = self.scans[place % len(self.scans)]
            met = place >= float(request.target["place"])
            yield Candidate(
                {"place": float(place)}, met, lambda scan=scan, at=place: self._end(scan, at)
            )

    def _end(self, scan: LabelledScan, place: int) -> Finished:
        self.finished += 1
        return Finished(scan, {"place": float(place)}, {}, np.int16)


@pytest.fixture
def sampler(breasts: tuple[Cohort, Cohort], tmp_path: Path) -> Scripted:
    """First a copy of a training case, then somebody else."""
    real, others = breasts
    scans = [others.read(others.cases[0]), real.read(real.cases[4]), others.read(others.cases[1])]
    return Scripted(real, scans, tmp_path / "run")


@pytest.fixture(scope="module")
def gate(breasts: tuple[Cohort, Cohort]) -> CopySearch:
    real = breasts[0]
    return CopySearch.of(real, labelled=True)


def test_a_miss_is_tried_again_and_never_finished(sampler: Scripted) -> None:
    outcome = sample_case(sampler, case_requests(sampler.run, [{"place": 2.0}], 0)[0], 5)
    assert [draw.accepted for draw in outcome.draws] == [False, False, True]
    assert outcome.case is not None and sampler.finished == 1
    assert outcome.case.provenance["missed"] == [{"place": 0.0}, {"place": 1.0}]
    assert outcome.case.provenance["request"] == {"place": 2.0}


def test_a_copy_counts_as_missed_and_is_generated_again(
    sampler: Scripted, gate: CopySearch
) -> None:
    request = case_requests(sampler.run, [{"place": 1.0}], 0)[0]
    kept = sample_case(sampler, request, 5)
    assert kept.case is not None and kept.case.provenance["tries"] == 2
    gated = sample_case(sampler, request, 5, gate)
    assert [draw.copy for draw in gated.draws] == [False, True, False]
    assert gated.case is not None and gated.case.provenance["copies_rejected"] == [1]
    with pytest.raises(InputError, match="and was a copy of a training case 1 times"):
        sample_one(sampler, {"place": 1.0}, 0, 2, gate)


def test_after_a_copy_no_earlier_candidate_is_drawn_again(
    sampler: Scripted, gate: CopySearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    own = Scripted.candidates

    def counted(self: Scripted, request: CaseRequest, first: int = 0) -> Iterator[Candidate]:
        for candidate in own(self, request, first):
            drawn.append(candidate.measured["place"])
            yield candidate

    monkeypatch.setattr(Scripted, "candidates", counted)
    sample_case(sampler, case_requests(sampler.run, [{"place": 1.0}], 0)[0], 5, gate)
    assert drawn == [0.0, 1.0, 2.0]


def test_a_case_edited_from_a_training_case_is_no_copy_of_it(
    breasts: tuple[Cohort, Cohort], gate: CopySearch
) -> None:
    real = breasts[0]
    scan = real.read(real.cases[4])
    match = gate.match(scan)
    assert match is not None and match.case == real.cases[4].name
    assert gate.match(scan, {"parent": real.cases[4].name}) is None
    of_another = {"parent": real.cases[4].name, "parent_images": real.cases[3].images_digest()}
    assert gate.match(scan, of_another) is not None


def test_a_cohort_reports_its_copies_and_a_killed_one_goes_on(
    sampler: Scripted, gate: CopySearch, tmp_path: Path
) -> None:
    requests = case_requests(sampler.run, [{"place": 0.0}, {"place": 1.0}, {"place": 9.0}], 0)
    made = sample_cohort(sampler, requests[:1], tmp_path / "out", 4, lambda: gate)
    assert made.copies_rejected == 0
    made = sample_cohort(sampler, requests, tmp_path / "out", 4, lambda: gate)
    assert len(made.cohort.cases) == 2 and made.copies_rejected == 1 and made.gated
    assert [fault.file for fault in made.faults] == ["synthetic_0002"]
    assert made.figures["copies_rejected"].value == pytest.approx(1 / 8)
    again = sample_cohort(sampler, requests, tmp_path / "out", 4, lambda: gate)
    assert again.draws == made.draws
    met = requests[:2]
    sample_cohort(sampler, met, tmp_path / "out", 4, partial(pytest.fail, "nothing is left to do"))
    told = json.loads((tmp_path / "out/dataset.json").read_text())["vesalius"]["made"]
    assert told["copy_gate"] is True


def test_several_processes_write_the_same_cohort(
    sampler: Scripted, gate: CopySearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [0.0, 1.0, 9.0, 2.0, 1.0]
    requests = case_requests(sampler.run, [{"place": one} for one in places], 0)
    alone = sample_cohort(sampler, requests, tmp_path / "alone", 4, lambda: gate)
    monkeypatch.setenv("VESALIUS_WORKERS", "2")
    shared = sample_cohort(sampler, requests, tmp_path / "shared", 4, lambda: gate)
    assert shared.draws == alone.draws and shared.copies_rejected == 2
    assert shared.faults == alone.faults
    for one, other in zip(alone.cohort.cases, shared.cohort.cases, strict=True):
        assert one.images_digest() == other.images_digest()
        assert one.provenance() == other.provenance()


@pytest.mark.parametrize(("in_32_bits", "expected"), [(True, "32-true"), (False, None)])
def test_a_worker_keeps_its_precision_unless_the_sender_has_none_better(
    in_32_bits: bool, expected: str | None, sampler: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VESALIUS_PRECISION", "")  # put back afterwards
    monkeypatch.delenv("VESALIUS_PRECISION")
    trial = Trial(case_requests(sampler.run, [{"place": 0.0}], 0)[0])
    here = _Sampling(sampler, 3, in_32_bits, os.getpid())
    assert isinstance(here(trial), Trial) and chosen_precision() is None
    assert isinstance(replace(here, sender=-1)(trial), Trial)
    assert chosen_precision() == expected


def test_a_resumed_request_is_checked_to_be_the_same_one(sampler: Scripted, tmp_path: Path) -> None:
    requests = case_requests(sampler.run, [{"place": 0.0}], 0)
    sample_cohort(sampler, requests, tmp_path / "out")
    with pytest.raises(InputError, match="of another request"):
        sample_cohort(sampler, case_requests(sampler.run, [{"place": 1.0}], 0), tmp_path / "out")
    with pytest.raises(InputError, match="of another seed"):
        sample_cohort(sampler, case_requests(sampler.run, [{"place": 0.0}], 1), tmp_path / "out")
    with pytest.raises(InputError, match="was made with tries 10, not 3"):
        sample_cohort(sampler, requests, tmp_path / "out", 3)


def test_first_draws_are_measured_and_not_finished(sampler: Scripted) -> None:
    requests = case_requests(sampler.run, [{"place": 0.0}, {"place": 1.0}], 0)
    draws = first_draws(sampler, requests)
    assert [draw.accepted for draw in draws] == [True, False] and sampler.finished == 0


def test_nothing_requested_is_refused(sampler: Scripted, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are none"):
        sample_cohort(sampler, [], tmp_path / "out")


def test_a_gate_that_is_refused_leaves_the_folder_free(sampler: Scripted, tmp_path: Path) -> None:
    requests = case_requests(sampler.run, [{"place": 0.0}], 0)

    def refused() -> CopySearch:
        raise InputError("cohort", "has 1 training cases", "check its splits")

    with pytest.raises(InputError, match="1 training cases") as kept:
        sample_cohort(sampler, requests, tmp_path / "out", gate=refused)
    assert kept.traceback  # as a notebook keeps it, with all that it refers to
    sample_cohort(sampler, requests, tmp_path / "out", gate=CopySearchOfNothing)


class CopySearchOfNothing:
    """Finds nothing."""

    def match(self, scan: LabelledScan, provenance: object) -> None:
        """No case."""
