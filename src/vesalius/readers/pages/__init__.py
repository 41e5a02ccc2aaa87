"""The files that pages are made of."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
HTML, CSS, SCRIPT = "text/html; charset=utf-8", "text/css", "text/javascript; charset=utf-8"
PAGES = {
    "/": ("reader.html", HTML),
    **{
        f"/{name}": (name, CSS if name.endswith(".css") else SCRIPT)
        for name in ("reader.css", "words.js", "timing.js", "transport.js", "viewer.js",
                     "questions.js", "reader.js")
    },
}  # fmt: skip
"""By address, the file and its kind."""


def page(address: str) -> tuple[bytes, str]:
    """A file and its kind."""
    name, kind = PAGES[address]
    return (HERE / name).read_bytes(), kind
