"""Readers in a real browser: whole studies of each design, lost networks, saved files.

They need Chromium and the viewer, which npm fetches once.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import uvicorn
from conftest import Making  # type: ignore[import-not-found]
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browsing import left_out
from vesalius.readers.answers.store import Store, latest
from vesalius.readers.exporting import collect, export_study
from vesalius.readers.results.reporting import report_results
from vesalius.readers.serving.app import create_app
from vesalius.readers.study import Study
from vesalius.scans.input_error import InputError
from vesalius.serving import niivue

LAPTOP, TABLET = {"width": 1280, "height": 800}, {"width": 820, "height": 1180}
PATIENCE_MS = 20_000
SKILL = {"synthetic": (0.75, 0.25), "real": (0.25, 0.75)}
"""How often a simulated reader calls cases synthetic and real."""


@pytest.fixture(scope="module")
def viewer() -> Path:
    try:
        return niivue.niivue_script()
    except InputError as refusal:
        left_out(str(refusal))


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    found = browser.new_context(viewport=LAPTOP, locale="en-GB")  # type: ignore[arg-type]
    found.set_default_timeout(PATIENCE_MS)
    yield found
    found.close()


class Served:
    """A study behind an address."""

    def __init__(self, study: Study) -> None:
        self.study, self.store = study, Store.at(study)
        settings = uvicorn.Config(
            create_app(study, self.store), host="127.0.0.1", port=0, log_level="warning",
            access_log=False,
        )  # fmt: skip
        self.server = uvicorn.Server(settings)
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self) -> Served:
        self.thread.start()
        while not self.server.started:
            self.thread.join(0.02)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join()

    def link(self, reader: int) -> str:
        return f"http://127.0.0.1:{self.port}/#{self.study.tokens()[reader]}"

    def contents(self) -> dict[tuple[int, int], dict[str, Any]]:
        return {place: one.content for place, one in latest(self.store.every()).items()}


@pytest.fixture
def serve(make: Making, viewer: Path) -> Iterator[Any]:
    opened: list[Served] = []

    def served(design: str, **changed: Any) -> Served:
        study = make(design, **changed)
        shutil.copyfile(viewer, study.folder / niivue.FILE)
        opened.append(Served(study).__enter__())
        return opened[-1]

    yield served
    for one in opened:
        one.__exit__()


def _begun(page: Page, link: str, step: int = 0) -> None:
    page.goto(link)
    page.locator("#sheet button.main").click()
    _reached(page, step)


def _reached(page: Page, step: int | str) -> None:
    page.wait_for_selector(f"body[data-step='{step}']", timeout=PATIENCE_MS)


def _keyed(page: Page, digits: str) -> None:
    for digit in digits:
        page.keyboard.press(digit)
    page.keyboard.press("Enter")


def _closed(page: Page) -> None:
    """Confirm that the last answer of a session is to be stored."""
    expect(page.locator("#sheet[open]")).to_contain_text("last case")
    page.keyboard.press("Enter")


def _faults(page: Page) -> list[str]:
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on(
        "console",
        lambda reported: found.append(reported.text) if reported.type == "error" else None,
    )
    return found


def test_a_reader_rates_volumes_by_keys_alone(serve: Any, context: BrowserContext) -> None:
    served, page = serve("realism"), context.new_page()
    faults, key, steps = _faults(page), served.study.key(), served.study.steps(0)
    rng, called = Random(1), []
    page.goto(served.link(0))
    expect(page.get_by_role("button", name="Begin")).to_be_focused()
    page.keyboard.press("Enter")
    _reached(page, 0)
    expect(page.locator("#viewer canvas")).to_have_count(1)
    for number, step in enumerate(steps):
        _reached(page, number)
        for press in ("ArrowUp", "ArrowRight", "ArrowDown", "+", "w", "r", "d", "d"):
            page.keyboard.press(press)
        called.append(rng.choices(("synthetic", "real"), SKILL[key[step.item].truth])[0])
        _keyed(page, ("2" if called[-1] == "synthetic" else "1") + f"{1 + step.item % 5}45")
    expect(page.get_by_role("button", name="Store and finish")).to_be_focused()
    page.keyboard.press("Escape")  # not yet: until it is stored it can be changed
    expect(page.locator("#sheet")).to_be_hidden()
    expect(page.locator("#viewer")).to_be_focused()  # keys are heard again
    _keyed(page, "")
    # The browser may report that the first sheet closed when the second one is open.
    page.locator("#sheet[open]").dispatch_event("close")
    _closed(page)
    _reached(page, "done")
    expect(page.locator("#sheet")).to_contain_text("Thank you")
    said = served.contents()
    assert len(said) == len(steps) and not faults
    for number, step in enumerate(steps):
        assert said[0, number] == {
            "origin": called[number], "appearance": 1 + step.item % 5, "anatomy": 4,
            "consistency": 5,
        }  # fmt: skip
    assert all(one.seconds > 0 for one in served.store.every())
    results = report_results(served.study, served.store, served.study.folder / "results")
    for name, truth in (("sensitivity", "synthetic"), ("specificity", "real")):
        right = [reported == truth for reported, step in zip(called, steps, strict=True)
                 if step.kind == "main" and key[step.item].truth == truth]  # fmt: skip
        figure = results.figures[f"origin/{name}"]
        low, high = figure.ci95
        assert figure.value == sum(right) / len(right) and 0 < figure.value < 1
        assert low <= SKILL["synthetic"][0] <= high
    page.keyboard.press("Escape")  # the last page cannot be closed at random
    expect(page.locator("#sheet")).to_contain_text("Thank you")
    expect(page.get_by_role("button", name="Back")).to_have_count(0)
    page.keyboard.press("b")
    page.reload()
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#sheet")).to_contain_text("Thank you")
    expect(page.locator("#viewer figure")).to_have_count(0)


def test_a_reader_compares_maps_by_pointer_on_a_tablet_in_german(
    serve: Any, browser: Browser
) -> None:
    served = serve("saliency")
    context = browser.new_context(
        viewport=TABLET,
        has_touch=True,
        locale="de-DE",  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.goto(served.link(1))
    page.get_by_role("button", name="Beginnen").tap()
    for number, step in enumerate(served.study.steps(1)):
        _reached(page, number)
        for slot, place in enumerate(step.arrangement):
            page.locator(f"fieldset:nth-of-type({slot + 1}) label").nth(2 * place + 1).tap()
        button = page.get_by_role("button", name="Speichern und weiter")
        expect(button).to_be_in_viewport()
        button.dblclick(force=True)  # twice in haste
    page.get_by_role("button", name="Speichern und beenden").tap()
    _reached(page, "done")
    said = served.contents()
    for number, step in enumerate(served.study.steps(1)):
        wanted = {f"usefulness_{s + 1}": 2 * p + 1 for s, p in enumerate(step.arrangement)}
        assert said[1, number] == wanted
    assert len(served.store.every()) == len(said)
    context.close()


def test_decisions_with_an_aid_go_on_after_the_washout_and_on_another_device(
    serve: Any, context: BrowserContext, browser: Browser
) -> None:
    served, page = serve("diagnosis", washout_days=1), context.new_page()
    steps = served.study.steps(0)
    first = sum(step.session == 1 for step in steps)
    _begun(page, served.link(0))
    for number in range(3):
        _reached(page, number)
        pictures = 2 if steps[number].aided else 1
        expect(page.locator("#viewer figure")).to_have_count(pictures)
        _keyed(page, "14")
    _reached(page, 3)
    page.keyboard.press("b")
    _reached(page, 2)
    page.locator("textarea").fill("<img src=x onerror=alert(1)>")
    page.keyboard.press("Escape")
    _keyed(page, "25")
    _reached(page, 3)
    page.close()
    assert served.contents()[0, 2] == {
        "decision": "no",
        "confidence": 5,
        "comment": "<img src=x onerror=alert(1)>",
    }
    other = browser.new_context(viewport=TABLET, locale="en-GB")  # type: ignore[arg-type]
    page = other.new_page()
    _begun(page, served.link(0), 3)
    page.get_by_role("button", name="Back").click()
    _reached(page, 2)
    expect(page.locator("#panel input").first).to_be_disabled()  # another sitting
    page.keyboard.press("Enter")
    for number in range(3, first):
        _reached(page, number)
        _keyed(page, "13")
    _closed(page)
    _reached(page, "done")
    expect(page.locator("#sheet")).to_contain_text("second one opens on")
    expect(page.get_by_role("button", name="Back")).to_have_count(0)
    drafts = "Object.keys(localStorage).filter((name) => name.includes('draft'))"
    assert page.evaluate(drafts) == []  # nothing of a closed session stays in the browser
    assert len(served.contents()) == first
    over = served.study.outline.model_copy(update={"washout_days": 0.0})
    with Served(Study(served.study.folder, over)) as again:
        page.goto("about:blank")
        _begun(page, again.link(0), first)
        expect(page.get_by_role("button", name="Back")).to_be_disabled()
        page.keyboard.press("b")  # the first session stays closed
        for number in range(first, len(steps)):
            _reached(page, number)
            _keyed(page, "13")
        _closed(page)
        _reached(page, "done")
        assert len(again.contents()) == len(steps)
    other.close()


def test_a_lost_network_and_a_closed_tab_lose_nothing(serve: Any, context: BrowserContext) -> None:
    served, page = serve("saliency"), context.new_page()
    _begun(page, served.link(2))
    context.set_offline(True)
    _keyed(page, "24")
    expect(page.locator("#state")).to_contain_text("No connection")
    assert served.contents() == {}
    page.close()  # before it was sent
    context.set_offline(False)
    page = context.new_page()
    page.goto(served.link(2))
    page.locator("#sheet button.main").click()
    _reached(page, 1)
    assert served.contents() == {(2, 0): {"usefulness_1": 2, "usefulness_2": 4}}
    page.keyboard.press("5")
    page.locator("textarea").fill("half done")
    page.close()
    page = context.new_page()
    _begun(page, served.link(2), 1)
    expect(page.locator("textarea")).to_have_value("half done")
    expect(page.locator("input[value='5']:checked")).to_have_count(1)


def test_a_wrong_link_says_so(serve: Any, context: BrowserContext) -> None:
    served, page = serve("saliency"), context.new_page()
    page.goto(served.link(0)[:-3] + "xyz")
    expect(page.locator("#sheet")).to_contain_text("not known")
    assert page.url.split("#")[0].endswith("/")


def test_a_folder_of_pages_gives_a_file_that_is_collected(
    serve: Any, context: BrowserContext, tmp_path: Path
) -> None:
    study = serve("realism").study
    pages = export_study(study, tmp_path / "pages")
    page = context.new_page()
    faults = _faults(page)
    _begun(page, pages[3].as_uri())
    for number in range(len(study.steps(3))):
        _reached(page, number)
        _keyed(page, "1234")
    _closed(page)
    _reached(page, "done")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save the file").click()
    saving.value.save_as(tmp_path / "answers.json")
    store = Store.at(study)
    found = collect(study, store, tmp_path / "answers.json")
    assert (found.reader, found.new, found.doubtful) == (4, len(study.steps(3)), 0)
    assert not faults


def test_whatever_a_server_or_a_proxy_says_an_answer_is_sent_again(
    serve: Any, context: BrowserContext
) -> None:
    served, page = serve("saliency"), context.new_page()
    _begun(page, served.link(0))
    page.evaluate("reader.pauses = function* () { for (;;) yield 50; }")
    passing = [401, 403, 404, 408, 413, 429, 500, 502, 503]
    tries: list[int] = []

    def proxy(route: Any) -> None:
        tries.append(1)
        if len(tries) <= len(passing):
            route.fulfill(status=passing[len(tries) - 1], body="<h1>from a proxy</h1>")
        else:
            route.continue_()

    page.route("**/api/steps/0", proxy)
    _keyed(page, "24")
    _reached(page, 1)
    assert len(tries) == len(passing) + 1
    assert served.contents() == {(0, 0): {"usefulness_1": 2, "usefulness_2": 4}}


def test_pauses_between_tries_grow(serve: Any, context: BrowserContext) -> None:
    served, page = serve("saliency"), context.new_page()
    page.goto(served.link(0))
    first = (
        "(() => { const p = reader.pauses(); return [...Array(9)].map(() => p.next().value); })()"
    )
    assert page.evaluate(first) == [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]
    page.locator("#sheet button.main").click()
    _reached(page, 0)
    page.evaluate("reader.pauses = function* () { for (;;) yield 4000; }")  # time to be seen
    page.route("**/api/steps/0", lambda route: route.fulfill(status=403, body="no"), times=1)
    _keyed(page, "24")
    expect(page.locator("#state")).to_contain_text("answers 403")
    _reached(page, 1)


def test_what_can_never_be_stored_is_shown_with_what_to_do(
    serve: Any, context: BrowserContext
) -> None:
    served, page = serve("saliency"), context.new_page()
    _begun(page, served.link(0))
    other = context.new_page()
    _begun(other, served.link(0))
    _keyed(other, "55")
    _reached(other, 1)
    _keyed(page, "11")  # on another device it was answered already
    expect(page.locator("#sheet")).to_contain_text("The answer to case 1 was not stored")
    expect(page.locator("#sheet")).to_contain_text("The earlier answer counts")
    page.keyboard.press("Enter")
    _reached(page, 1)
    assert served.contents() == {(0, 0): {"usefulness_1": 5, "usefulness_2": 5}}
    page.route("**/api/steps/1", lambda route: route.fulfill(status=422, body="no answer"),
               times=1)  # fmt: skip
    _keyed(page, "22")
    expect(page.locator("#sheet")).to_contain_text("answer the case again")
    page.keyboard.press("Enter")
    expect(page.locator("#sheet")).to_be_hidden()
    expect(page.locator("#panel input:checked")).to_have_count(0)
    _keyed(page, "33")
    _reached(page, 2)
    assert served.contents()[0, 1] == {"usefulness_1": 3, "usefulness_2": 3}


def test_a_full_browser_is_reported_and_half_a_character_is_mended(
    serve: Any, context: BrowserContext
) -> None:
    served, page = serve("saliency"), context.new_page()
    page.add_init_script(
        "Storage.prototype.setItem = () => {"
        " throw new DOMException('full', 'QuotaExceededError'); };"
    )
    _begun(page, served.link(0))
    page.locator("textarea").evaluate("(place) => { place.value = 'cut \\ud83d off'; }")
    _keyed(page, "24")
    expect(page.locator("#full")).to_contain_text("storage is full")
    _reached(page, 1)
    said = {"usefulness_1": 2, "usefulness_2": 4, "comment": "cut \ufffd off"}
    assert served.contents() == {(0, 0): said}


def test_enter_pressed_again_while_a_case_is_loading_answers_nothing(
    serve: Any, context: BrowserContext
) -> None:
    served, page = serve("saliency"), context.new_page()
    _begun(page, served.link(0))
    held: list[Any] = []

    def keep(route: Any) -> None:
        held.append(route)

    page.route("**/api/steps/1?*", keep)
    for digit in "54":
        page.keyboard.press(digit)
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)  # case 0 is stored, case 1 is still to come
    for _ in range(3):
        page.keyboard.press("Enter")
        page.keyboard.press("1")
    page.locator("#panel .main").dblclick(force=True)
    assert set(served.contents()) == {(0, 0)}
    held[0].continue_()
    _reached(page, 1)
    expect(page.locator("#panel input:checked")).to_have_count(0)
    assert [one.step for one in served.store.every()] == [0]
