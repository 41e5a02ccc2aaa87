"""How long work tells how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Progress = Callable[[str, int, int], None]
"""Called as `progress(what, done, total)`."""

Item = TypeVar("Item")


def no_progress(what: str, done: int, total: int) -> None:
    """Listen to nothing."""


def track(items: Iterable[Item], what: str, total: int, progress: Progress) -> Iterator[Item]:
    """Pass the items on and tell after each how many there were.

    >>> list(track("ab", "letters", 2, lambda *reported: print(*reported)))
    letters 1 2
    letters 2 2
    ['a', 'b']
    """
    for done, item in enumerate(items, start=1):
        yield item
        progress(what, done, total)
