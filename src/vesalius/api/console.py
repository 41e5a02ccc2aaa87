"""Progress bars with the time left, in a terminal and in a notebook alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from vesalius.scans.progress import Progress as Report

console = Console(highlight=False)


@contextmanager
def bars(given: Report | None = None) -> Iterator[Report]:
    """Progress bars for as many kinds of work as come, each with the time left.

    Where the output is neither terminal nor notebook, one line is printed when a kind of work is
    done.

    Parameters
    ----------
    given
        who is called instead.
    """
    if given is not None:
        yield given
        return
    alive = console.is_terminal or console.is_jupyter
    shown = Progress(
        TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=console,
        disable=not alive,
    )  # fmt: skip
    tasks: dict[str, TaskID] = {}

    def report(what: str, done: int, total: int) -> None:
        if not alive:
            if done == total:
                console.print(f"{what}: {total} done")
            return
        if what not in tasks:
            tasks[what] = shown.add_task(what, total=total)
        shown.update(tasks[what], completed=done, total=total)

    with shown:
        yield report
