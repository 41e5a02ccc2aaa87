"""BIDS data sets: raw images by suffix, participants and sessions, label maps of derivatives.

The form is that of the Brain Imaging Data Structure, version 1.10.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from vesalius.scans.formats.volume_file import NIFTI_ENDINGS
from vesalius.scans.importing.found import (
    Found,
    FoundCase,
    ImportOptions,
    LabelSource,
    Layout,
    require_cases,
)
from vesalius.scans.importing.names import label_name, safe_name
from vesalius.scans.importing.sources import ImageFile, LabelFile, MaskFiles
from vesalius.scans.importing.tables import subject_cells
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress

SUFFIXES = ("T1w", "T2w", "FLAIR", "PDw", "T2star", "inplaneT1", "inplaneT2", "UNIT1", "angio",
            "ct", "CT")  # fmt: skip
SEGMENTED, MASKED = "dseg", "mask"
_NAME = re.compile(r"(?P<entities>(?:[a-zA-Z0-9]+-[a-zA-Z0-9+]+_)+)(?P<suffix>[a-zA-Z0-9]+)")


@dataclass(frozen=True)
class BidsFile:
    """A file by its entities, such as sub, ses and run."""

    path: Path
    entities: Mapping[str, str]
    suffix: str

    @property
    def session(self) -> tuple[str, str]:
        """Subject and session."""
        return self.entities["sub"], self.entities.get("ses", "")

    @property
    def kind(self) -> str:
        """What it is beside whose it is, such as `acq-highres_T1w`."""
        rest = [f"{key}-{value}" for key, value in self.entities.items()
                if key not in ("sub", "ses", "run")]  # fmt: skip
        return "_".join([*rest, self.suffix])

    @classmethod
    def of(cls, path: Path) -> BidsFile | None:
        """The entities of a file name; `None` where it has no subject or is no NIfTI."""
        ending = next((one for one in NIFTI_ENDINGS if path.name.endswith(one)), None)
        if ending is None:
            return None
        parts = _NAME.fullmatch(path.name.removesuffix(ending))
        if parts is None:
            return None
        pairs = [part.split("-", 1) for part in parts["entities"].strip("_").split("_")]
        entities = dict(pairs)
        return cls(path, entities, parts["suffix"]) if "sub" in entities else None


def find_bids(source: Path, options: ImportOptions, progress: Progress) -> Found:
    """A case a session; channels by suffix, label maps from `derivatives`."""
    raw = _files(source, "sub-*")
    images = [one for one in raw if one.suffix not in (SEGMENTED, MASKED)]
    derived = [one for root in _derivatives(source) for one in _files(root, "sub-*")]
    wanted = options.named_channels() or _usual(source, images)
    cells, sessions = _participants(source), _sessions(source)
    label_maps, labels, notes = _label_maps(source, [*raw, *derived], options)
    cases: list[FoundCase] = []
    left_out: list[InputProblem] = []
    taken: set[Path] = set()
    for session in sorted({one.session for one in images}):
        own = sorted((one for one in images if one.session == session), key=lambda o: str(o.path))
        chosen: list[BidsFile] = []
        for name, pattern in wanted:
            fitting = [one for one in own if fnmatch(one.kind, pattern) or one.suffix == pattern]
            if not fitting:
                fault = f"has no {name}"
                place = str(own[0].path.parent)
                left_out.append(InputProblem(place, fault, "leave the session out, or that name"))
                break
            chosen.append(fitting[0])
            left_out += [
                InputProblem(str(one.path), f"is a further {name}", "the first run is taken")
                for one in fitting[1:]
            ]  # fmt: skip
            taken.update(one.path for one in fitting)
        else:
            subject, visit = session
            cases.append(
                FoundCase(
                    safe_name(f"sub-{subject}", f"ses-{visit}" if visit else ""),
                    f"sub-{subject}", tuple(ImageFile(one.path) for one in chosen),
                    label_maps.get(session), visit, "",
                    cells.get(f"sub-{subject}", {}) | sessions.get(session, {}),
                )
            )  # fmt: skip
    rest = Counter(one.suffix for one in images if one.path not in taken)
    notes += [f"{count} files of {suffix} are no channel" for suffix, count in rest.most_common()]
    require_cases(source, cases, left_out, "choose with --channel, such as --channel T1w")
    channels = tuple(name for name, _ in wanted)
    return Found("BIDS", channels, labels, tuple(cases), tuple(left_out), tuple(notes))


def _usual(source: Path, images: Sequence[BidsFile]) -> tuple[tuple[str, str], ...]:
    """The suffix that most sessions have, the first of the list where several do."""
    having = {name: len({one.session for one in images if one.suffix == name}) for name in SUFFIXES}
    if not any(having.values()):
        seen = ", ".join(sorted({one.suffix for one in images})[:8]) or "none"
        raise InputError(source, f"has no anatomical image (suffixes: {seen})", "use --channel")
    best = max(SUFFIXES, key=lambda name: having[name])
    return ((best, best),)


def _files(root: Path, pattern: str) -> list[BidsFile]:
    found = (
        BidsFile.of(path)
        for subject in sorted(root.glob(pattern)) if subject.is_dir()
        for path in sorted(subject.rglob("*"))
    )  # fmt: skip
    return [one for one in found if one is not None]


def _derivatives(source: Path) -> list[Path]:
    """Roots of derivatives; a derivative given by itself lies beside or below its raw data."""
    root = source / "derivatives"
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _participants(source: Path) -> dict[str, dict[str, str]]:
    path = source / "participants.tsv"
    return subject_cells(path, "participant_id") if path.is_file() else {}


def _sessions(source: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Cells of sessions; dates are left out."""
    result = {}
    for path in sorted(source.glob("sub-*/sub-*_sessions.tsv")):
        subject = path.parent.name.removeprefix("sub-")
        for session, cells in subject_cells(path, "session_id").items():
            kept = {name: cell for name, cell in cells.items() if name != "acq_time"}
            result[subject, session.removeprefix("ses-")] = kept
    return result


def _label_maps(
    source: Path, files: Sequence[BidsFile], options: ImportOptions
) -> tuple[dict[tuple[str, str], LabelSource], dict[str, int] | None, list[str]]:
    """A source of label maps a session: one kind of segmentation, or masks by their label."""
    segmented = [one for one in files if one.suffix == SEGMENTED and _of_this_space(one)]
    kinds = {one.path: f"{_pipeline(source, one.path)} {one.kind}" for one in segmented}
    counted = Counter(kinds.values())
    if options.labels:
        segmented = [o for o in segmented if fnmatch(str(o.path.relative_to(source)),
                                                     f"*{options.labels}*")]  # fmt: skip
    elif counted:
        best = counted.most_common(1)[0][0]
        segmented = [one for one in segmented if kinds[one.path] == best]
    notes = []
    if segmented:
        unused = sum(counted.values()) - len(segmented)
        notes.append(f"label maps from {segmented[0].path.relative_to(source).parent}"
                     f"{f'; {unused} others are left out' if unused else ''}")  # fmt: skip
        table = _label_table(source, segmented[0])
        sources: dict[tuple[str, str], LabelSource] = {}
        for one in segmented:
            sources.setdefault(one.session, LabelFile(one.path))
        return sources, table, notes
    masks = [one for one in files if one.suffix == MASKED and _of_this_space(one)]
    named: dict[tuple[str, str], list[tuple[str, Path]]] = {}
    for one in masks:
        name = one.entities.get("label") or one.entities.get("desc") or "mask"
        named.setdefault(one.session, []).append((label_name(name), one.path))
    names = sorted({name for own in named.values() for name, _ in own})
    labels = {"background": 0} | {name: n for n, name in enumerate(names, start=1)}
    return (
        {key: MaskFiles(own[0][1].parent, tuple(own)) for key, own in named.items()},
        labels, notes,
    )  # fmt: skip


def _pipeline(source: Path, path: Path) -> str:
    """The derivative that a file is of; empty for the data set itself."""
    parts = path.relative_to(source).parts
    return parts[1] if parts[0] == "derivatives" else ""


def _of_this_space(one: BidsFile) -> bool:
    """Whether a derivative lies in the space of the subject's own image."""
    return one.entities.get("space", "orig") in ("orig", "T1w", "T2w", "individual", "subject")


def _label_table(source: Path, one: BidsFile) -> dict[str, int] | None:
    """Names of labels from the `dseg.tsv` next to a segmentation or above it (inheritance)."""
    stem = one.path.name.split(".")[0]
    folder = one.path.parent
    while True:
        beside = [folder / f"{stem}.tsv", *sorted(folder.glob("*dseg.tsv"))]
        for path in beside:
            if path.is_file() and ("sub-" not in path.name or path.stem == stem):
                rows = subject_cells(path, "index", ["name"])
                try:
                    numbers = {label_name(cells["name"]): int(n) for n, cells in rows.items()}
                except (KeyError, ValueError) as error:
                    remedy = "give it the columns index and name"
                    raise InputError(path, "names no labels by index", remedy) from error
                return {"background": 0} | {n: v for n, v in numbers.items() if v != 0}
        if folder == source:
            return None
        folder = folder.parent


def _recognise(source: Path) -> bool:
    if not source.is_dir():
        return False
    described = (source / "dataset_description.json").is_file()
    return described or any(
        BidsFile.of(path) for path in source.glob("sub-*/**/*.nii*") if path.is_file()
    )


BIDS = Layout("bids", "BIDS", _recognise, find_bids)
