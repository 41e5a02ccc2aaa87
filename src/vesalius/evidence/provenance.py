"""Which code a figure rests on: a commit, and a digest of every module that it may have used.

The digest is of what modules do: comments, docstrings and layout do not enter it.
"""

from __future__ import annotations

import ast
import hashlib
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

HOUSE = ("vesalius", "benchmarks")
"""Packages whose modules are followed."""


@dataclass(frozen=True)
class Code:
    """What figures rest on.

    Attributes:
        root: the module that measures them.
        digest: of it and of all modules of this house that it imports, directly or not.
        commit: of the repository, with a mark where files differed from it; empty outside of one.
    """

    root: str
    digest: str
    commit: str = ""

    @classmethod
    def of(cls, root: str) -> Code:
        """The code as it is now.

        >>> Code.of("vesalius.evidence.overlap").root
        'vesalius.evidence.overlap'
        """
        return cls(root, code_digest(root), _commit())

    @classmethod
    def joined(cls, codes: Sequence[Code]) -> Code | None:
        """Of figures that were measured in turn; without a digest where the code changed meanwhile.

        >>> one, other = Code("a", "123", "x"), Code("a", "456", "y")
        >>> Code.joined([one, one]).digest, Code.joined([one, other]).digest, Code.joined([])
        ('123', '', None)
        """
        if not codes:
            return None
        last = codes[-1]
        same = all(one.digest == last.digest for one in codes)
        return last if same else cls(last.root, "", last.commit)

    @property
    def current(self) -> bool:
        """Whether the code would be the same if it were measured now."""
        return self.digest == code_digest(self.root)


@cache
def code_digest(root: str) -> str:
    """Twelve hexadecimal digits that change with what a module, or one that it imports, does.

    >>> len(code_digest("vesalius.evidence.overlap"))
    12
    """
    parts = [f"{name} {what_it_does(_source(name))}" for name in sorted(imported(root))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def imported(root: str) -> set[str]:
    """A module of this house and all that it imports by name, directly or not.

    >>> "vesalius.phantoms.brain" in imported("vesalius.experiments.ventricles.experiment")
    True
    >>> "vesalius.phantoms.spine.canal" in imported("vesalius.evidence.overlap")
    False
    """
    found: set[str] = set()
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name in found or name in HOUSE or _file(name) is None:
            continue  # the house itself names all that it offers
        found.add(name)
        waiting += _imports(_source(name))
    return found


def what_it_does(source: str) -> str:
    """A digest of source text that comments, docstrings and layout do not change.

    >>> plain = "def one(): return 1"
    >>> what_it_does("def one():\\n    'One.'\\n    return 1  # so") == what_it_does(plain)
    True
    >>> what_it_does("def one(): return 2") == what_it_does(plain)
    False
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        documented = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _imports(source: str) -> Iterator[str]:
    """Names of modules that a source text imports; a name of a module may be one of its members."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if _ours(one.name))
        elif isinstance(node, ast.ImportFrom) and node.module and _ours(node.module):
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


def _ours(name: str) -> bool:
    return name.partition(".")[0] in HOUSE


@cache
def _file(name: str) -> Path | None:
    """The file of a module; none where the name is of something in one. Nothing is imported."""
    house, *inner = name.split(".")
    found = find_spec(house)
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(next(iter(found.submodule_search_locations))).joinpath(*inner)
    files = (path / "__init__.py", path.with_name(f"{path.name}.py") if inner else path)
    return next((one for one in files if one.is_file()), None)


@cache
def _source(name: str) -> str:
    path = _file(name)
    assert path is not None
    return path.read_text(encoding="utf-8")


def _commit() -> str:
    """The commit that the package was taken from, if it lies in its own repository."""
    own = Path(__file__)

    def git(*words: str) -> str:
        command = ["git", "-C", str(own.parent), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", own.name)  # not of somebody's project around it
        return git("describe", "--always", "--dirty")
    except (OSError, subprocess.SubprocessError):
        return ""
