"""Work by case, shared by processes of this machine or by the workers of a Dask cluster.

What comes of a case is a function of the case alone, so who works on it changes no byte. A process
that dies is replaced, and its case is done again.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from typing import Any, Generic, TypeVar

from vesalius.scans.computing import (
    available_processors,
    chosen_cluster,
    set_threads,
    settings_for_others,
    take_settings,
    thread_count_chosen,
)
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, track

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES = 3
"""How often a case is tried where processes die over it."""

AHEAD = 4
"""Cases that wait for each process."""

CONNECT_SECONDS = 20


def each(
    work: Callable[[Item], Result], items: Sequence[Item], what: str, progress: Progress,
    workers: int = 1,
) -> Iterator[Result]:  # fmt: skip
    """What `work` makes of each item, in their order.

    Args:
        work: of one item; a function that can be pickled where there are several workers.
        items: such as cases.
        what: is done, for the progress bar.
        progress: called after each.
        workers: processes of this machine; a cluster that was chosen has its own.

    Raises:
        InputError: for a cluster that cannot be reached, or a case at which processes die.

    >>> list(each(abs, [-1, 2, -3], "taking sizes", lambda *reported: None))
    [1, 2, 3]
    """
    address = chosen_cluster()
    if address:
        results = _on_cluster(work, items, address)
    elif workers > 1 and len(items) > AHEAD - 1:
        results = _in_processes(work, items, workers)
    else:
        results = map(work, items)
    return track(results, what, len(items), progress)


def _in_processes(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[Result]:
    """Results in order; a pool whose process died is made anew for what it had not finished."""
    own_main = b"__main__" in pickle.dumps(work) or any(
        type(item).__module__ == "__main__" for item in items
    )  # fmt: skip
    done: dict[int, Future[Result]] = {}
    tries = [0] * len(items)
    given = 0
    while given < len(items):
        with ProcessPoolExecutor(
            workers, get_context("spawn"), initializer=_begin, initargs=(workers,)
        ) as pool:  # fmt: skip
            waiting: dict[Future[Result], int] = {}
            left = [row for row in range(given, len(items)) if row not in done]
            try:
                while left or waiting:
                    while left and len(waiting) + len(done) < AHEAD * workers:
                        row = left.pop(0)
                        tries[row] += 1
                        with nullcontext() if own_main else _without_main():
                            waiting[pool.submit(work, items[row])] = row
                    finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for one in finished:
                        if isinstance(one.exception(), BrokenProcessPool):
                            one.result()
                        done[waiting.pop(one)] = one
                    while given in done:
                        yield done.pop(given).result()
                        given += 1
            except BrokenProcessPool as error:
                if max(tries[row] for row in range(given, len(items))) >= TRIES:
                    fault = f"ended {TRIES} processes that worked on it or on one beside it"
                    place = str(items[given])[:80]
                    raise InputError(place, fault, "free memory, or use fewer workers") from error
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


_hiding = threading.Lock()


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the user's script from processes that are started meanwhile: they would run it again."""
    main = vars(sys.modules["__main__"])
    with _hiding:
        hidden: dict[str, Any] = {n: main[n] for n in ("__file__", "__spec__") if n in main}
        main.update(dict.fromkeys(hidden))
        try:
            yield
        finally:
            main.update(hidden)


def _begin(workers: int) -> None:
    """What each process begins with: it ends with its parent, and leaves the others their share."""
    end_with_parent()
    if not thread_count_chosen():
        set_threads(max(1, available_processors() // workers))


def _on_cluster(
    work: Callable[[Item], Result], items: Sequence[Item], address: str
) -> Iterator[Result]:
    """Results in order from the workers of a Dask cluster, which replaces those that die."""
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise InputError("--cluster", "needs Dask", "pip install 'vesalius[cluster]'") from error
    try:
        client: Any = Client(address, timeout=CONNECT_SECONDS)
    except OSError as error:
        fault = f"{address} cannot be reached ({str(error) or type(error).__name__})"
        raise InputError(
            "--cluster", fault, "start a scheduler there, or check its port"
        ) from error
    with client:
        configured = _Configured(work, settings_for_others())
        most = AHEAD * max(1, sum(client.ncores().values()))
        waiting: deque[tuple[Item, Any]] = deque()
        coming = iter(items)
        while True:
            for item in islice(coming, most - len(waiting)):
                waiting.append(
                    (item, client.submit(configured, item, pure=False, retries=TRIES - 1))
                )
            if not waiting:
                return
            item, one = waiting.popleft()
            try:
                yield one.result()
            except KilledWorker as error:
                fault = "ended every worker of the cluster that worked on it"
                raise InputError(str(item)[:80], fault, "give workers more memory") from error
            one.release()


@dataclass(frozen=True)
class _Configured(Generic[Item, Result]):
    """Work for a worker whose own process was not given device, precision and threads."""

    work: Callable[[Item], Result]
    settings: Mapping[str, str]

    def __call__(self, item: Item) -> Result:
        take_settings(self.settings)
        return self.work(item)


def end_with_parent() -> None:
    """End this worker when the process that shares out the work is killed: nobody else would."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
