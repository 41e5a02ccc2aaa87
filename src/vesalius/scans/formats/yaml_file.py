"""YAML in: small files that people write, read without aliases and without depth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from vesalius.scans.formats.content import read_text, refused_if_damaged
from vesalius.scans.input_error import InputError

LARGEST, DEEPEST = 2**16, 50
"""Bytes, and brackets within brackets."""


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """The entries of a YAML file; JSON is YAML as well.

    Args:
        path: of the file.
        what: it should hold, for the error.

    Raises:
        InputError: for a file that cannot be read, is no YAML, is too large or too deep, refers to
            entries by aliases, or holds no entries.

    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "recipe.yaml"
    >>> _ = file.write_text("preset: demo\\nwidths: [8, 16]\\n")
    >>> read_yaml(file, "recipe")
    {'preset': 'demo', 'widths': [8, 16]}
    >>> _ = file.write_text("- preset")
    >>> read_yaml(file, "recipe")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: ...recipe.yaml: holds no recipe; write `name: value`...
    """
    text = read_text(path, LARGEST, f"give the {what} as a YAML file")
    if deepest(text) > DEEPEST:
        raise InputError(path, "is nested too deeply", "write it as the guide shows")
    with refused_if_damaged(path, "is not YAML", "correct it"):
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, yaml.SafeLoader)):
            raise InputError(path, "refers to entries by aliases", "write them out")
        content = yaml.safe_load(text)
    if not isinstance(content, dict):
        raise InputError(path, f"holds no {what}", "write `name: value` lines")
    return content


def deepest(text: str) -> int:
    """How deeply brackets are nested in a text, at most, whatever they mean in it.

    >>> deepest("[[1], {a: [2]}]")
    3
    """
    level = most = 0
    for letter in text:
        level += (letter in "[{") - (letter in "]}")
        most = max(most, level)
    return most
