"""A report that grows while its figures come in."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

EVERY_S = 30.0
"""Least time from one page to the next: a stage may take less than writing its page."""


class GrowingPage:
    """Called after each stage, it writes the page: the first time, and when the last one is old.

    Args:
        write: the page, as it stands.
        staged: called with a page that was written.

    >>> pages = []
    >>> grow = GrowingPage(lambda: Path("report.html"), pages.append)
    >>> grow("fit"); grow("control"); pages
    [PosixPath('report.html')]
    """

    def __init__(
        self, write: Callable[[], Path], staged: Callable[[Path], None] | None = None
    ) -> None:
        self.write, self.staged = write, staged
        self._written = -math.inf

    def __call__(self, stage: str) -> None:
        if time.monotonic() - self._written < EVERY_S:
            return
        page = self.write()
        self._written = time.monotonic()
        if self.staged is not None:
            self.staged(page)
