"""Stages of an experiment: each is done once, timed, and skipped when a killed run goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, Field

from vesalius.scans.formats.json_file import read_json, write_json
from vesalius.scans.input_error import InputError
from vesalius.scans.output import hold
from vesalius.scans.writing import make_folder

FORMAT = 1


class _Before(BaseModel):
    """What an earlier process left."""

    settings: str
    seconds: dict[str, float] = Field(default_factory=dict)
    done: list[str] = Field(default_factory=list)
    specified: dict[str, str] = Field(default_factory=dict)


class Stages:
    """Keeps `stages.json`: the settings, the seconds each stage took, what was specified first.

    Args:
        folder: of the experiment.
        settings: digest of all settings; a folder of other settings is refused.

    >>> import tempfile; folder = Path(tempfile.mkdtemp())
    >>> Stages(folder, "abc").run("greet", lambda: print("hello"))
    hello
    >>> Stages(folder, "abc").run("greet", lambda: print("hello"))
    """

    def __init__(self, folder: str | Path, settings: str) -> None:
        self.folder = make_folder(folder)
        self._file = self.folder / "stages.json"
        if not self._file.exists() and any(p.name[0] != "." for p in self.folder.iterdir()):
            fault = "holds files of something else"
            raise InputError(self.folder, fault, "choose a new or empty folder")
        hold(self.folder)
        before = _Before(settings=settings)
        if self._file.exists():
            before = read_json(self._file, _Before, "choose a new folder", FORMAT)
            if before.settings != settings:
                fault = "holds an experiment with other settings"
                raise InputError(self.folder, fault, "choose a new folder")
        self._settings = settings
        self.seconds = dict(before.seconds)
        self._done = list(before.done)
        self._specified = dict(before.specified)
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

    def specified(self, subject: str, digest: str) -> str:
        """The digest that was kept of a subject first; this one, if no stage of it is done yet.

        Empty where stages were done before anything was specified.
        """
        if subject not in self._specified:
            started = any(name.startswith(f"{subject} ") or not subject for name in self._done)
            self._specified[subject] = "" if started else digest
            self._write()
        return self._specified[subject]

    def forget(self, name: str) -> None:
        """Take a stage for not done, as where what it left is gone."""
        self._done = [one for one in self._done if one != name]
        self.seconds.pop(name, None)

    def _write(self) -> None:
        content = {
            "settings": self._settings, "seconds": self.seconds, "done": self._done,
            "specified": self._specified,
        }  # fmt: skip
        write_json(self._file, content, FORMAT)
