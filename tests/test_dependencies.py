"""What the wheel needs by itself: each import is declared, and that of an extra waits its turn."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OF_READERS = (
    "readers/",
    "serving/",
    "workbench/",
    "evidence/agreement.py",
    "evidence/multireader.py",
)
"""What is only entered with the extra of pages in the browser, and may import it at once."""

BROUGHT = {"starlette": "fastapi", "typing-extensions": "pydantic"}
"""By another, which has to have it."""

CHOSEN = {"torchio"}
"""By the user, who names the layout of cases."""


def _plain(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=! ;]", requirement)[0]).lower()


CORE = {_plain(one) for one in PROJECT["dependencies"]}
LOADED_BY_NNUNET = "api/nnunet/trainers/"
"""What nnU-Net imports by itself, and nothing of ours does."""
EXTRAS = {
    name: {_plain(one) for one in own} for name, own in PROJECT["optional-dependencies"].items()
}


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Packages that a file imports, and whether it does so as soon as it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    later = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.If)
        and (not isinstance(node, ast.If) or "TYPE_CHECKING" in ast.unparse(node.test))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        else:
            continue
        for name in names:
            yield name.split(".")[0], id(node) not in later


def test_every_import_is_declared_and_no_extra_is_needed_at_once() -> None:
    known = packages_distributions()
    undeclared = []
    for path in sorted((ROOT / "src" / "vesalius").rglob("*.py")):
        place = path.relative_to(ROOT / "src" / "vesalius").as_posix()
        at_hand = CORE | (EXTRAS["readers"] if place.startswith(OF_READERS) else set())
        if place.startswith(LOADED_BY_NNUNET):
            at_hand |= EXTRAS["nnunet"]
        for name, at_once in _imports(path):
            if name in sys.stdlib_module_names or name in ("vesalius", "__future__"):
                continue
            given = {_plain(one) for one in known.get(name, [name])}
            given = {BROUGHT.get(one, one) for one in given}
            allowed = at_hand if at_once else CORE.union(CHOSEN, *EXTRAS.values())
            if not given & allowed:
                undeclared.append(f"{path.relative_to(ROOT)}: {name}")
    assert not undeclared
