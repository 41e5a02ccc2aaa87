"""A run or a cohort as a folder for the Hugging Face Hub: its files, and a card that says all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from vesalius.evidence.results import Results
from vesalius.scans.cohort import TABLE_NAME, Cohort
from vesalius.scans.description import FILE_NAME
from vesalius.scans.exporting.source import origin_of
from vesalius.scans.formats.content import read_text
from vesalius.scans.formats.json_file import OBJECT, read_json
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.scans.writing import copy_file, make_folder, write_text

RECIPE, CARD = "recipe.json", "card.md"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**9, "n>100K"))


def export_run(run: Path, out: Path, license_id: str, progress: Progress = no_progress) -> None:
    """Copy what a finished run needs to be loaded, under a model card.

    Args:
        run: folder of a finished fit.
        out: folder to write into, which `vesalius.load` opens as it does the run.
        license_id: of the Hub, such as `apache-2.0`.
        progress: called after each file.

    Raises:
        InputError: for a run that is not finished.
    """
    copy_run(run, out, progress)
    recipe = read_json(run / RECIPE, OBJECT)
    text = read_text(run / CARD)
    front = {
        "license": license_id,
        "library_name": "vesalius",
        "tags": ["medical", "vesalius", str(recipe.get("method", ""))],
    }
    use = (
        "## Use\n\n```python\nimport vesalius as vs\n\nmodel = vs.load(\"this/folder\")\n```\n\n"
        "Weights are safetensors; no file is a pickle.\n"
    )  # fmt: skip
    write_text(out / "README.md", f"{_front(front)}{text.rstrip()}\n\n{use}")


def copy_run(run: Path, out: Path, progress: Progress = no_progress) -> None:
    """Copy what a finished run needs to be loaded.

    Raises:
        InputError: for a run that is not finished.
    """
    if not (run / CARD).is_file():
        raise InputError(run, "is no finished run", "finish it with the same vesalius fit")
    files = [path for path in sorted(run.rglob("*")) if _belongs(path.relative_to(run), path)]
    for path in track(files, "copying files", len(files), progress):
        target = out / path.relative_to(run)
        make_folder(target.parent)
        copy_file(path, target)


def export_cohort(
    cohort: Cohort, out: Path, license_id: str, audit: Path | None = None,
    progress: Progress = no_progress,
) -> None:  # fmt: skip
    """Copy a cohort under a data card: counts, attributes, who made it, what an audit found.

    Args:
        cohort: that is exported.
        out: folder to write into, which is a cohort again.
        license_id: of the Hub.
        audit: folder or `results.json` of `vesalius audit` of this cohort.
        progress: called after each case.
    """
    found = _audited(audit)
    for case in track(cohort.cases, "exporting cases", len(cohort.cases), progress):
        further = filter(None, (case.label_map, case.provenance_file))
        for path in (*case.images, *further):
            target = out / path.relative_to(cohort.folder)
            make_folder(target.parent)
            copy_file(path, target)
    for name in (FILE_NAME, TABLE_NAME, "landmarks.csv"):
        if (cohort.folder / name).is_file():
            copy_file(cohort.folder / name, out / name)
    labelled = any(case.label_map for case in cohort.cases)
    synthetic = any(case.synthetic for case in cohort.cases)
    front = {
        "license": license_id,
        "task_categories": ["image-segmentation"] if labelled else [],
        "tags": ["medical", *(["synthetic"] if synthetic else [])],
        "size_categories": [next(name for n, name in SIZES if len(cohort.cases) < n)],
    }
    write_text(out / "README.md", _front(front) + "\n".join([*_described(cohort), *found]) + "\n")


OWN = ("state", "tensorboard", "mlflow.json")
"""What a run keeps for whoever fitted it, and what trackers were sent."""


def _belongs(relative: Path, path: Path) -> bool:
    """Whether a file is part of a finished run."""
    return (
        path.is_file() and relative.parts[0] not in OWN
        and not any(part.startswith(".") for part in relative.parts)
    )  # fmt: skip


def _front(content: Mapping[str, Any]) -> str:
    """Front matter in YAML."""
    return f"---\n{yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)}---\n\n"


def _described(cohort: Cohort) -> list[str]:
    """The data card, a line each."""
    cases, known = cohort.cases, cohort.description
    origins = Counter(origin_of(known, case) or "real" for case in cases)
    lines = [
        f"# {cohort.folder.name}", "",
        "Not for diagnosis. Cases are named as they were made: "
        + ", ".join(f"{count} {name}" for name, count in sorted(origins.items())) + ".", "",
        f"- {len(cases)} cases of {len({case.subject for case in cases})} subjects",
        f"- channels: {', '.join(known.channels)}",
        f"- labels: {', '.join(known.foreground) or 'none'}",
    ]  # fmt: skip
    values: dict[str, list[float]] = {}
    for case in cases:
        for name, value in case.attributes.items():
            values.setdefault(name, []).append(value)
    lines += [
        f"- {name}: {min(own):.4g} to {max(own):.4g} (n = {len(own)} cases)"
        for name, own in values.items()
    ]
    runs = Counter(str(case.provenance().get("run", "")) for case in cases if case.synthetic)
    lines += [f"- made by run {run or 'unknown'}: {count} cases" for run, count in runs.items()]
    return [
        *lines,
        "",
        "Each synthetic case has its request, measurement, seed and run in `provenance/`.",
    ]


def _audited(audit: Path | None) -> Iterable[str]:
    """What an audit found, a line a figure; a plain word where there was none."""
    if audit is None:
        return ["", "## Audit", "", "No audit for copies of training cases was given."]
    path = audit / "results.json" if audit.is_dir() else audit
    figures = Results.of_file(path).figures
    chosen = {name: figure for name, figure in figures.items() if name.startswith("memorisation/")}
    if not chosen:
        raise InputError(path, "holds no audit", "point at what vesalius audit wrote")
    lines = [f"- {name.removeprefix('memorisation/')}: {one}" for name, one in chosen.items()]
    return ["", "## Audit for copies of training cases", "", *lines]
