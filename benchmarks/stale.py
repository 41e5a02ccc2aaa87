"""Mark figures of the documents whose code has changed since they were measured.

    python -m benchmarks.stale "fits begin from other weights"

Every results file in `docs/results` that needs it gets today's date and the reason, which its page
then shows. What is measured again loses the mark.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

from vesalius.evidence.results import Results
from vesalius.report.front_page import TABLES, filled, page_of
from vesalius.report.staleness import mark
from vesalius.scans.writing import write_text

HOUSE = Path(__file__).resolve().parents[1]


def main(why: str, house: Path = HOUSE) -> list[str]:
    """Mark and fill; the names of what was marked."""
    docs, marked = house / "docs", []
    pages = [house / "README.md", *sorted(docs.glob("*.md"))]
    for path in sorted((docs / "results").glob("*.json")):
        results = Results.of_file(path)
        if results.protocol in TABLES and mark(path, why, date.today()):
            page = page_of(results, pages)
            text = page.read_text(encoding="utf-8")
            write_text(page, filled(text, Results.of_file(path)))
            marked.append(path.stem)
    return marked


if __name__ == "__main__":
    print("marked:", ", ".join(main(sys.argv[1])) or "none")
