"""A run: the folder with what a fit produced. Loading it needs nothing but the folder."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, overload

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from typing_extensions import TypeVar

from vesalius.scans.description import write_text
from vesalius.scans.fault import Refused, make_folder, refused_if_unwritable
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.recipe import Settings

Other = TypeVar("Other", bound=Settings)
Seen = TypeVar("Seen", bound=Settings, default=Fingerprint)
"""What was measured on the data that was learnt from; scans unless said otherwise."""


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
    def create(cls, folder: str | Path, recipe: Settings, fingerprint: Seen) -> Run[Seen]:
        """Begin a run, or go on with one of the same recipe and cohort.

        Raises:
            Refused: if the folder holds another run.
        """
        folder = make_folder(folder)
        run = cls(folder, recipe, fingerprint)
        if (folder / "recipe.json").exists():
            old: Run[Any] = cls.open(folder, type(recipe), type(fingerprint))
            if old.name != run.name:
                fault = f"holds run {old.name}, made by another recipe or from another cohort"
                raise Refused(folder, fault, "choose a new folder for this run")
        write_text(folder / "recipe.json", recipe.model_dump_json(indent=2) + "\n")
        write_text(folder / "fingerprint.json", fingerprint.model_dump_json(indent=2) + "\n")
        make_folder(folder / "state")
        return run

    @overload
    @classmethod
    def open(cls, folder: str | Path, recipe: type[Settings]) -> Run: ...

    @overload
    @classmethod
    def open(cls, folder: str | Path, recipe: type[Settings], seen: type[Other]) -> Run[Other]: ...

    @classmethod
    def open(
        cls, folder: str | Path, recipe: type[Settings], seen: type[Any] = Fingerprint
    ) -> Run[Any]:
        """Open a run, or refuse with what is missing or damaged."""
        folder = Path(folder)
        for name in ("recipe.json", "fingerprint.json"):
            if not (folder / name).is_file():
                raise Refused(folder, f"holds no {name}", "point at a folder made by vesalius fit")
        try:
            return cls(
                folder,
                recipe.model_validate_json((folder / "recipe.json").read_text()),
                seen.model_validate_json((folder / "fingerprint.json").read_text()),
            )
        except ValidationError as error:
            first = error.errors()[0]
            fault = f"is not a {recipe.__name__} ({first['loc']}: {first['msg']})"
            raise Refused(folder, fault, "point at a run of this method and version") from error

    @property
    def state(self) -> Path:
        """Where an unfinished fit keeps what it needs to go on."""
        return self.folder / "state"

    def has(self, part: str) -> bool:
        """Whether the weights of a part are finished."""
        return (self.folder / f"{part}.safetensors").is_file()

    def save(self, part: str, module: nn.Module) -> None:
        """Write the weights of a part, whole or not at all."""
        path = self.folder / f"{part}.safetensors"
        partial = path.with_suffix(f".{os.getpid()}")
        tensors = {name: t.detach().cpu().contiguous() for name, t in module.state_dict().items()}
        try:
            with refused_if_unwritable(path):
                save_file(tensors, partial)
                os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    def load(self, part: str, module: nn.Module) -> None:
        """Fill a module with the weights of a part, or refuse a missing or damaged file."""
        path = self.folder / f"{part}.safetensors"
        if not path.is_file():
            raise Refused(path, "does not exist", "finish the fit: run the same command again")
        try:
            module.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError) as error:
            first = str(error).splitlines()[0]
            raise Refused(path, f"holds no such weights ({first})", "fit this run again") from error

    def write_card(self, lines: list[str]) -> None:
        """Write `card.md`: what this run is, from what, and what it must not be used for."""
        write_text(self.folder / "card.md", "\n".join(lines) + "\n")

    def note(self, name: str, content: dict[str, Any]) -> None:
        """Keep figures of a fit in `<name>.json`."""
        write_text(self.folder / f"{name}.json", json.dumps(content, indent=2) + "\n")


def method_of(folder: str | Path) -> str:
    """The method that a run was fitted for: `guided` where its recipe names none.

    Raises:
        Refused: if the folder holds no recipe.
    """
    path = Path(folder) / "recipe.json"
    if not path.is_file():
        raise Refused(folder, "holds no recipe.json", "point at a folder made by vesalius fit")
    try:
        return str(json.loads(path.read_text(encoding="utf-8")).get("method", "guided"))
    except ValueError as error:
        raise Refused(path, f"is not JSON ({error})", "fit this run again") from error


class Log:
    """`log.csv`: part, step, loss, validation loss. Rows past a resumed step are taken back."""

    columns = ("part", "step", "loss", "validation")

    def __init__(self, path: Path, part: str, resumed_step: int) -> None:
        self.path, self.part = path, part
        kept = []
        if path.exists():
            with path.open(newline="") as stream:
                rows = list(csv.reader(stream))[1:]
            kept = [row for row in rows if row[0] != part or int(row[1]) <= resumed_step]
        lines = [",".join(self.columns), *(",".join(row) for row in kept)]
        write_text(path, "\n".join(lines) + "\n")

    def add(self, step: int, loss: float, validation: float | None) -> None:
        """Append one row."""
        seen = "" if validation is None else f"{validation:.6g}"
        with refused_if_unwritable(self.path), self.path.open("a", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerow([self.part, step, f"{loss:.6g}", seen])
