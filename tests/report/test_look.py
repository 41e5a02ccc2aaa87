"""One look for all reports in a real browser: paged, wiped, sorted, on every screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

from tests.browsing import axe_script
from vesalius.evidence.figure import Figure
from vesalius.evidence.results import Results
from vesalius.report.rendering import write_page
from vesalius.report.sections import Page, Table, Text, section
from vesalius.report.slices import slice_stack, wiper
from vesalius.scans.case import Scan
from vesalius.scans.volume import Volume


@pytest.fixture
def report(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    before, after = (
        Volume(rng.random((20, 24, 12)).astype(np.float32), np.diag([1.0, 1.0, 2.0, 1.0]))
        for _ in range(2)
    )
    rows = tuple(
        (name, (Figure(value, "mL", 40, (value - 1, value + 1), counts="patients"),))
        for name, value in (("real", 7.5), ("resampled", 14.2), ("synthetic", 3.5))
    )
    page = Page(
        "a look", Results("look", "demo", 0, True, {}, {}),
        [
            section("Slices", slice_stack([Scan((before,)), Scan((after,))], "noise", "Two.")),
            section("Edit", wiper(before, after, "an edit", "One.", 2)),
            section("Table", Table(("a figure with a long head",) * 9, tuple(
                (name, cells * 9) for name, cells in rows), "arm")),
            section("Words", Text("A sentence.", ("a point",))),
        ],
        ["Something was shown."], ["Something is not known."],
    )  # fmt: skip
    return write_page(page, tmp_path / "report.html")


def test_slices_are_paged_edits_wiped_and_tables_sorted(browser: Browser, report: Path) -> None:
    page = browser.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(report.as_uri())
    image, slider = page.locator(".stack img"), page.locator(".stack input")
    first = image.get_attribute("src")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert image.get_attribute("src") != first and page.locator("output").inner_text() == "8 / 12"
    page.locator(".wiper input").focus()
    page.keyboard.press("Home")
    covered = "getComputedStyle(document.querySelectorAll('.wiper img')[1]).clipPath"
    assert "100%" in page.evaluate(covered)
    head = page.locator("thead th").nth(1)
    for order, named in (("ascending", "synthetic"), ("descending", "resampled")):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == order
        assert page.locator("tbody tr").first.locator("td").first.inner_text() == named
    cell = page.locator("tbody td").nth(1)
    assert "n = 40 patients" in (cell.get_attribute("title") or "")
    assert page.locator("nav a").first.get_attribute("href") == "#s1"
    page.close()
    assert not faults


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_it_fits_every_screen_and_has_no_serious_fault_of_accessibility(
    browser: Browser, report: Path, scheme: str, width: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(axe_script(tmp_path_factory.mktemp("axe")))
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    serious = [
        (one["id"], one["nodes"][0]["html"][:100])
        for one in found if one["impact"] in ("serious", "critical")
    ]  # fmt: skip
    page.close()
    assert not serious


def test_it_prints_whole(browser: Browser, report: Path) -> None:
    page = browser.new_page()
    page.goto(report.as_uri())
    page.emulate_media(media="print")
    assert not page.locator(".stack input").is_visible()
    assert page.locator(".wiper img").nth(1).is_visible()
    assert page.pdf()[:5] == b"%PDF-"
    page.close()
