"""The one renderer: what is there is laid out, what is not is left out, and text is no markup."""

from __future__ import annotations

from pathlib import Path

from vesalius.evidence.figure import Figure
from vesalius.evidence.results import Results
from vesalius.report.rendering import write_page
from vesalius.report.sections import Page, Picture, Pictures, Table, Text, grid, section

FIGURES = {
    "real/dice": Figure(0.9, "", 40, (0.8, 0.95)), "real/mae_ml": Figure(1234.5, "mL", 40),
    "brain/seconds/long_fit": Figure(61.4, "s", 1), "seconds/volume_fast": Figure(2.0, "s", 1),
}  # fmt: skip


def _results() -> Results:
    return Results("test", "demo", 3, True, dict(FIGURES), {})


def test_a_page_holds_its_sections_and_leaves_out_what_is_empty(tmp_path: Path) -> None:
    table = grid(FIGURES, ["real", "synthetic"], {"Dice": "{row}/dice", "MAE": "{row}/mae_ml"})
    page = Page(
        "a page", _results(), [
            section("Tables", table, Picture("", "nothing")),
            section("Never", Picture("", "nothing"), None, Table(("a",), ())),
            section("Seen", Pictures((Picture("data:image/png;base64,AA==", "dot", "one dot"),)),
                    Text("a <b>word</b>", ("a line",)), level=3),
        ], ["It works."], ["It is small."], phantom_note="Indeed.",
    )  # fmt: skip
    text = write_page(page, tmp_path / "new/page.html").read_text()
    assert (
        '<h2 id="s1">Tables</h2>' in text
        and '<h3 id="s2">Seen</h3>' in text
        and "Never" not in text
    )
    assert (
        ">0.9 [0.8, 0.95]</td>" in text
        and 'title="n = 40">1234</td>' in text
        and "synthetic" not in text
    )
    assert "a &lt;b&gt;word&lt;/b&gt;" in text and "<li>a line</li>" in text
    assert text.count("<img") == 1 and "one dot" in text
    assert "rests on phantoms, not on patients.</strong>\nIndeed." in text
    assert "<li>It works.</li>" in text and "<li>It is small.</li>" in text
    assert "brain long fit 61." in text and "volume fast" not in text
    assert "In progress" not in text


def test_an_unfinished_page_says_so_and_promises_no_limits(tmp_path: Path) -> None:
    page = Page("a page", _results(), [], limits=["It is small."], phantoms=False, finished=False)
    text = write_page(page, tmp_path / "page.html").read_text()
    assert "In progress" in text and "It is small" not in text and "phantoms" not in text


def test_a_table_is_the_same_in_markdown() -> None:
    table = grid(FIGURES, {"real cases": "real"}, {"Dice": "{row}/dice", "AUC": "{row}/auc"}, "arm")
    assert table.markdown == [
        "| arm | Dice | AUC |", "|---|---|---|", "| real cases | 0.9 [0.8, 0.95] | – |",
    ]  # fmt: skip
