"""Readers of known skill answer a study through its server; results tell what they can."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import Making  # type: ignore[import-not-found]
from fastapi.testclient import TestClient

from benchmarks.simulated_readers import EVERYONE, Crowd, decided
from vesalius.readers.answers.store import Store
from vesalius.readers.results.reporting import report_results
from vesalius.readers.serving.app import create_app

READERS, CASES, SKILLS = 6, 60, (1.0, 2.0)


def test_what_readers_can_comes_back_from_the_server(make: Making, tmp_path: Any) -> None:
    study = make("diagnosis", readers=READERS, cohort="many", aid="maps-of-many", cases=CASES,
                 practice=0, repeats=6, washout_days=0)  # fmt: skip
    store, key, rng = Store.at(study), study.key(), np.random.default_rng(0)
    crowd = Crowd.generated(rng, READERS, *SKILLS)
    positive = np.array([item.truth == "yes" for item in key])
    scores, again = (crowd.scores(rng, positive.astype(float)) for _ in range(2))
    with TestClient(create_app(study, store)) as client:
        for reader, token in enumerate(study.tokens()):
            client.headers["Authorization"] = f"Bearer {token}"
            for number, step in enumerate(study.steps(reader)):
                said = again if step.kind == "repeat" else scores
                reported = decided(said[int(step.aided), reader, step.item])
                body = {"key": f"key-{number:08}", "sitting": "sitting-1", "seconds": 1.0,
                        "content": reported}  # fmt: skip
                assert client.post(f"/api/steps/{number}", json=body).status_code == 200
    found = report_results(study, store, tmp_path / "out").figures
    right = np.where(positive, scores > 0, scores < 0)
    everyone = Crowd.generated(rng, EVERYONE, *SKILLS)
    sensitivity, area = everyone.sensitivity().mean(axis=1), everyone.auc().mean(axis=1)
    known = {}
    for condition, name in enumerate(("unaided", "aided")):
        for side, rows in (("sensitivity", positive), ("specificity", ~positive)):
            reported = found[f"{name}/{side}"].value
            assert reported == pytest.approx(right[condition][:, rows].mean())
            known[f"{name}/{side}"] = sensitivity[condition]
        known[f"{name}/auc"] = area[condition]
        known[f"agreement/{name}/alpha"] = crowd.decision_alpha(condition)
    known["aided_minus_unaided/auc"] = area[1] - area[0]
    known["aided_minus_unaided/sensitivity"] = sensitivity[1] - sensitivity[0]
    missed = [n for n, true in known.items() if not found[n].ci95[0] <= true <= found[n].ci95[1]]
    assert len(missed) <= len(known) // 10, missed
    assert found["aided_minus_unaided/auc"].ci95[0] > 0
