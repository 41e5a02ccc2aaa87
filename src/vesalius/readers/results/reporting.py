"""The files of results: figures as JSON, a page, and all answers as CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import mean_figure
from vesalius.evidence.multireader import jackknifed_means
from vesalius.evidence.results import Results
from vesalius.readers.answers.store import Store
from vesalius.readers.design import Kind
from vesalius.readers.results.diagnosis import diagnosis_figures
from vesalius.readers.results.estimates import conditions
from vesalius.readers.results.readings import (
    Reading,
    complete_readers,
    matrix,
    raw_table,
    readings_of,
)
from vesalius.readers.results.realism import realism_figures
from vesalius.readers.results.saliency import saliency_figures
from vesalius.readers.results.tables import tables_of
from vesalius.readers.study import PRIVATE, STIMULI, Study
from vesalius.report.rendering import write_page
from vesalius.report.sections import Page, Table, Text, section, shown
from vesalius.scans.input_error import InputError
from vesalius.scans.output import output_folder
from vesalius.scans.writing import write_text

FEWEST_READERS, FEWEST_CASES = 3, 20
"""Below either, intervals of simulated studies held the truth in less than 90 of 100 at times."""

FIGURES: dict[Kind, Callable[[Sequence[Reading], Sequence[int]], dict[str, Figure]]] = {
    "realism": realism_figures, "saliency": saliency_figures, "diagnosis": diagnosis_figures,
}  # fmt: skip


def seconds_figures(
    readings: Sequence[Reading], readers: Sequence[int]
) -> dict[str, Figure]:  # fmt: skip
    """Seconds a case, for other readers and other cases; repeats, which go faster, apart.

    Readers and cases are crossed: the same cases are seen by all, so neither looks of one reader
    nor those at one case are independent.
    """
    sides = sorted({one.aided for one in readings if one.kind == "main"})
    each = [matrix(readings, readers, _seconds, aided)[0] for aided in sides]
    _, cases = matrix(readings, readers, _seconds, sides[0])
    named = {"": np.mean(each, axis=0)}
    if len(sides) == 2:
        named |= dict(zip(("unaided/", "aided/"), each, strict=True))
    subjects = [one.owner for one in cases]
    result = {
        f"{name}seconds_a_case": conditions(jackknifed_means(values[None], subjects), len(cases))[0]
        for name, values in named.items()
    }
    again = np.array([one.seconds for one in readings if one.kind == "repeat"])
    if len(again):
        result["seconds_a_repeat"] = mean_figure(again, "", "repeated cases")
    return {name: replace(figure, unit="s") for name, figure in result.items()}


def _seconds(one: Reading) -> float:
    return one.seconds


def too_few(readings: Sequence[Reading], readers: Sequence[int]) -> str:
    """A warning where a study is too small for its intervals to hold as often as they say."""
    truths = Counter({one.item: one.truth for one in readings}.values())
    least = min(truths.values())
    if len(readers) >= FEWEST_READERS and least >= FEWEST_CASES:
        return ""
    return (
        f"{len(readers)} readers and {least} cases of the rarest kind are few: with fewer than "
        f"{FEWEST_READERS} readers or {FEWEST_CASES} cases, intervals hold the truth less often "
        "than 95 times in 100; take them for rough"
    )


def report_results(study: Study, store: Store, out: str | Path) -> Results:
    """Write `results.json`, `report.html` and `answers.csv`.

    Only readers who have answered everything count; how far the others are is told.

    Raises:
        InputError: while no reader has answered everything; `answers.csv` is written even then.
    """
    made = {"command": "readers results", "study": study.identity}
    own = (study.folder / PRIVATE, study.folder / STIMULI)
    with output_folder(out, made, own) as folder:
        readings = readings_of(study, store.every())
        names = [question.name for question in study.outline.questions]
        write_text(folder / "answers.csv", raw_table(readings, names))
        readers = complete_readers(study, readings)
        if not readers:
            fault = "has no reader who has answered everything"
            raise InputError(study.folder, fault, "wait for one; answers.csv holds what there is")
        counted = [one for one in readings if one.reader in readers and one.kind != "practice"]
        kind = study.outline.design
        result = FIGURES[kind](counted, readers)
        result |= seconds_figures(counted, readers)
        steps = [len(study.steps(reader)) for reader in range(study.readers)]
        given = [sum(one.reader == reader for one in readings) for reader in range(study.readers)]
        design = study.design()
        results = Results(f"readers-{kind}", "", design.seed, design.phantoms, result, {
            "readers": len(readers), "answered": given, "steps": steps,
            "changed": sum(one.changed > 0 for one in counted),
            "cases": Counter({one.item: one.truth for one in counted}.values()),
            "subjects": len({one.owner for one in counted}),
            "from_files": sum(one.source == "file" for one in counted),
            "doubts": [
                f"reader {one.reader + 1}, case {one.case}: {one.doubt}"
                for one in counted
                if one.doubt
            ],
            "few": too_few(counted, readers),
        })  # fmt: skip
        results.write(folder)
        write_page(_page(study, results), folder / "report.html")
        return results


def _page(study: Study, results: Results) -> Page:
    """The figures of a study, how far readers are, and what is in doubt."""
    notes, counted = results.notes, results.notes["readers"]
    sound = {name: one for name, one in results.figures.items() if one.sound}
    cases = ", ".join(f"{count} {truth or ''} cases" for truth, count in notes["cases"].items())
    of_all = (
        f"{counted} of {study.readers} readers have answered everything and are counted; {cases}. "
        "In brackets 95 % intervals: of all readers for other readers and other cases (Obuchowski "
        "and Rockette, with the degrees of freedom of Hillis; shares and AUCs after Wilson), of "
        "one reader and of alpha for other cases, of ICC for other readers and cases. Means, "
        "differences and alphas have none where nothing varies. "
        f"{notes['subjects']} subjects; cases of one subject are left out together."
    )
    pairs = zip(notes["answered"], notes["steps"], strict=True)
    far = tuple((str(i + 1), (str(given), str(of))) for i, (given, of) in enumerate(pairs))
    pace = (
        f"{shown(results.figures['seconds_a_case'])} seconds a case, repeats left out; "
        f"{notes['changed']} answers were changed."
    )
    if notes["from_files"]:
        pace += (
            f" {notes['from_files']} answers came from files that readers saved; their times are "
            "of the readers' own clocks."
        )
    doubts = notes["doubts"] and Text(
        f"Order and washout of {len(notes['doubts'])} answers are in doubt; they are counted all "
        "the same.", tuple(notes["doubts"][:50]),
    )  # fmt: skip
    return Page(
        study.outline.title, results, [
            section("Who is counted", Text(of_all), Text(f"{notes['few']}.") if notes["few"] else
                    None),
            *tables_of(study.outline.design, sound),
            section("How far readers are", Table(("answered", "of"), far, "reader"), Text(pace)),
            section("What cannot be vouched for", doubts or None),
        ], phantoms=results.rests_on_phantoms, finished=counted == study.readers,
    )  # fmt: skip
