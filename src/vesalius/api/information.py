"""What a folder or file holds, in a few lines, without reading a single image."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from vesalius.evidence.results import Results
from vesalius.report.staleness import stale
from vesalius.scans.cohort import Cohort
from vesalius.scans.formats.content import read_text
from vesalius.scans.input_error import InputError

SHOWN = 12
"""Figures of a results file that are listed."""


def info(path: str | Path) -> list[str]:
    """Say what a run, a cohort or a results file is.

    Parameters
    ----------
    path
        folder of a run, of a cohort, or of an experiment or proof, or its `results.json`.

    Returns
    -------
    Lines of plain text.

    Raises
    ------
    InputError
        for anything else.

    >>> info("no-such-folder")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: no-such-folder: is neither run, cohort nor results; ...
    """
    path = Path(path)
    if (path / "recipe.json").is_file():
        return _run(path)
    if (path / "dataset.json").is_file():
        return _cohort(Cohort.open(path, labelled=False))
    for file in (path, path / "results.json"):
        if file.is_file() and file.suffix == ".json":
            return _results(Results.of_file(file))
    raise InputError(
        path, "is neither run, cohort nor results",
        "point at a folder of vesalius fit, a cohort, or a results.json",
    )  # fmt: skip


def _run(folder: Path) -> list[str]:
    """The card, or how far an unfinished fit is."""
    if not (folder / "card.md").is_file():
        parts = sorted(one.stem for one in folder.glob("*.safetensors"))
        done = f"finished parts: {', '.join(parts)}" if parts else "no part is finished"
        return [f"{folder}: an unfinished run; {done}. The same vesalius fit goes on with it."]
    text = read_text(folder / "card.md")
    return [f"{folder}: a run", *(line for line in text.splitlines() if line.strip())]


def _cohort(cohort: Cohort) -> list[str]:
    """Counts, labels and columns."""
    cases, known = cohort.cases, cohort.description
    subjects = len({case.subject for case in cases})
    generated = sum(case.synthetic for case in cases)
    labelled = sum(case.label_map is not None for case in cases)
    splits = Counter(case.split or "none" for case in cases)
    lines = [
        f"{cohort.folder}: a cohort of {len(cases)} cases of {subjects} subjects, {labelled} with "
        f"label maps, {generated} synthetic",
        f"channels: {', '.join(known.channels)}",
        f"labels: {', '.join(name for name, number in known.labels.items() if number) or 'none'}",
        "split: " + ", ".join(f"{name} ({count})" for name, count in sorted(splits.items())),
    ]
    columns: dict[str, list[float]] = {}
    for case in cases:
        for name, value in case.attributes.items():
            columns.setdefault(name, []).append(float(value))
    lines += [
        f"{name}: {np.min(own):.4g} to {np.max(own):.4g}, median {np.median(own):.4g}, known of "
        f"{len(own)}"
        for name, own in columns.items()
    ]
    if cohort.faults:
        lines.append(f"{len(cohort.faults)} faults: vesalius cohort check lists them")
    return lines


def _results(results: Results) -> list[str]:
    """The question, what was measured, and whether the code is still that."""
    phantoms = ", on phantoms" if results.rests_on_phantoms else ""
    lines = [
        f"results of {results.protocol}, preset {results.preset}, seed {results.seed}{phantoms}: "
        f"{len(results.figures)} figures"
    ]
    listed = list(results.figures.items())[:SHOWN]
    width = max((len(name) for name, _ in listed), default=0)
    lines += [f"{name:<{width}}  {figure}  ({figure.account})" for name, figure in listed]
    if len(results.figures) > SHOWN:
        lines.append(f"… and {len(results.figures) - SHOWN} more")
    if stale(results):
        lines.append("The code that they rest on is not known to be that of this version.")
    return lines
