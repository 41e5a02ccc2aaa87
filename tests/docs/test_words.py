"""The words of the field on pages, in help and in reports, and none that stood for them before."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from vesalius import cli
from vesalius.report.front_page import pages

ROOT = Path(__file__).parents[2]
PAGES = [*pages(ROOT / "README.md", ROOT / "docs"), ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]
GONE = re.compile(
    r"\b(told|tells?|telling|drawn|drawings?|foretell\w*|foretold|foresee\w*|fates?|luck|drift|"
    r"yearly|grain\w*|strands?|likeness|hints?|thinned|twins?|painter|honest\w*|ceiling|"
    r"hangs? on|went fast|by heart|doubted|bottled)\b",
    re.IGNORECASE,
)
CODE = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|<!--.*?-->", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_speak_the_words_of_the_field(page: Path) -> None:
    assert not set(GONE.findall(CODE.sub(" ", page.read_text(encoding="utf-8"))))


def _helps(app: App, name: str) -> Iterator[tuple[str, str]]:
    """What every command says of itself and of its parameters."""
    yield name, app.help
    if app.default_command is not None:
        for one in app.assemble_argument_collection():
            yield f"{name} {one.name}", one.parameter.help or ""
    for command in app:
        if not command.startswith("-"):
            yield from _helps(app[command], f"{name} {command}")


def test_help_speaks_the_words_of_the_field() -> None:
    helps = list(_helps(cli.whole_app(), "vesalius"))
    assert len(helps) > 100
    assert not {name: GONE.findall(text) for name, text in helps if GONE.search(text)}


def _sentences(path: Path) -> Iterator[str]:
    """String literals of more than a word, without docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in said else None
        if isinstance(text, str) and " " in text:
            yield text


@pytest.mark.parametrize("room", ["report", "cli", "api", "experiments"])
def test_reports_and_messages_speak_the_words_of_the_field(room: str) -> None:
    found = {
        f"{path.name}: {text[:80]}"
        for path in sorted((ROOT / "src/vesalius" / room).rglob("*.py"))
        for text in _sentences(path) if GONE.search(text)
    }  # fmt: skip
    assert not found
