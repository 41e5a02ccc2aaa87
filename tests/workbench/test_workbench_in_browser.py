"""The workbench in a real browser: by mouse, by keyboard, in two languages, for every reader."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsing import axe_script, left_out, serving
from vesalius.evidence.realism import realism_figures
from vesalius.evidence.two_sample import FIT
from vesalius.phantoms.cohorts.organs import write_brains
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError
from vesalius.serving.niivue import niivue_script
from vesalius.training.run import Run
from vesalius.workbench.app import Workbench, create_app
from vesalius.workbench.comparing import Comparing
from vesalius.workbench.making import Question, form_of
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


def test_two_cohorts_are_measured_side_by_side(
    page: Page, bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.get_by_label("Compare with").select_option(index=1)
    page.get_by_role("button", name="Measure how far apart").click()
    expect(page.locator("#state")).to_contain_text("has 3 cases, and 8 is the least")
    quick = partial(realism_figures, recipe=FIT.changed(steps=2))
    monkeypatch.setattr("vesalius.workbench.comparing.realism_figures", quick)
    bench.comparing = Comparing((bench.opened.cohorts[0], write_brains(
        tmp_path / "others", 8, seed=5, spacing_mm=8.0, volume_ml=(60, 100)
    )))  # fmt: skip
    page.get_by_role("button", name="Measure how far apart").click()
    row = page.get_by_role("row", name="AUC of a network that tells them")
    expect(row).to_be_visible(timeout=90_000)
    expect(row.locator("td")).to_have_count(2)
    expect(page.get_by_text("n = 8 subjects")).to_be_visible()
    if shots := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{shots}/compare.png", full_page=True)


def test_two_runs_are_asked_the_same_side_by_side(
    browser: Browser, small_run: Run, tmp_path: Path
) -> None:
    shutil.copytree(small_run.folder, tmp_path / "another")
    try:
        viewer = niivue_script()
    except InputError as refusal:
        left_out(str(refusal))
    opened = Opened.of([small_run.folder, tmp_path / "another"])
    with serving(create_app(Workbench(opened, tmp_path / "bench", viewer, TOKEN))) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{address}/#{TOKEN}")
        pictures = page.locator(".planes img")
        expect(pictures).to_have_count(6)
        page.get_by_label("Ask another run the same").select_option(label="another")
        expect(pictures).to_have_count(12)
        for name in (small_run.folder.name, "another"):
            expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        sources = [one.get_attribute("src") for one in pictures.all()]
        assert sources[:6] == sources[6:]  # the same weights, asked the same
        before = page.locator(".measured").all_inner_texts()
        assert len(before) == 2 and before[0] == before[1]
        page.get_by_label("Ask another run the same").select_option(label="none")
        expect(pictures).to_have_count(6)
        if shots := os.environ.get("SCREENSHOTS"):
            page.get_by_label("Ask another run the same").select_option(label="another")
            expect(pictures).to_have_count(12)
            page.screenshot(path=f"{shots}/runs.png", full_page=True)
        context.close()


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


def test_an_edited_scan_is_wiped_to_and_from_what_it_was(
    browser: Browser, spines: Cohort, inpainting_run: Run, tmp_path: Path
) -> None:
    try:
        viewer = niivue_script()
    except InputError as refusal:
        left_out(str(refusal))
    bench = Workbench(
        Opened.of([spines.folder, inpainting_run.folder]), tmp_path / "bench", viewer, TOKEN
    )
    (finding, *_) = form_of(bench.opened.runs[0])["findings"]
    for level in finding["levels"]:
        bench.jobs.add(Question(
            run=0, cohort=0, case=0, pathology=finding["name"], level=level,
            size_mm=finding["middle"], tolerance=99,
        ))  # fmt: skip
    bench.jobs.start()
    with serving(create_app(bench)) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB")
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{address}/#{TOKEN}")
        page.get_by_role("tab").nth(1).click()
        page.get_by_role("button", name="Look at it").first.click()
        over = page.locator(".wiped .volume").nth(1)
        expect(over).to_have_css("clip-path", "inset(0px 0px 0px 50%)")
        page.get_by_label("Before | after").fill("0.2")
        expect(over).to_have_css("clip-path", "inset(0px 0px 0px 20%)")
        page.wait_for_timeout(500)
        if shots := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{shots}/wiped.png", full_page=True)
        page.close()
    bench.jobs.stop()


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
