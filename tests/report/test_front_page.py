"""The README's figures are those of the results files beside it."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from benchmarks.robustness_page import CAMPAIGNS
from benchmarks.stale import main
from vesalius.evidence import provenance
from vesalius.evidence.copies import audit_rates, published_rates
from vesalius.evidence.provenance import Code
from vesalius.evidence.results import Results
from vesalius.report.front_page import PICTURES, filled, page_of, pages
from vesalius.report.front_table import QUESTIONS, with_evidence
from vesalius.report.staleness import mark_line, stale

ROOT = Path(__file__).parents[2]
RESULTS = [
    path for path in sorted((ROOT / "docs/results").glob("*.json")) if path.stem not in CAMPAIGNS
]
"""Of experiments; the campaigns have a page and a test of their own."""

PAGES = pages(ROOT / "README.md", ROOT / "docs")


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_the_figures_on_a_page_are_those_of_the_results(path: Path) -> None:
    results = Results.of_file(path)
    page = page_of(results, PAGES)
    assert filled(page.read_text(), results) == page.read_text()
    if results.protocol not in PICTURES:
        return
    picture = f"pictures/{path.stem}.png"
    assert (ROOT / "docs" / picture).stat().st_size > 10_000
    assert picture in page.read_text()


def test_the_table_of_the_readme_is_that_of_the_demos() -> None:
    text = PAGES[0].read_text()
    assert with_evidence(text, ROOT / "docs/results") == text
    assert {question.experiment for question in QUESTIONS} == set(PICTURES)
    assert len(text.splitlines()) <= 120


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_figures_are_of_the_code_as_it_is_or_say_that_they_are_not(path: Path) -> None:
    results = Results.of_file(path)
    assert not stale(results), (
        'measure again, or: python -m benchmarks.stale "why it is still shown"'
    )
    assert mark_line(results) in page_of(results, PAGES).read_text()


def test_one_changed_line_of_a_generator_makes_figures_stale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root, line = "vesalius.experiments.ventricles.experiment", "vesalius.phantoms.brain"
    results = Results("ventricles", "demo", 0, True, {}, {}, code=Code.of(root))
    assert not stale(results)
    source = provenance._source(line)
    for text, changed in ((f"# as it was\n{source}", False), (f"{source}\nEXTRA = 1\n", True)):
        monkeypatch.setattr(
            provenance, "_source",
            lambda name, text=text, kept=provenance._source: text if name == line else kept(name),
        )  # fmt: skip
        provenance.code_digest.cache_clear()
        assert stale(results) == changed
    monkeypatch.undo()
    provenance.code_digest.cache_clear()
    assert not stale(results)


def test_what_is_marked_says_when_and_why(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "README.md", tmp_path / "README.md")
    path = tmp_path / "docs/results/lumbar-demo.json"
    content = json.loads(path.read_text())
    content.pop("code_changed", None)
    content.pop("code", None)  # so that nobody knows whether it is that of the figures
    path.write_text(json.dumps(content))
    assert "lumbar-demo" in main("another map", tmp_path)
    page = page_of(Results.of_file(path), pages(tmp_path / "README.md", tmp_path / "docs"))
    assert f"(marked {date.today().isoformat()}: another map)" in page.read_text()
    assert not main("yet another", tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_part_of_a_page_stands_twice(page: Path) -> None:
    lines = page.read_text().splitlines()
    parts = [line for line in lines if line.startswith(("## ", "<!-- ", "!["))]
    assert len(parts) == len(set(parts))


def test_each_experiment_shows_its_demo_on_a_page_that_the_readme_links() -> None:
    readme, index = PAGES[0].read_text(), (ROOT / "docs/index.md").read_text()
    shown = {path.stem for path in RESULTS if path.stem.endswith("-demo")}
    assert shown == {f"{experiment}-demo" for experiment in PICTURES}
    for path in RESULTS:
        page = page_of(Results.of_file(path), PAGES)
        assert page == PAGES[0] or f"\n{page.relative_to(ROOT / 'docs').with_suffix('')}\n" in index
    assert "(docs/index.md)" in readme
    assert "phantoms" in readme[: readme.index("![")]


def test_the_rates_beside_a_verdict_are_those_of_the_benchmark() -> None:
    figures = Results.of_file(ROOT / "docs/results/copies.json").figures
    assert published_rates() == {name: figures[name].value for name in published_rates()}
    assert f"{published_rates()['copies/others/called_copies']:.1%}" in audit_rates()
