"""Stages of a protocol: each is done once, timed, and skipped when a killed run goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vesalius.scans.description import write_text
from vesalius.scans.fault import Refused, make_folder


class Stages:
    """Keeps `stages.json`: the settings of the protocol, and the seconds each stage took.

    Args:
        folder: of the protocol.
        settings: digest of all settings; a folder of other settings is refused.
        finished: called after each stage with its name.

    >>> import tempfile; folder = Path(tempfile.mkdtemp())
    >>> Stages(folder, "abc").run("greet", lambda: print("hello"))
    hello
    >>> Stages(folder, "abc").run("greet", lambda: print("hello"))
    """

    def __init__(
        self, folder: str | Path, settings: str, finished: Callable[[str], None] = lambda name: None
    ) -> None:
        self.folder = make_folder(folder)
        self._file = self.folder / "stages.json"
        self._finished = finished
        content: dict[str, Any] = {"settings": settings, "seconds": {}, "done": []}
        if self._file.is_file():
            content = json.loads(self._file.read_text())
            if content["settings"] != settings:
                fault = "holds a protocol with other settings"
                raise Refused(self.folder, fault, "choose a new folder")
        self._settings = settings
        self.seconds: dict[str, float] = dict(content["seconds"])
        self._done: list[str] = list(content["done"])
        self._write()

    def run(self, name: str, work: Callable[[], object]) -> None:
        """Do the work of a stage unless it was done. Time spent before a kill is not counted."""
        if name in self._done:
            return
        start = time.monotonic()
        work()
        self.seconds[name] = time.monotonic() - start
        self._done.append(name)
        self._write()
        self._finished(name)

    def _write(self) -> None:
        content = {"settings": self._settings, "seconds": self.seconds, "done": self._done}
        write_text(self._file, json.dumps(content, indent=2) + "\n")
