"""Brings the figures of both campaigns into the page about them; none there is typed by hand.

python -m benchmarks.robustness_page docs/results docs/evidence/damaged-input.md
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

CAMPAIGNS = ("fuzz", "kills")


def table(campaign: str, results: dict[str, Any]) -> str:
    """Tried and violated by entrance or command, as Markdown."""
    figures = results["figures"]
    names = [name.split("/")[1] for name in figures if name.endswith("/tried")]
    lines = [
        f"| {'entrance' if campaign == 'fuzz' else 'command'} | tried | violations |",
        "|---|---|---|",
    ]
    for name in names:
        tried, broken = (
            figures[f"{campaign}/{name}/{what}"]["value"] for what in ("tried", "violations")
        )
        lines.append(f"| {name.replace('_', ' ')} | {tried:,.0f} | {broken:,.0f} |")
    return "\n".join(lines)


def filled(page: str, campaign: str, results: dict[str, Any]) -> str:
    """The page with the table of a campaign between its markers."""
    begin, end = (f"<!-- {campaign} figures: {which} -->" for which in ("begin", "end"))
    inner = f"{begin}\n\n{table(campaign, results)}\n\n{end}"
    return re.sub(f"{begin}.*?{end}", lambda _: inner, page, flags=re.DOTALL)


def main(results: Path, page: Path) -> None:
    """Fill the page from the results files."""
    text = page.read_text(encoding="utf-8")
    for campaign in CAMPAIGNS:
        text = filled(text, campaign, json.loads((results / f"{campaign}.json").read_text()))
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
