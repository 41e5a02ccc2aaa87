"""Pipelines that other processes and machines can draw with: they travel as the path of their run.

Networks are loaded once by each process that a pipeline reaches.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from vesalius.training.run import Run


class Travelling:
    """A pipeline that is pickled as its run's folder and how it was set."""

    run: Any

    def chosen(self) -> tuple[Any, ...]:
        """What the pipeline is made with beside the run, in the order of its class: hashable."""
        return ()

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        folder = Path(self.run.folder).absolute()
        return _arrived, (type(self), type(self.run.recipe), folder, *self.chosen())


@lru_cache(maxsize=4)
def _arrived(kind: Callable[..., Any], settings: Any, folder: Path, *chosen: Any) -> Any:
    return kind(Run.open(folder, settings), *chosen)
