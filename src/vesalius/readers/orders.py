"""The order in which each reader sees the items: practice, shuffled, with repeats and sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from vesalius.training.recipe import Settings

StepKind = Literal["practice", "main", "repeat"]


class Step(Settings):
    """One look of a reader at one item.

    Attributes:
        item: number of it.
        kind: whether it counts, and whether it was seen before.
        session: 1, or 2 after the washout.
        aided: whether the aid is shown.
        arrangement: which of the item's maps stands first, second and so on.
    """

    item: int
    kind: StepKind
    session: int = 1
    aided: bool = False
    arrangement: tuple[int, ...] = ()


def order_of(
    items: int, practice: int, repeats: int, maps: int, seed: int, reader: int
) -> list[Step]:  # fmt: skip
    """One session: practice first, then all items shuffled, repeats after the middle.

    Items are numbered from 0, those of practice behind them.

    >>> steps = order_of(6, 1, 2, 0, seed=0, reader=3)
    >>> [step.kind for step in steps].count("repeat"), steps[0].item
    (2, 6)
    >>> sorted(step.item for step in steps if step.kind == "main")
    [0, 1, 2, 3, 4, 5]
    """
    rng = np.random.default_rng([seed, reader])
    shuffled = [int(item) for item in rng.permutation(items)]
    result = [Step(item=items + number, kind="practice") for number in range(practice)]
    main = _with_repeats(shuffled, min(repeats, items), rng)
    return [_arranged(step, maps, rng) for step in (*result, *main)]


def crossover(
    truths: Sequence[str], practice: int, repeats: int, seed: int, reader: int
) -> list[Step]:  # fmt: skip
    """Two sessions in which every item is seen, once with the aid and once without.

    Which half has the aid first changes from reader to reader; halves hold as many of each truth.
    Practice comes once of each kind at the beginning of both sessions; repeats in both, each as it
    was seen in that session.
    """
    half = _halves(truths, seed)
    result: list[Step] = []
    for session in (1, 2):
        rng = np.random.default_rng([seed, reader, session])

        def aided(item: int, session: int = session) -> bool:
            return (half[item] + reader + session) % 2 == 0

        shuffled = [int(item) for item in rng.permutation(len(truths))]
        own = repeats // 2 + (repeats % 2 if session == 1 else 0)
        main = _with_repeats(shuffled, min(own, len(truths)), rng)
        reported = [
            Step(item=len(truths) + number, kind="practice", aided=number % 2 == 1)
            for number in range(practice)
        ] + [step.model_copy(update={"aided": aided(step.item)}) for step in main]
        result += [step.model_copy(update={"session": session}) for step in reported]
    return result


def _halves(truths: Sequence[str], seed: int) -> Mapping[int, int]:
    rng = np.random.default_rng([seed, 10_007])
    half: dict[int, int] = {}
    turn = 0
    for truth in sorted(set(truths)):
        rows = [row for row, one in enumerate(truths) if one == truth]
        for row in rng.permutation(rows):
            half[int(row)] = turn % 2
            turn += 1
    return half


def _with_repeats(items: Sequence[int], repeats: int, rng: np.random.Generator) -> list[Step]:
    """Repeats of items of the first half stand among those of the second."""
    middle = max(1, len(items) // 2)
    again = [items[int(row)] for row in rng.permutation(middle)[:repeats]]
    later = [Step(item=item, kind="main") for item in items[middle:]]
    for item in again:
        later.insert(int(rng.integers(0, len(later) + 1)), Step(item=item, kind="repeat"))
    return [Step(item=item, kind="main") for item in items[:middle]] + later


def _arranged(step: Step, maps: int, rng: np.random.Generator) -> Step:
    if not maps:
        return step
    order = tuple(int(place) for place in rng.permutation(maps))
    return step.model_copy(update={"arrangement": order})
