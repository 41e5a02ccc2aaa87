"""Figures whose code has changed since they were measured: found, marked, and said so."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from vesalius.evidence.results import Results
from vesalius.scans.writing import write_text


def stale(results: Results) -> bool:
    """Whether the code is not known to be that of the figures, and nothing says so.

    >>> from vesalius.evidence.provenance import Code
    >>> now = Results("x", "demo", 0, True, {}, {}, code=Code.of("vesalius.evidence.overlap"))
    >>> stale(now), stale(Results("x", "demo", 0, True, {}, {}))
    (False, True)
    >>> mark = {"on": "2026-01-01", "why": "tidied"}
    >>> stale(Results("x", "demo", 0, True, {}, {}, code_changed=mark))
    False
    """
    current = results.code is not None and results.code.current
    return not (current or results.code_changed)


def mark_line(results: Results) -> str:
    """The mark of a results file as a sentence, nothing where there is none.

    >>> mark = {"on": "2026-01-01", "why": "tidied"}
    >>> mark_line(Results("x", "", 0, True, {}, {}, code_changed=mark))
    'Measured with earlier code (marked 2026-01-01: tidied).'
    """
    made = results.code_changed
    return f"Measured with earlier code (marked {made['on']}: {made['why']})." if made else ""


def mark(path: Path, why: str, today: date) -> bool:
    """Mark a results file if it is stale; whether it was."""
    if not stale(Results.of_file(path)):
        return False
    content = json.loads(path.read_text(encoding="utf-8"))
    content["code_changed"] = {"on": today.isoformat(), "why": why}
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
    return True
