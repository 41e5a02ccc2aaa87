"""What networks that predict learn from, and who is called by which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vesalius.methods.progression.choosing import ranked_probability_score
from vesalius.methods.progression.evaluator import AttributeEvaluator, EvaluatorObjective
from vesalius.methods.progression.forecasting import (
    completed,
    folds_of,
    followed_by,
    predict_changes,
    predicted_of,
)
from vesalius.methods.progression.method import Progression
from vesalius.methods.progression.recipe import PRESETS, EvaluatorRecipe, ProgressionRecipe
from vesalius.scans.visits import Visits
from vesalius.training import fit as training


def _visits() -> Visits:
    """Three patients: three visits, two of which one is not measured, and one."""
    subjects = ("a", "a", "a", "b", "b", "c")
    years = np.array([0.0, 2.0, 8.0, 0.0, 4.0, 0.0])
    space = np.array([5.0, 4.0, 1.0, 6.0, np.nan, 3.0])
    return Visits(
        np.random.default_rng(0).random((6, 1, 16, 16)), tuple("uvwxyz"), subjects, years,
        np.zeros(6, bool), {"space_mm": space}, ("",) * 6, subjects,
    )  # fmt: skip


def _constant(value: float) -> AttributeEvaluator:
    """A network that tells the same of every picture."""
    network = AttributeEvaluator(1, ("x",), EvaluatorRecipe(width=4))
    network.std.zero_()
    network.mean.copy_(torch.tensor([value]))
    return network


def test_what_is_not_known_is_read_off_the_picture() -> None:
    found = completed(_visits(), ("space_mm",), _constant(2.5)).attributes["space_mm"]
    assert found.tolist() == [5.0, 4.0, 1.0, 6.0, 2.5, 3.0]


def test_every_visit_that_others_followed_is_learnt_from_with_the_drift_from_then_on() -> None:
    found = followed_by(_visits(), ("space_mm",))
    assert found.names == ("u", "v")  # the last visit, and those without a measured one after
    assert np.allclose(found.attributes["space_mm_a_year"], [-0.5, -0.5])
    assert followed_by(_visits().taken([5]), ("space_mm",)).names == ()


def test_patients_are_told_by_the_network_that_has_not_seen_them() -> None:
    visits = _visits()
    networks = [_constant(0.0), _constant(1.0), _constant(2.0)]
    folds = folds_of(visits.patients, 3)
    assert set(folds.values()) == {0, 1, 2}
    reported = predicted_of(networks, visits, folds)[:, 0]
    assert reported.tolist() == [folds[patient] for patient in visits.patients]


def test_patients_who_never_came_again_do_not_shift_the_folds_of_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Those who teach a forecaster are never told by it, whoever else is in the cohort."""
    rng = np.random.default_rng(0)
    subjects = tuple(f"s{number:02d}" for number in range(40) for _ in range(2 - number % 3 // 2))
    visit = [subjects[:row].count(one) for row, one in enumerate(subjects)]
    space = rng.uniform(3, 6, len(subjects))
    space[5::7] = np.nan
    visits = Visits(
        rng.random((len(subjects), 1, 16, 16)), tuple(f"v{n}" for n in range(len(subjects))),
        subjects, 4.0 * np.array(visit), np.zeros(len(subjects), bool),
        dict.fromkeys(ProgressionRecipe().attributes, space), ("",) * len(subjects), subjects,
    )  # fmt: skip
    taught: dict[str, set[str]] = {}
    inner = training.fit_network

    def spied(objective: Any, cases: int, recipe: Any, seed: int, part: str, *rest: Any) -> None:
        if isinstance(objective, EvaluatorObjective):
            pictures = {image.tobytes() for image in objective.images}
            taught[part] = {
                subject for image, subject in zip(visits.images, subjects, strict=True)
                if image.tobytes() in pictures
            }  # fmt: skip
        inner(objective, cases, recipe, seed, part, *rest)

    monkeypatch.setattr(training, "fit_network", spied)
    prepared = training.prepare(Progression(), visits, PRESETS["smallest"])
    training.fit(prepared, tmp_path / "run")
    folds = folds_of(prepared.data.training.patients, 3)
    for fold in range(3):
        assert {folds[one] for one in taught[f"forecaster_{fold + 1}"]} == {0, 1, 2} - {fold}
    halves = folds_of(prepared.data.training.patients, 2)
    assert {halves[one] for one in taught["reader"]} == {0}
    assert {halves[one] for one in taught["meter"]} == {1}


def test_the_mean_of_all_tells_others() -> None:
    visits, networks = _visits(), (_constant(0.0), _constant(1.0))
    assert (predict_changes(networks, visits.images) == 0.5).all()


def test_the_score_is_least_where_fates_are_as_likely_as_they_are_many() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((2000, 1)) < 0.25).astype(float)
    scores = {
        share: ranked_probability_score(
            np.repeat((np.arange(20) < 20 * share).astype(float)[None, :, None], 2000, axis=0),
            truth,
        )
        for share in (0.0, 0.25, 0.5, 1.0)
    }
    assert min(scores, key=lambda share: scores[share]) == 0.25
