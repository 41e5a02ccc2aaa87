"""Studies under a folder: headers of all files, put together to volumes by visit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vesalius.scans.computing import chosen_workers
from vesalius.scans.executor import each
from vesalius.scans.formats.dicom_header import DicomHeader, is_dicom, read_header
from vesalius.scans.formats.dicom_series import DicomVolume, volumes_of
from vesalius.scans.importing.found import ImportOptions
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress

CHUNK = 64
"""Headers that are read at a time."""


@dataclass(frozen=True)
class Study:
    """Volumes of one visit of a patient."""

    identity: str
    uid: str
    date: str
    volumes: tuple[DicomVolume, ...]


def files_under(folder: Path) -> Iterator[Path]:
    """All visible files, in an order that does not depend on the file system."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.is_file():
            yield path


def read_headers(
    source: Path, progress: Progress
) -> tuple[list[DicomHeader], list[InputProblem]]:  # fmt: skip
    """Headers of all DICOM files under a folder, whatever they are called, and damaged ones."""
    files = [source] if source.is_file() else list(files_under(source))
    chunks = [files[start : start + CHUNK] for start in range(0, len(files), CHUNK)]
    headers: list[DicomHeader] = []
    faults: list[InputProblem] = []
    for chunk in each(_headers, chunks, "reading headers", progress, chosen_workers(1)):
        for one in chunk:
            if isinstance(one, InputProblem):
                faults.append(one)
            else:
                headers.append(one)
    return headers, faults


def _headers(files: Sequence[Path]) -> list[DicomHeader | InputProblem]:
    result: list[DicomHeader | InputProblem] = []
    for path in files:
        if not is_dicom(path):
            if path.suffix.lower() in (".dcm", ".ima"):
                result.append(InputProblem(str(path), "is no DICOM file", "export it again"))
            continue
        if path.name == "DICOMDIR":
            continue
        try:
            result.append(read_header(path))
        except InputError as refusal:
            result.append(refusal.fault)
    return result


def studies_of(
    headers: Sequence[DicomHeader], options: ImportOptions
) -> tuple[list[Study], list[InputProblem]]:
    """Volumes by study, in the order of patients and dates."""
    by_series: dict[tuple[str, str], list[DicomHeader]] = {}
    for header in headers:
        by_series.setdefault((header.study, header.series), []).append(header)
    by_study: dict[str, list[DicomVolume]] = {}
    problems: list[InputProblem] = []
    for (study, _), series in by_series.items():
        volumes, own = volumes_of(series, options.gaps)
        by_study.setdefault(study, []).extend(volumes)
        problems += _counted(own)
    studies = []
    for uid, listed in by_study.items():
        if listed:
            first = listed[0].first
            ordered = sorted(listed, key=lambda v: (v.first.series_number, str(v.place)))
            studies.append(Study(first.identity or f"study {uid}", uid, first.date, tuple(ordered)))
    studies.sort(key=lambda study: (study.identity, study.date, study.uid))
    return studies, problems


def _counted(problems: Sequence[InputProblem]) -> list[InputProblem]:
    """One problem a kind for a series, not one a file."""
    first: dict[str, InputProblem] = {}
    for problem in problems:
        first.setdefault(problem.fault, problem)
    return list(first.values())


def no_scans(headers: Sequence[DicomHeader]) -> list[InputProblem]:
    """One problem for all files of a modality that is no scan."""
    count = Counter(one.modality for one in headers)
    first = {one.modality: one for one in reversed(headers)}
    result = []
    for kind, number in count.most_common():
        more = f", as are {number - 1} more" if number > 1 else ""
        fault = f"is of {kind or 'no modality'} and no scan{more}"
        result.append(InputProblem(str(first[kind].path), fault, "nothing is lost"))
    return result
