"""The page about the campaigns shows their results, and these hold what they must show."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.fuzz_entrances import ENTRANCES
from benchmarks.kills import COMMANDS
from benchmarks.robustness_page import CAMPAIGNS, filled

ROOT = Path(__file__).parents[1]


def figures_of(campaign: str) -> dict[str, float]:
    content = json.loads((ROOT / f"docs/results/{campaign}.json").read_text())
    return {name: one["value"] for name, one in content["figures"].items()}


def test_the_page_shows_what_the_results_say() -> None:
    page = text = (ROOT / "docs/evidence/damaged-input.md").read_text()
    for campaign in CAMPAIGNS:
        results = json.loads((ROOT / f"docs/results/{campaign}.json").read_text())
        text = filled(text, campaign, results)
    assert text == page


def test_every_entrance_and_every_command_was_tried_without_a_violation() -> None:
    fuzz, kills = figures_of("fuzz"), figures_of("kills")
    assert {f"fuzz/{one.name}/tried" for one in ENTRANCES} <= set(fuzz)
    assert {f"kills/{one.name}/tried" for one in COMMANDS} <= set(kills)
    assert fuzz["fuzz/all/tried"] >= 50_000
    assert sum(v for name, v in kills.items() if name.endswith("/tried")) >= 200
    for name, value in (fuzz | kills).items():
        assert value == 0 or not name.endswith("/violations"), name
