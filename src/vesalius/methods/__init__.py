"""One folder a method: its recipe, its parts, and the pipeline that a finished run becomes.

    >>> sorted(names())[:3]
    ['classification', 'guided', 'inpainting']

A method from elsewhere is known once it is registered:

    >>> class Toy:
    ...     name, aliases = "toy", ()
    >>> register(Toy())
    >>> method("toy").name
    'toy'
    >>> forget("toy")
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from vesalius.scans.formats.json_file import OBJECT, read_json
from vesalius.scans.input_error import InputError

OURS = {
    "guided": "Guided", "inpainting": "Inpainting", "volumes": "Volumes",
    "segmentation": "Segmentation", "classification": "Classification",
    "progression": "Progression", "pretraining": "Pretraining",
}  # fmt: skip
"""Class of each of our methods by its name; its module is loaded when it is asked for."""

_others: dict[str, Any] = {}


def register(method: Any) -> None:
    """Make a method known to commands, front door and loading by its name."""
    _others[method.name] = method


def forget(name: str) -> None:
    """Take a registered method back."""
    _others.pop(name, None)


def names() -> tuple[str, ...]:
    """Of all methods that are known."""
    return (*OURS, *_others)


@cache
def _ours(name: str) -> Any:
    return getattr(import_module(f"vesalius.methods.{name}.method"), OURS[name])()


def method(name: str) -> Any:
    """A method by its name.

    Raises:
        InputError: if there is none of this name.
    """
    if name in _others:
        return _others[name]
    if name in OURS:
        return _ours(name)
    raise InputError(name, "is no method", f"choose one of {', '.join(names())}")


def method_of(folder: str | Path) -> Any:
    """The method that a run was fitted for; runs of early versions that name none are guided.

    Raises:
        InputError: if the folder holds no recipe, or that of an unknown method.
    """
    path = Path(folder) / "recipe.json"
    if not path.exists():
        raise InputError(folder, "holds no recipe.json", "point at a folder made by vesalius fit")
    content = read_json(path, OBJECT, "fit this run again", 1)
    return method(str(content.get("method", "guided")))
