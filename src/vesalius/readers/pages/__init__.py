"""The files that the pages of a study are made of."""

from __future__ import annotations

from pathlib import Path

from vesalius.serving.pages import Pages

PAGES = Pages(
    Path(__file__).parent, "reader.html",
    ("reader.css", "words.js", "timing.js", "transport.js", "viewer.js", "questions.js",
     "reader.js"),
)  # fmt: skip
