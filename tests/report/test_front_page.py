"""The README's figures are those of the results file beside it."""

from __future__ import annotations

import json
from pathlib import Path

from vesalius.report.front_page import filled

ROOT = Path(__file__).parents[2]


def test_the_figures_in_the_readme_are_those_of_the_results() -> None:
    results = json.loads((ROOT / "docs/results/ventricles-demo.json").read_text())
    readme = (ROOT / "README.md").read_text()
    assert filled(readme, results) == readme
    assert (ROOT / "docs/pictures/montage.png").stat().st_size > 10_000
