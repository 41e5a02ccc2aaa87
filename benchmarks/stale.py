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
from vesalius.report.front_page import TABLES, fill_pages
from vesalius.report.staleness import mark

HOUSE = Path(__file__).resolve().parents[1]


def main(why: str, house: Path = HOUSE) -> list[str]:
    """Mark and fill; the names of what was marked."""
    docs, marked = house / "docs", []
    readme = house / "README.md"
    for path in sorted((docs / "results").glob("*.json")):
        results = Results.of_file(path)
        if results.protocol in TABLES and mark(path, why, date.today()):
            fill_pages(Results.of_file(path), readme, docs)
            marked.append(path.stem)
    return marked


if __name__ == "__main__":
    print("marked:", ", ".join(main(sys.argv[1])) or "none")
