"""JSON in: read, bounded, and held against the form it must have."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, overload

from pydantic import BaseModel, TypeAdapter, ValidationError

from vesalius.scans.formats.content import read_text
from vesalius.scans.input_error import InputError
from vesalius.scans.writing import write_text

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
"""Any JSON object."""


@overload
def read_json(path: Path, model: type[M], remedy: str = ..., newest: int | None = ...) -> M: ...


@overload
def read_json(
    path: Path, model: TypeAdapter[T], remedy: str = ..., newest: int | None = ...
) -> T: ...


def read_json(path: Path, model: Any, remedy: str = "correct it", newest: int | None = None) -> Any:
    """A JSON file as an instance of `model`.

    Args:
        path: of the file.
        model: a class of pydantic, or a `TypeAdapter`.
        remedy: what to do about a file of another form.
        newest: number of the newest form that is known, for files of our own; their entry `format`
            is taken out. Those from before there were numbers are of form 1.

    Raises:
        InputError: for a file that cannot be read, is not UTF-8, is not JSON, is nested too deeply,
            or has another form than the model; the first wrong entry is named.

    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "split.json"
    >>> _ = file.write_text('{"fitted": 3}')
    >>> read_json(file, TypeAdapter(dict[str, list[str]]))
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: ...split.json: fitted: Input should be a valid array;...
    >>> _ = file.write_text('{"fitted": ')
    >>> read_json(file, OBJECT)
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: ...split.json: is not JSON (EOF while parsing a value...
    """
    text = read_text(path)
    adapter = model if isinstance(model, TypeAdapter) else TypeAdapter(model)
    try:
        if newest is not None:
            content = OBJECT.validate_json(text)
            require_format(path, content.pop("format", 1), newest)
            seal = content.pop("seal", None)
            if seal is not None and seal != _seal(content):
                raise InputError(path, "was changed since it was written", remedy)
            text = json.dumps(content)
        return adapter.validate_json(text)
    except InputError:
        raise
    except ValidationError as error:
        raise _wrong(path, error, remedy) from error
    except (ValueError, RecursionError, OverflowError) as error:
        raise InputError(path, f"is not JSON ({error})", remedy) from error


def write_json(path: Path, content: Mapping[str, Any], version: int) -> None:
    """Write a JSON object of our own, with the number of its form, whole or not at all."""
    sealed = {"format": version, **content, "seal": _seal(content)}
    write_text(path, json.dumps(sealed, indent=2) + "\n")


def _seal(content: Mapping[str, Any]) -> str:
    """Digits that change with anything in a file of our own, so that damage is found."""
    text = json.dumps(dict(content), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def require_format(path: Path, found: object, newest: int) -> None:
    """Refuse a file of a form that only a later version of this library knows.

    >>> require_format(Path("recipe.json"), 7, 1)
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: recipe.json: has form 7, this version knows 1; update...
    """
    reported = str(found)
    if not (reported.isascii() and reported.isdecimal()) or not 1 <= int(reported[:9]) <= newest:
        fault = f"has form {found}, this version knows {newest}"
        raise InputError(path, fault, "update vesalius")


def _wrong(path: Path, error: ValidationError, remedy: str) -> InputError:
    first = error.errors(include_url=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        said = first["msg"].removeprefix("Invalid JSON: ")
        return InputError(path, f"is not JSON ({said})", remedy)
    place = ".".join(str(part) for part in first["loc"])
    return InputError(path, f"{place or 'content'}: {first['msg']}", remedy)
