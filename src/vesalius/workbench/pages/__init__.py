"""The files that the workbench's pages are made of."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
HTML, CSS, SCRIPT = "text/html; charset=utf-8", "text/css", "text/javascript; charset=utf-8"
PAGES = {
    "/": ("workbench.html", HTML),
    "/workbench.css": ("workbench.css", CSS),
    **{
        f"/{name}.js": (f"{name}.js", SCRIPT)
        for name in ("words", "elements", "server", "viewer", "cohort", "asking", "queue", "main")
    },
}  # fmt: skip
"""By address, the file and its kind."""


def page(address: str) -> tuple[bytes, str]:
    """A file and its kind."""
    name, kind = PAGES[address]
    return (HERE / name).read_bytes(), kind
