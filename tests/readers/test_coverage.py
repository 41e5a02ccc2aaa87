"""Intervals of whole studies hold what simulated readers truly can, as often as they promise."""

from __future__ import annotations

from collections import Counter

from benchmarks.reader_intervals import Size, decisions, ratings

SIZE = Size(readers=6, cases=80, studies=200)


def _nominal(held: Counter[str]) -> bool:
    return all(0.90 <= count / SIZE.studies <= 0.99 for count in held.values())


def test_decisions_with_and_without_an_aid() -> None:
    held = decisions(SIZE)
    assert len(held) == 16 and _nominal(held), held


def test_ratings_of_real_and_synthetic_cases() -> None:
    held = ratings(SIZE)
    assert len(held) == 7 and _nominal(held), held
