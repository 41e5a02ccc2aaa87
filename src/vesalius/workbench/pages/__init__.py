"""The files that the workbench's pages are made of."""

from __future__ import annotations

from pathlib import Path

from vesalius.serving.pages import Pages

SCRIPTS = ("words", "elements", "server", "viewer", "cohort", "asking", "queue", "main")
PAGES = Pages(
    Path(__file__).parent, "workbench.html",
    ("workbench.css", *(f"{name}.js" for name in SCRIPTS)),
)  # fmt: skip
