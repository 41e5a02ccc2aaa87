"""From answers to figures, files and pages."""

from __future__ import annotations

import csv
import json
from typing import Any

import numpy as np
import pytest
from conftest import Making  # type: ignore[import-not-found]

from vesalius.evidence.figure import Figure
from vesalius.readers.answers.store import Answer, Store, now
from vesalius.readers.exporting import collect, export_study
from vesalius.readers.results.readings import Reading
from vesalius.readers.results.reporting import report_results, seconds_figures, too_few
from vesalius.readers.results.tables import tables_of
from vesalius.readers.study import Study, hashed
from vesalius.scans.input_error import InputError


def _answered(study: Study, say: Any, readers: int) -> Store:
    store, key = Store.at(study), study.key()
    for reader in range(readers):
        for number, step in enumerate(study.steps(reader)):
            content = say(reader, step, key[step.item])
            store.add(Answer(reader, number, "sitting-1", f"k{number}", content, 2.0, now()))
    return store


def test_realism_tells_who_is_found_out_and_how_either_is_rated(
    make: Making, tmp_path: Any
) -> None:
    study = make("realism")

    def say(reader: int, step: Any, item: Any) -> dict[str, Any]:
        fooled = reader == 1 and item.truth == "synthetic"
        rated = 5 if item.truth == "real" else 3
        return {"origin": "real" if fooled else item.truth, "appearance": rated,
                "anatomy": 4 - step.item % 2, "consistency": 5,
                "comment": "=HYPERLINK('x')<script>alert(1)</script>"}  # fmt: skip

    found = report_results(study, _answered(study, say, 3), tmp_path / "out").figures
    assert found["origin/sensitivity"].value == pytest.approx(2 / 3)
    assert found["origin/specificity"].value == 1
    assert found["synthetic_minus_real/appearance"].value == -2
    assert found["agreement/anatomy/alpha"].value == pytest.approx(1)
    assert found["agreement/origin/same_again"].value == 1
    content = json.loads((tmp_path / "out/results.json").read_text())
    assert content["notes"]["readers"] == 3 and content["notes"]["answered"][3] == 0
    assert "<script>alert" not in (tmp_path / "out/report.html").read_text()
    rows = list(csv.DictReader((tmp_path / "out/answers.csv").read_text().splitlines()))
    assert len(rows) == 3 * 12 and rows[0]["comment"].startswith("'=")
    assert {row["kind"] for row in rows} == {"practice", "main", "repeat"}


def test_saliency_follows_methods_wherever_they_stood(make: Making, tmp_path: Any) -> None:
    study = make("saliency", phantoms=True)
    worth = {"gradient": 1, "dual": 4}

    def say(reader: int, step: Any, item: Any) -> dict[str, Any]:
        shown = [item.methods[place] for place in step.arrangement]
        return {f"usefulness_{slot + 1}": min(5, worth[name] + reader % 2)
                for slot, name in enumerate(shown)}  # fmt: skip

    found = report_results(study, _answered(study, say, 4), tmp_path / "out").figures
    assert found["dual/usefulness"].value == 4.5 and found["gradient/usefulness"].value == 1.5
    assert found["gradient_minus_dual/usefulness"].value == -3
    page = (tmp_path / "out/report.html").read_text()
    assert "gradient minus dual" in page and "rests on phantoms" in page


def test_diagnosis_pairs_readers_with_and_without_the_aid(make: Making, tmp_path: Any) -> None:
    study = make("diagnosis")

    def say(reader: int, step: Any, item: Any) -> dict[str, Any]:
        right = step.aided or step.item % 3 > 0
        other = {"yes": "no", "no": "yes"}[item.truth]
        return {
            "decision": item.truth if right else other,
            "confidence": 1 + (reader + step.item) % 5,
        }

    found = report_results(study, _answered(study, say, 4), tmp_path / "out").figures
    assert found["aided/sensitivity"].value == found["aided/auc"].value == 1
    assert found["reader_4/unaided/sensitivity"].value == pytest.approx(2 / 3)
    page = (tmp_path / "out/report.html").read_text()
    for reported in (
        "With and without the aid",
        "reader 4",
        "3 yes cases",
        "0.667 [0.",
        "aided, AUC",
    ):
        assert reported in page
    assert "rests on phantoms" not in page
    assert found["unaided/sensitivity"].value == pytest.approx(2 / 3)
    assert found["aided_minus_unaided/sensitivity"].value == pytest.approx(1 / 3)
    assert found["unaided/specificity"].value == pytest.approx(2 / 3)


@pytest.mark.parametrize("design", ["realism", "saliency", "diagnosis"])
def test_one_reader_who_always_says_the_same_is_told_too(
    design: str, make: Making, tmp_path: Any
) -> None:
    study = make(design)
    said = {
        "realism": {"origin": "real", "appearance": 3, "anatomy": 3, "consistency": 3},
        "saliency": {"usefulness_1": 2, "usefulness_2": 2},
        "diagnosis": {"decision": "yes", "confidence": 3},
    }[design]
    report_results(study, _answered(study, lambda *_: said, 1), tmp_path / "out")
    page = (tmp_path / "out/report.html").read_text()
    assert "reader 1" in page and ">nan" not in page


def test_without_a_complete_reader_there_are_answers_but_no_figures(
    make: Making, tmp_path: Any
) -> None:
    study = make("saliency")
    store = Store.at(study)
    said = {"usefulness_1": 1, "usefulness_2": 2}
    store.add(Answer(0, 0, "sitting-1", "k0", said, 1.0, now()))
    with pytest.raises(InputError, match="no reader who has answered everything"):
        report_results(study, store, tmp_path / "out")
    assert len((tmp_path / "out/answers.csv").read_text().splitlines()) == 2


def test_a_saved_file_is_stored_once_and_a_forged_one_never(make: Making, tmp_path: Any) -> None:
    study = make("saliency")
    pages = export_study(study, tmp_path / "pages")
    assert len(pages) == study.readers and all(page.is_file() for page in pages)
    reported = (pages[0].parent / "study.js").read_text()
    assert not any(secret in reported for secret in ("case2", "gradient", '"repeat"'))
    assert study.tokens()[1] not in reported
    answers = [
        {"step": step, "key": f"key-0000{step}", "sitting": "sitting-1", "seconds": 3.0,
         "received": now().isoformat(), "content": {"usefulness_1": 2, "usefulness_2": 5}}
        for step in range(3)
    ]  # fmt: skip
    whole = {"study": "x", "reader": 1, "token": study.tokens()[0], "answers": answers}
    path, store = tmp_path / "answers-1.json", Store.at(study)
    for wrong in (
        whole | {"token": hashed("x")}, whole | {"answers": [answers[0] | {"step": 99}]},
        whole | {"answers": [*answers, answers[0] | {"content": {"usefulness_1": 9}}]}, {},
    ):  # fmt: skip
        path.write_text(json.dumps(wrong))
        with pytest.raises(InputError):
            collect(study, store, path)
    assert store.every() == []
    path.write_text(json.dumps(whole))
    assert [collect(study, store, path).new for _ in range(2)] == [3, 0]


def test_small_studies_are_told_to_be_small_and_repeats_do_not_shorten_times() -> None:
    def one(reader: int, item: int, kind: str, seconds: float) -> Reading:
        truth, subject = ("yes", "no")[item % 2], f"subject-{item // 2}"
        return Reading(
            reader, item, f"case-{item}", truth, kind, 1, False, (), {}, seconds, 0, subject,  # type: ignore[arg-type]
        )  # fmt: skip

    few = [one(r, i, "main", 10.0 + r + i % 3) for r in range(2) for i in range(40)]
    few += [one(r, i, "repeat", 1.0) for r in range(2) for i in range(5)]
    assert "2 readers and 20 cases" in too_few(few, [0, 1])
    found = seconds_figures(few, [0, 1])
    assert found["seconds_a_case"].value == pytest.approx(np.mean([s.seconds for s in few[:80]]))
    assert found["seconds_a_repeat"].value == 1 and found["seconds_a_case"].unit == "s"
    low, high = found["seconds_a_case"].ci95 or (0, 0)
    assert low < 10.5 and high > 12.0  # two readers who differ tell little of others
    many = [one(r, i, "main", 10.0) for r in range(3) for i in range(40)]
    assert too_few(many, [0, 1, 2]) == ""


def test_methods_may_be_called_whatever_a_design_calls_them() -> None:
    names = ("a{b}", "x{", "{0}", "grad_cam", "grad cam")
    figures = {f"{name}/usefulness": Figure(float(n), "", 9) for n, name in enumerate(names)}
    first = tables_of("saliency", figures)[0].parts[0]
    assert first.texts[0][1:] == ["0", "1", "2", "3", "4"]
