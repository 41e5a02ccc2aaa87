"""The files of results: figures as JSON, a page, and all answers as CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from vesalius.evidence.figure import Figure, Results, mean_figure
from vesalius.readers.answers.store import Store
from vesalius.readers.design import Kind
from vesalius.readers.results.diagnosis import diagnosis_figures
from vesalius.readers.results.readings import (
    Reading,
    complete_readers,
    raw_table,
    readings_of,
)
from vesalius.readers.results.realism import realism_figures
from vesalius.readers.results.saliency import saliency_figures
from vesalius.readers.results.tables import tables_of
from vesalius.readers.study import Study
from vesalius.report.rendering import rendered
from vesalius.report.sources import json_if_there
from vesalius.scans.description import write_text
from vesalius.scans.fault import Refused, make_folder

FIGURES: dict[Kind, Callable[[Sequence[Reading], Sequence[int]], dict[str, Figure]]] = {
    "realism": realism_figures, "saliency": saliency_figures, "diagnosis": diagnosis_figures,
}  # fmt: skip


def tell_results(study: Study, store: Store, out: str | Path) -> Results:
    """Write `results.json`, `report.html` and `answers.csv`.

    Only readers who have answered everything count; how far the others are is told.

    Raises:
        Refused: while no reader has answered everything; `answers.csv` is written even then.
    """
    folder = make_folder(out)
    readings = readings_of(study, store.every())
    names = [question.name for question in study.outline.questions]
    write_text(folder / "answers.csv", raw_table(readings, names))
    readers = complete_readers(study, readings)
    if not readers:
        fault = "has no reader who has answered everything"
        raise Refused(study.folder, fault, "wait for one; answers.csv holds what there is")
    counted = [one for one in readings if one.reader in readers and one.kind != "practice"]
    kind = study.outline.design
    found = FIGURES[kind](counted, readers)
    seconds = np.array([one.seconds for one in counted])
    found["seconds_a_case"] = mean_figure(seconds, "s")
    steps = [len(study.steps(reader)) for reader in range(study.readers)]
    given = [sum(one.reader == reader for one in readings) for reader in range(study.readers)]
    design = study.design()
    results = Results(f"readers-{kind}", "", design.seed, design.phantoms, found, {
        "readers": len(readers), "answered": given, "steps": steps,
        "changed": sum(one.changed > 0 for one in counted),
        "cases": Counter({one.item: one.truth for one in counted}.values()),
    })  # fmt: skip
    results.write(folder)
    content = json_if_there(folder / "results.json")
    write_text(folder / "report.html", rendered("readers.html.j2", {
        "title": study.outline.title, "phantoms": design.phantoms,
        "finished": len(readers) == study.readers, "conclusions": [], "results": content,
        "figures": content["figures"], "notes": content["notes"],
        "seconds": content["figures"]["seconds_a_case"],
        "tables": tables_of(kind, {name: one for name, one in found.items() if one.sound}),
    }))  # fmt: skip
    return results
