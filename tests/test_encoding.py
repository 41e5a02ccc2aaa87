"""Every text file is read and written as UTF-8, whatever the system would choose."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "src"


def _without_encoding(tree: ast.AST) -> Iterator[int]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        own = isinstance(call.func, ast.Attribute)
        name = call.func.attr if own else getattr(call.func, "id", "")
        modes = [one.value for one in (*call.args, *(k.value for k in call.keywords))
                 if isinstance(one, ast.Constant) and isinstance(one.value, str)]  # fmt: skip
        binary = any(mode in ("rb", "wb", "ab", "r+b", "xb") for mode in modes)
        named = any(keyword.arg == "encoding" for keyword in call.keywords)
        text = own and name in ("read_text", "write_text")
        opened = name == "open" and any(keyword.arg == "newline" for keyword in call.keywords)
        if (text or opened) and not binary and not named:
            yield call.lineno


def test_no_text_file_is_opened_without_its_encoding() -> None:
    found = [
        f"{path.relative_to(SOURCES)}:{line}"
        for path in sorted(SOURCES.rglob("*.py"))
        for line in _without_encoding(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []
