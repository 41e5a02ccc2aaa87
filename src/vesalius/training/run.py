"""A run: the folder with what a fit produced. Loading it needs nothing but the folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, overload

from pydantic import BaseModel
from torch import nn
from typing_extensions import TypeVar

from vesalius.networks.weights import read_tensors, write_tensors
from vesalius.scans.formats.json_file import read_json, write_json
from vesalius.scans.formats.table import read_table, write_table
from vesalius.scans.input_error import InputError
from vesalius.scans.output import hold, let_go, rank, require_apart
from vesalius.scans.writing import append_line, make_folder, remove_if_there, write_text
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.recipe import Settings
from vesalius.training.tracking import trackers

Other = TypeVar("Other", bound=Settings)
Seen = TypeVar("Seen", bound=Settings, default=Fingerprint)
"""What was measured on the data that was learnt from; scans unless said otherwise."""

Noted = TypeVar("Noted", bound=BaseModel)

FORMAT, AGAIN = 1, "fit this run again"


@dataclass(frozen=True)
class Run(Generic[Seen]):
    """Recipe, fingerprint, one `.safetensors` a part, log, card, and `state/` while unfinished."""

    folder: Path
    recipe: Settings
    fingerprint: Seen

    @property
    def name(self) -> str:
        """Hash of recipe and fingerprint: two runs of one name hold the same."""
        return f"{self.recipe.digest[:6]}{self.fingerprint.digest[:6]}"

    @classmethod
    def create(
        cls, folder: str | Path, recipe: Settings, fingerprint: Seen,
        inputs: Sequence[str | Path] = (),
    ) -> Run[Seen]:  # fmt: skip
        """Begin a run, or go on with one of the same recipe and cohort, and hold its folder.

        Raises:
            InputError: if the folder holds another run or other files, is an input, or is being
                written to by another process.
        """
        require_place(folder, *inputs)
        folder = make_folder(folder)
        run = cls(folder, recipe, fingerprint)
        hold(folder, shared=True)
        try:
            run._begin()
        except BaseException:
            run.release()
            raise
        return run

    def _begin(self) -> None:
        present = [(self.folder / f"{one}.json").exists() for one in ("recipe", "fingerprint")]
        if present == [True, False]:  # killed between the two
            known = read_json(self.folder / "recipe.json", type(self.recipe), AGAIN, FORMAT)
            if known != self.recipe:
                raise InputError(
                    self.folder, "holds a run of another recipe", "choose a new folder"
                )
        elif present[0]:
            old: Run[Any] = Run.open(self.folder, type(self.recipe), type(self.fingerprint))
            if old.name != self.name:
                fault = f"holds run {old.name}, made by another recipe or from another cohort"
                raise InputError(self.folder, fault, "choose a new folder for this run")
        for name, settings in (("recipe", self.recipe), ("fingerprint", self.fingerprint)):
            self.note(name, settings.dumped())
        make_folder(self.state)

    def finish(self) -> None:
        """Remove the state, once all else is written, and let the folder go."""
        shutil.rmtree(self.state, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Let the folder go, for others to write to."""
        let_go(self.folder)

    @overload
    @classmethod
    def open(cls, folder: str | Path, recipe: type[Settings]) -> Run: ...

    @overload
    @classmethod
    def open(
        cls, folder: str | Path, recipe: type[Settings], fingerprint: type[Other]
    ) -> Run[Other]: ...

    @classmethod
    def open(
        cls, folder: str | Path, recipe: type[Settings], fingerprint: type[Any] = Fingerprint
    ) -> Run[Any]:
        """Open a run, or refuse with what is missing or damaged."""
        folder = Path(folder)
        for name in ("recipe.json", "fingerprint.json"):
            if not (folder / name).exists():
                raise InputError(
                    folder, f"holds no {name}", "point at a folder made by vesalius fit"
                )
        remedy = "point at a run of this method and version"
        return cls(
            folder,
            read_json(folder / "recipe.json", recipe, remedy, FORMAT),
            read_json(folder / "fingerprint.json", fingerprint, remedy, FORMAT),
        )

    @property
    def state(self) -> Path:
        """Where an unfinished fit keeps what it needs to go on."""
        return self.folder / "state"

    def has(self, part: str) -> bool:
        """Whether the weights of a part are finished."""
        return (self.folder / f"{part}.safetensors").is_file()

    def save(self, part: str, module: nn.Module) -> None:
        """Write the weights of a part, whole or not at all."""
        write_tensors(self.folder / f"{part}.safetensors", module.state_dict())

    def forget(self, part: str) -> None:
        """Remove the weights of a part that served others alone."""
        remove_if_there(self.folder / f"{part}.safetensors")

    def load(self, part: str, module: nn.Module) -> None:
        """Fill a module with the weights of a part, or refuse a missing or damaged file."""
        path = self.folder / f"{part}.safetensors"
        if not path.exists():
            raise InputError(path, "does not exist", "finish the fit: run the same command again")
        tensors, _ = read_tensors(path, AGAIN)
        try:
            module.load_state_dict(tensors)
        except RuntimeError as error:
            first = " ".join(str(error).split("\n\t")[1:2]) or str(error)
            raise InputError(path, f"holds no such weights ({first})", AGAIN) from error

    def write_card(self, lines: list[str]) -> None:
        """Write `card.md`: what this run is, from what, and what it must not be used for."""
        write_text(self.folder / "card.md", "\n".join(lines) + "\n")

    def note(self, name: str, content: dict[str, Any]) -> None:
        """Keep figures of a fit in `<name>.json`."""
        write_json(self.folder / f"{name}.json", content, FORMAT)

    def has_note(self, name: str) -> bool:
        """Whether `<name>.json` is there."""
        return (self.folder / f"{name}.json").exists()

    def noted(self, name: str, model: type[Noted]) -> Noted:
        """What was kept under a name, or `InputError` where it is missing or damaged."""
        return read_json(self.folder / f"{name}.json", model, AGAIN, FORMAT)


def require_place(folder: str | Path, *inputs: str | Path | None) -> None:
    """Refuse a folder that no run may be written to, before its cohort is read.

    Raises:
        InputError: for an input, or a folder with other files than those of a run.
    """
    require_apart(folder, *inputs)
    place = Path(folder)
    if rank() or not place.is_dir() or (place / "recipe.json").exists():
        return  # the first process decides for all
    if any(not path.name.startswith(".") for path in place.iterdir()):
        raise InputError(folder, "holds files that are no run", "choose a new folder")


class Log:
    """`log.csv`: part, step, loss, validation loss. Rows past a resumed step are taken back."""

    columns = ("part", "step", "loss", "validation")

    def __init__(self, path: Path, part: str, resumed_step: int) -> None:
        self.path, self.part = path, part
        self.trackers = trackers(path.parent, part, resumed_step)
        kept = []
        if path.exists():
            rows = list(read_table(path, self.columns, AGAIN))
            steps = [row["step"] for row in rows]
            if not all(step.isascii() and step.isdecimal() and len(step) < 12 for step in steps):
                raise InputError(path, "has a step that is no number", AGAIN)
            kept = [
                [row[name] for name in self.columns]
                for row in rows
                if row["part"] != part or int(row["step"]) <= resumed_step
            ]
        write_table(path, self.columns, kept)

    def add(self, step: int, loss: float, validation: float | None) -> None:
        """Append one row."""
        validated = "" if validation is None else f"{validation:.6g}"
        append_line(self.path, f"{self.part},{step},{loss:.6g},{validated}")
        values = {"loss": loss} | ({} if validation is None else {"validation": validation})
        for tracker in self.trackers:
            tracker.add(step, values)

    def finish(self) -> None:
        """Bring the parts into the order of their names, which no kill in between changes."""
        table = read_table(self.path, self.columns, AGAIN)
        write_table(self.path, self.columns, sorted(table.records, key=lambda row: str(row[0])))
        for tracker in self.trackers:
            tracker.finish()
