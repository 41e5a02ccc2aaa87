"""Intervals of whole studies hold what simulated readers truly can, as often as they promise."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmarks.reader_intervals import Size, decisions, ratings
from benchmarks.simulated_readers import Crowd
from vesalius.evidence import agreement
from vesalius.evidence.multireader import each_pair, jackknifed_auc

SIZE = Size(readers=6, cases=80, studies=200)


@pytest.fixture(autouse=True)
def _fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends of an interval wobble a little more, which over all studies averages out."""
    monkeypatch.setattr(agreement, "RESAMPLES", 200)


def _nominal(held: Counter[str]) -> bool:
    return all(0.90 <= count / SIZE.studies <= 0.99 for count in held.values())


def test_decisions_with_and_without_an_aid() -> None:
    held = decisions(SIZE)
    assert len(held) == 16 and _nominal(held), held


def test_no_gain_is_found_where_there_is_none() -> None:
    rng, held = np.random.default_rng(0), 0
    for _ in range(SIZE.studies):
        scores = Crowd.generated(rng, SIZE.readers, 1.0, 1.0).scores(rng, SIZE.positive)
        gap = each_pair(jackknifed_auc(scores, SIZE.positive.astype(int)))[0, 1]
        held += gap.low <= 0 <= gap.high
    assert 0.90 <= held / SIZE.studies <= 0.99, held


def test_ratings_of_real_and_synthetic_cases() -> None:
    held = ratings(SIZE)
    assert len(held) == 7 and _nominal(held), held
