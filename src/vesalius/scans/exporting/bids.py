"""A cohort as a BIDS derivative: images, label maps with their names, and where they came from."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from vesalius.scans.case import Case
from vesalius.scans.exporting.source import ExportCase, origin_of
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.scans.writing import copy_file, make_folder, write_text

BIDS_VERSION = "1.10.0"
SUFFIXES = {"T1": "T1w", "T1W": "T1w", "T1C": "T1w", "T2": "T2w", "T2W": "T2w", "FLAIR": "FLAIR",
            "PD": "PDw", "PDW": "PDw", "T2STAR": "T2starw"}  # fmt: skip
"""Suffixes of the specification by the name of a channel; another name stays if it is one."""

ALLOWED = frozenset({*SUFFIXES.values(), "UNIT1", "angio", "inplaneT1", "inplaneT2"})


def export_bids(
    cases: Sequence[ExportCase], out: Path, version: str, progress: Progress = no_progress
) -> list[str]:
    """Write a derivative data set with `GeneratedBy`; images are copied bit by bit.

    Synthetic cases and phantoms say so in `desc-` of their names and in their sidecars. What a
    subject is called in BIDS has letters and digits alone; `participants.tsv` keeps its own name.

    Args:
        cases: of one or several cohorts.
        out: folder of the data set.
        version: of this library.
        progress: called after each case.

    Returns:
        What the user should know.

    Raises:
        InputError: for a channel that BIDS has no suffix for.
    """
    description = cases[0].cohort.description
    suffixes = [_suffix(cases[0].cohort.folder, channel) for channel in description.channels]
    doubled = len(set(suffixes)) < len(suffixes)
    subjects = _labels({one.case.subject.removeprefix("sub-"): one.case.subject for one in cases})
    make_folder(out)
    write_text(out / "dataset_description.json", _json({
        "Name": f"{out.name}, exported by Vesalius",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "Vesalius", "Version": version}],
        "SourceDatasets": [],
    }))  # fmt: skip
    write_text(out / "README.md", _readme(cases, version))
    _write_participants(cases, subjects, out)
    for one in track(cases, "exporting cases", len(cases), progress):
        case, origin = one.case, origin_of(one.cohort.description, one.case)
        sub, ses = subjects[case.subject], re.sub(r"[^A-Za-z0-9]", "", case.visit)
        folder = make_folder(
            out / f"sub-{sub}" / f"ses-{ses}" / "anat" if ses else out / f"sub-{sub}" / "anat"
        )
        stem = f"sub-{sub}_ses-{ses}" if ses else f"sub-{sub}"
        number = _turn(case, cases)
        run = f"_run-{number}" if number else ""
        desc = f"_desc-{origin or 'preproc'}"
        described = f"{origin or 'real'} image of {case.name}"
        sidecar: dict[str, object] = {"Description": described, "SkullStripped": False}
        if origin:
            sidecar["Synthetic"] = True
            sidecar["Provenance"] = case.provenance() or {"phantom": one.cohort.folder.name}
        for index, (image, suffix) in enumerate(zip(case.images, suffixes, strict=True)):
            acq = f"_acq-{re.sub('[^A-Za-z0-9]', '', description.channels[index])}"
            name = f"{stem}{acq if doubled else ''}{run}{desc}_{suffix}"
            copy_file(image, folder / f"{name}{description.file_ending}")
            write_text(folder / f"{name}.json", _json(sidecar))
        if case.label_map is not None:
            name = f"{stem}{run}{desc}_dseg"
            copy_file(case.label_map, folder / f"{name}{description.file_ending}")
            write_text(folder / f"{name}.json", _json({"Description": f"labels of {case.name}"}))
            rows = sorted((value, label) for label, value in description.labels.items())
            write_text(folder / f"{name}.tsv", _tsv(["index", "name"], rows))
    return ["SkullStripped, which BIDS requires, is false: correct it if brains were extracted"]


def _readme(cases: Sequence[ExportCase], version: str) -> str:
    origins = Counter(origin_of(one.cohort.description, one.case) for one in cases)
    listed = ", ".join(f"{count} {name or 'real'}" for name, count in sorted(origins.items()))
    return (
        f"# Exported by Vesalius {version}\n\n{len(cases)} cases: {listed}. Files of synthetic "
        "cases and phantoms carry `desc-synthetic` or `desc-phantom`, and their sidecars say how "
        "they were made. They show no patient and are not for diagnosis.\n"
    )


def _suffix(folder: Path, channel: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9]", "", channel)
    suffix = SUFFIXES.get(plain.upper(), plain)
    if suffix not in ALLOWED:
        fault = f"has the channel {channel}, for which BIDS has no suffix"
        listed = ", ".join(sorted(ALLOWED))
        raise InputError(folder, fault, f"call it {listed}")
    return suffix


def _labels(subjects: Mapping[str, str]) -> dict[str, str]:
    """Labels of letters and digits by subject, each once."""
    result: dict[str, str] = {}
    taken: set[str] = set()
    for short, subject in sorted(subjects.items()):
        label = plain = re.sub(r"[^A-Za-z0-9]", "", short) or "x"
        number = 1
        while label in taken:
            number += 1
            label = f"{plain}x{number}"
        taken.add(label)
        result[subject] = label
    return result


def _turn(case: Case, cases: Sequence[ExportCase]) -> int:
    """Which case of its subject, visit and origin it is, from 1; 0 where it is the only one."""
    same = [
        one.case.name for one in cases
        if (one.case.subject, one.case.visit) == (case.subject, case.visit)
        and one.case.synthetic == case.synthetic
    ]  # fmt: skip
    return same.index(case.name) + 1 if len(same) > 1 else 0


def _write_participants(
    cases: Sequence[ExportCase], subjects: Mapping[str, str], out: Path
) -> None:
    """Attributes of each subject's first case, with the names that it had."""
    first: dict[str, Case] = {}
    for one in cases:
        first.setdefault(one.case.subject, one.case)
    names = list(dict.fromkeys(n for c in first.values() for n in (*c.attributes, *c.categories)))
    names = [name for name in names if name not in ("participant_id", "original_name")]
    rows = []
    for subject, case in sorted(first.items(), key=lambda pair: subjects[pair[0]]):
        told = {n: f"{x:g}" for n, x in case.attributes.items()} | dict(case.categories)
        rows.append([f"sub-{subjects[subject]}", subject, *(told.get(n, "n/a") for n in names)])
    write_text(out / "participants.tsv", _tsv(["participant_id", "original_name", *names], rows))
    described = {"original_name": {"Description": "Name of the subject in the cohort exported"}}
    described |= {name: {"Description": f"{name} of the subject's first case"} for name in names}
    write_text(out / "participants.json", _json(described))


def _tsv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    plain = [[re.sub(r"[\t\r\n]", " ", str(cell)) for cell in row] for row in (columns, *rows)]
    return "".join("\t".join(row) + "\n" for row in plain)


def _json(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
