"""What takes minutes and is asked for again until it is there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress

T = TypeVar("T")


class Background(Generic[T]):
    """Works in a thread of its own, from when it is first asked on.

    Args:
        work: called once, with who is told of progress.

    Attributes:
        progress: what is being done, and how far it is.

    >>> import time
    >>> sums = Background(lambda progress: sum(range(5)))
    >>> while (found := sums.result()) is None:
    ...     time.sleep(0.01)
    >>> found
    10
    """

    def __init__(self, work: Callable[[Progress], T]) -> None:
        self.progress: dict[str, Any] = {}
        self._work = work
        self._found: T | None = None
        self._refusal: InputError | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def result(self) -> T | None:
        """What came of it, or `None` while it is worked on.

        Raises:
            InputError: as the work did.
        """
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
        if self._refusal is not None:
            raise self._refusal
        return self._found

    def _run(self) -> None:
        def report(what: str, done: int, total: int) -> None:
            self.progress = {"what": what, "done": done, "total": total}

        try:
            self._found = self._work(report)
        except InputError as refusal:
            self._refusal = refusal
        except Exception as error:  # whoever waits is told, whatever went wrong
            fault = f"ended with {type(error).__name__}: {error}"
            self._refusal = InputError("workbench", fault, "see whether all files can be read")
