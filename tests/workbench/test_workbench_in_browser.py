"""The workbench in a real browser: by mouse, by keyboard, in two languages, for every reader."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsing import axe_script, left_out, serving
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError
from vesalius.serving.niivue import niivue_script
from vesalius.training.run import Run
from vesalius.workbench.app import Workbench, create_app
from vesalius.workbench.opened import Opened

TOKEN = "t" * 32
PATIENCE_MS = 30_000


@pytest.fixture
def bench(
    brains: Cohort, small_cohort: Cohort, small_run: Run, tmp_path: Path
) -> Iterator[Workbench]:  # fmt: skip
    try:
        viewer = niivue_script()
    except InputError as refusal:
        left_out(str(refusal))
    paths = [brains.folder, small_cohort.folder, small_run.folder]
    found = Workbench(Opened.of(paths), tmp_path / "bench", viewer, TOKEN)
    found.jobs.start()
    yield found
    found.jobs.stop()


@pytest.fixture
def page(browser: Browser, bench: Workbench) -> Iterator[Page]:
    with serving(create_app(bench)) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
        context.set_default_timeout(PATIENCE_MS)
        found = context.new_page()
        faults: list[str] = []
        found.on("pageerror", lambda error: faults.append(str(error)))
        found.goto(f"{address}/#{TOKEN}")
        yield found
        context.close()
        assert not faults


def test_a_cohort_is_sorted_filtered_and_looked_at(page: Page, brains: Cohort) -> None:
    cards = page.locator(".case")
    expect(cards).to_have_count(18)
    expect(page.locator(".case img[src]").first).to_be_visible()
    by_volume = sorted(brains.cases, key=lambda case: case.attributes["ventricle_volume_ml"])
    expect(cards.first).to_contain_text(by_volume[0].name)
    page.get_by_label("Order").select_option(label="falling")
    expect(cards.first).to_contain_text(by_volume[-1].name)
    page.get_by_label("Find by name").fill(by_volume[3].name)
    expect(cards).to_have_count(1)
    cards.first.click()
    expect(page.get_by_role("heading", name=by_volume[3].name)).to_be_visible()
    expect(page.locator(".volume canvas")).to_be_visible()
    page.get_by_role("button", name="Back to all cases").click()
    page.get_by_label("Show").select_option(label="synthetic cases")
    expect(cards).to_have_count(0)


def test_a_synthetic_case_stands_beside_its_nearest_training_case(page: Page) -> None:
    page.get_by_role("tab").nth(1).click()
    expect(page.locator(".case")).to_have_count(3)
    page.locator(".case").first.click()
    page.get_by_role("button", name="Nearest training case").click()
    expect(page.get_by_text("similarity")).to_be_visible()
    blink = page.get_by_role("button", name="Blink")
    blink.click()
    expect(blink).to_have_attribute("aria-pressed", "true")


def test_from_a_request_to_a_kept_case_by_mouse(
    page: Page, bench: Workbench, small_run: Run
) -> None:
    began = time.monotonic()
    page.get_by_role("tab").nth(2).click()
    expect(page.locator(".planes img")).to_have_count(6)
    page.get_by_label("ventricle_volume_ml").last.fill("25")
    page.get_by_label("Largest relative error").fill("0.9")
    page.keyboard.press("Tab")
    expect(page.locator(".measured")).to_contain_text("asked 25")
    page.get_by_role("button", name="Generate the full case").click()
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_text("kept as kept_00001")).to_be_visible()
    assert time.monotonic() - began < 60
    kept = Cohort.open(bench.folder / "kept" / small_run.folder.name)
    assert kept.cases[0].provenance()["request"] == {"ventricle_volume_ml": 25.0}


def test_from_a_request_to_a_kept_case_by_keyboard(page: Page) -> None:
    def go_to(name: str) -> None:
        for _ in range(80):
            focused = page.evaluate(
                "document.activeElement.textContent || document.activeElement.id"
            )
            if name in focused:
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{name} is not reached")

    expect(page.locator(".case")).to_have_count(18)
    page.locator("body").press("Tab")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".planes img")).to_have_count(6)
    go_to("tolerance")
    page.keyboard.press("Control+A")
    page.keyboard.type("0.9")
    go_to("Generate the full case")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keep")).to_be_visible()
    go_to("Keep")
    page.keyboard.press("Enter")
    expect(page.get_by_text("kept as kept_00001")).to_be_visible()


def test_it_speaks_german_and_fits_a_phone(page: Page) -> None:
    page.get_by_role("button", name="Deutsch").click()
    expect(page.get_by_label("Sortieren nach")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_of_accessibility(
    page: Page, scheme: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    script = axe_script(tmp_path_factory.mktemp("axe"))
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    expect(page.locator(".case")).to_have_count(18)
    for step in range(3):
        page.get_by_role("tab").nth(step).click()
        page.wait_for_timeout(300)
        page.evaluate(script)
        found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
        serious = [
            (one["id"], one["nodes"][0]["html"][:120])
            for one in found["violations"] if one["impact"] in ("serious", "critical")
        ]  # fmt: skip
        assert not serious, json.dumps(serious, indent=1)
