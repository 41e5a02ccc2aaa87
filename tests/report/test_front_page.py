"""The README's figures are those of the results files beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vesalius.report.front_page import PICTURES, filled

ROOT = Path(__file__).parents[2]
RESULTS = sorted((ROOT / "docs/results").glob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_the_figures_in_the_readme_are_those_of_the_results(path: Path) -> None:
    results = json.loads(path.read_text())
    readme = (ROOT / "README.md").read_text()
    assert filled(readme, results) == readme
    picture, _ = PICTURES[results["protocol"]]
    assert (ROOT / "docs/pictures" / picture).stat().st_size > 10_000


def test_each_protocol_of_the_readme_has_its_results() -> None:
    assert {path.stem.partition("-")[0] for path in RESULTS} == set(PICTURES)
