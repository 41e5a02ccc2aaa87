"""What a results file holds: figures, and the recipe, code and machine that they rest on."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from vesalius import __version__
from vesalius.evidence.figure import Figure
from vesalius.evidence.provenance import Code
from vesalius.scans.formats.json_file import read_json
from vesalius.scans.writing import write_text

FORMAT = 1


def versions() -> dict[str, str]:
    """Of this package and of what its figures rest on."""
    result = {"vesalius": __version__, "python": platform.python_version()}
    for name in (
        "torch",
        "monai",
        "numpy",
        "scipy",
        "nibabel",
        "nilearn",
        "fastrad",
        "frd-score",
        "nnunetv2",
    ):
        try:
            result[name] = version(name)
        except PackageNotFoundError:
            continue
    return result


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {"system": platform.platform(), "cores": os.cpu_count()}


@dataclass
class Results:
    """What an experiment measured: figures by name, and what they were measured with.

    `code` is that by which all of them were measured, if it is known; `code_changed` says since
    when, and why, it is no longer that of the house.
    """

    protocol: str
    preset: str
    seed: int
    rests_on_phantoms: bool
    figures: dict[str, Figure]
    notes: dict[str, Any]
    versions: dict[str, str] = field(default_factory=versions)
    machine: dict[str, Any] = field(default_factory=machine)
    code: Code | None = None
    code_changed: dict[str, str] | None = None

    def write(self, folder: Path) -> Path:
        """Write `results.json`."""
        sound = {name: figure for name, figure in self.figures.items() if figure.sound}
        content = {
            "format": FORMAT,
            "protocol": self.protocol,
            "preset": self.preset,
            "seed": self.seed,
            "rests_on_phantoms": self.rests_on_phantoms,
            "figures": {name: asdict(figure) for name, figure in sound.items()},
            "notes": self.notes | {"undefined": sorted(set(self.figures) - set(sound))},
            "versions": self.versions,
            "machine": self.machine,
            "code": None if self.code is None else asdict(self.code),
            "code_changed": self.code_changed,
        }
        path = folder / "results.json"
        write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
        return path

    @classmethod
    def read(cls, folder: Path) -> Results:
        """What `write` wrote into a folder."""
        return cls.of_file(folder / "results.json")

    @classmethod
    def of_file(cls, path: Path) -> Results:
        """Read a file of results, or refuse what is none."""
        result = read_json(path, TypeAdapter(cls), "run the command again", FORMAT)
        result.notes.pop("undefined", None)  # it is found anew whenever they are written
        return result
