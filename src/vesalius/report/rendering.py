"""A page as one self-contained file of HTML, and a table alone for notebooks."""

from __future__ import annotations

import functools
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined

from vesalius.report.sections import Page, Table
from vesalius.scans.writing import make_folder, write_text


def write_page(page: Page, path: Path) -> Path:
    """Write a page."""
    make_folder(path.parent)
    write_text(path, _environment().get_template("page.html.j2").render(page=page))
    return path


def table_html(table: Table) -> str:
    """A table for a notebook.

    >>> "<td>error</td><td>6</td>" in table_html(Table(("value",), (("error", ("6",)),)))
    True
    """
    return str(_environment().get_template("parts.html.j2").module.table(table))  # type: ignore[attr-defined]


@functools.cache
def _environment() -> Environment:
    folder = files("vesalius.report") / "templates"
    return Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
