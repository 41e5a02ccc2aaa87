"""Templates become pages; figures become words."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from vesalius.evidence.figure import Figure


def rendered(template: str, content: Mapping[str, Any]) -> str:
    """A page from one of the templates beside this file."""
    return _environment().get_template(template).render(**content)


def shown(figure: Figure | None) -> str:
    """A figure of `results.json` in words.

    >>> shown(Figure(6.234, "mL", 40, (5.1, 7.4), 4.3))
    '6.23 ± 4.3 [5.1, 7.4]'
    >>> shown(None)
    '–'
    """
    if figure is None:
        return "–"
    std = "" if figure.sd is None else f" ± {figure.sd:.2g}"
    interval = figure.ci95
    bounds = "" if interval is None else f" [{interval[0]:.3g}, {interval[1]:.3g}]"
    return f"{figure.value:.3g}{std}{bounds}"


def figures_table(figures: Mapping[str, Figure]) -> str:
    """Figures as a table in HTML, for a page or a notebook.

    >>> "<td>6.23 mL [5.1, 7.4]</td><td>40</td>" in figures_table(
    ...     {"error": Figure(6.234, "mL", 40, (5.1, 7.4))})
    True
    """
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(str(figure))}</td><td>{figure.n}</td></tr>"
        for name, figure in figures.items()
    )
    head = "<tr><th>figure</th><th>value [95 % interval]</th><th>n</th></tr>"
    return f"<table>{head}{rows}</table>"


def figures_of(figures: Mapping[str, Figure], subject: str) -> dict[str, Figure]:
    """The figures of one organ or kind of data without its name in front.

    >>> figures_of({"breast/reconstruction/psnr": 1, "chest/reconstruction/psnr": 2}, "chest")
    {'reconstruction/psnr': 2}
    """
    start = f"{subject}/"
    return {key[len(start) :]: f for key, f in figures.items() if key.startswith(start)}


@functools.cache
def _environment() -> Environment:
    folder = files("vesalius.report") / "templates"
    environment = Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    )  # fmt: skip
    environment.filters["shown"] = shown
    return environment
