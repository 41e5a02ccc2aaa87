"""Pipelines that other processes can generate with: they travel as the path of their run.

Networks are loaded once by each process that a pipeline reaches, and anew when files of the run
have changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from vesalius.training.run import Run

Stamp = tuple[tuple[str, int, int], ...]
"""Name, size and time of each file of a run, which change when it is fitted anew."""

_loading = threading.Lock()


class Travelling:
    """A pipeline that is pickled as its run's folder and how it was set."""

    run: Any

    def chosen(self) -> tuple[Any, ...]:
        """What the pipeline is made with beside the run, in the order of its class: hashable."""
        return ()

    def __copy__(self) -> Self:
        """A pipeline of the same networks, which may be set otherwise."""
        result = object.__new__(type(self))
        vars(result).update(vars(self))
        return result

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        folder = Path(self.run.folder).absolute()
        return _arrived, (type(self), type(self.run.recipe), folder, _stamp(folder), self.chosen())


def _stamp(folder: Path) -> Stamp:
    files = [one for one in sorted(folder.iterdir()) if one.is_file()]
    return tuple((one.name, one.stat().st_size, one.stat().st_mtime_ns) for one in files)


def _arrived(
    kind: Callable[..., Any], settings: Any, folder: Path, stamp: Stamp, chosen: tuple[Any, ...]
) -> Any:
    with _loading:
        return _opened(kind, settings, folder, stamp, chosen)


@lru_cache(maxsize=2)
def _opened(
    kind: Callable[..., Any], settings: Any, folder: Path, stamp: Stamp, chosen: tuple[Any, ...]
) -> Any:
    return kind(Run.open(folder, settings), *chosen)
