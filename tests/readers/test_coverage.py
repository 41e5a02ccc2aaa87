"""Intervals of whole studies hold what simulated readers truly can, as often as they promise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from simulated import EVERYONE, Crowd, Raters, decided  # type: ignore[import-not-found]

from vesalius.evidence.agreement import alpha
from vesalius.evidence.figure import Figure
from vesalius.readers.results.diagnosis import diagnosis_figures
from vesalius.readers.results.readings import Reading
from vesalius.readers.results.realism import realism_figures

STUDIES, READERS, CASES, MANY, SKILLS = 200, 6, 80, 400, (1.0, 1.4)
TRUTH = np.repeat([0.0, 1.0], CASES // 2)
WORTH = np.where(TRUTH == 1, 2.8, 3.3)  # of synthetic and of real cases


def _reading(reader: int, case: int, truth: str, aided: bool, content: Mapping) -> Reading:  # type: ignore[type-arg]
    return Reading(reader, case, f"case {case}", truth, "main", 1 + aided, aided, (),
                   dict(content), 1.0, 0)  # fmt: skip


def _icc(many: np.ndarray) -> float:
    """ICC(2,1) of all readers and cases there could be, from many of both `(R, N)`."""
    return float(many.mean(axis=0).var() / many.var())


def _rate(held: Counter[str], known: Mapping[str, float], found: Mapping[str, Figure]) -> None:
    for name, true in known.items():
        low, high = found[name].ci95  # type: ignore[misc]
        held[name] += low <= true <= high


def _nominal(held: Counter[str]) -> bool:
    return all(0.90 <= count / STUDIES <= 0.99 for count in held.values())


def test_decisions_with_and_without_an_aid() -> None:
    chance, held = np.random.default_rng(0), Counter[str]()
    everyone = Crowd.drawn(chance, EVERYONE, *SKILLS)
    right, area = everyone.sensitivity().mean(axis=1), everyone.auc().mean(axis=1)
    scores, _ = Crowd.drawn(chance, MANY, *SKILLS).scores(chance, np.tile(TRUTH, MANY // 2))
    known = {
        "unaided/sensitivity": right[0], "aided/sensitivity": right[1],
        "unaided/specificity": right[0], "aided_minus_unaided/sensitivity": right[1] - right[0],
        "unaided/auc": area[0], "aided/auc": area[1], "aided_minus_unaided/auc": area[1] - area[0],
        "agreement/unaided/icc": _icc(scores),
    }  # fmt: skip
    for _ in range(STUDIES):
        crowd = Crowd.drawn(chance, READERS, *SKILLS)
        scores = crowd.scores(chance, TRUTH)
        readings = [
            _reading(reader, case, "yes" if TRUTH[case] else "no", bool(aided),
                     decided(scores[aided, reader, case]))
            for aided in range(2) for reader in range(READERS) for case in range(CASES)
        ]  # fmt: skip
        own = {
            f"agreement/{name}/decision/alpha": crowd.decision_alpha(condition)
            for condition, name in enumerate(("unaided", "aided"))
        }
        _rate(held, known | own, diagnosis_figures(readings, range(READERS)))
    assert _nominal(held), held


def test_ratings_of_real_and_synthetic_cases() -> None:
    chance, held = np.random.default_rng(0), Counter[str]()
    ratings = Raters.drawn(chance, MANY).ratings(chance, np.tile(WORTH, MANY // 2))
    synthetic = np.tile(TRUTH == 1, MANY // 2)
    means = ratings[:, ~synthetic].mean(), ratings[:, synthetic].mean()
    known = {
        "real/appearance": means[0], "synthetic/appearance": means[1],
        "synthetic_minus_real/appearance": means[1] - means[0],
        "agreement/appearance/icc": _icc(ratings),
    }  # fmt: skip
    for _ in range(STUDIES):
        raters = Raters.drawn(chance, READERS)
        ratings = raters.ratings(chance, WORTH)
        readings = [
            _reading(reader, case, "synthetic" if TRUTH[case] else "real", False,
                     {"origin": "real" if ratings[reader, case] > 3 else "synthetic",
                      "appearance": int(ratings[reader, case])})
            for reader in range(READERS) for case in range(CASES)
        ]  # fmt: skip
        own = alpha(raters.ratings(chance, np.tile(WORTH, 50)), "ordinal")
        _rate(held, known | {"agreement/appearance/alpha": own},
              realism_figures(readings, range(READERS)))  # fmt: skip
    assert _nominal(held), held
