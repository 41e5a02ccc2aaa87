"""The examples run, and a data set of a run is what they say it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch.utils.data import Dataset

import vesalius as vs
from benchmarks.on_the_fly import Kept
from examples import on_the_fly
from vesalius.scans.cohort import Cohort
from vesalius.training.run import Run


def test_training_on_cases_as_they_are_generated_equals_training_on_the_same_made_in_advance(
    small_run: Run, unseen: Cohort
) -> None:
    model = vs.load(small_run.folder)
    numbers = sorted(unseen.description.labels.values())

    def fresh(epoch: int) -> Dataset[Any]:
        return vs.SyntheticDataset(
            model, {"ventricle_volume_ml": (20, 40)}, length=2, seed=3, tries=40
        )

    kept = Kept(fresh(0))  # type: ignore[arg-type]
    networks = [on_the_fly.train(cases, numbers, 2, 0) for cases in (fresh, lambda _: kept)]
    tested = on_the_fly.on_grid(model, unseen)[:2]
    label = unseen.description.labels["lateral_ventricles"]
    scores = [on_the_fly.dice(network, tested, numbers, label) for network in networks]
    assert len(scores[0]) == 2
    np.testing.assert_array_equal(*scores)


def test_the_example_prints_what_it_found(
    small_run: Run, unseen: Cohort, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(on_the_fly, "CASES", 2)
    monkeypatch.setattr(on_the_fly, "EPOCHS", 1)
    on_the_fly.main(str(small_run.folder), str(unseen.folder), "ventricle_volume_ml=18:24")
    assert f"Dice of {len(unseen.cases)} unseen cases: 0." in capsys.readouterr().out
