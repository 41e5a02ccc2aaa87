"""DICOM files in any number and disorder: put together by what their headers say."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from vesalius.scans.formats.dicom_header import IMAGES, DicomHeader, is_dicom
from vesalius.scans.formats.dicom_series import DicomVolume
from vesalius.scans.formats.dicom_structures import (
    Structures,
    read_structures,
    structure_masks,
)
from vesalius.scans.importing.dicom_studies import (
    Study,
    files_under,
    no_scans,
    read_headers,
    studies_of,
)
from vesalius.scans.importing.found import (
    Found,
    FoundCase,
    ImportOptions,
    LabelSource,
    Layout,
    require_cases,
)
from vesalius.scans.importing.names import label_name, pseudonym, safe_name
from vesalius.scans.importing.sources import merged
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress
from vesalius.scans.volume import Volume

STRUCTURES = ("SEG", "RTSTRUCT")
SHOWN = 4
OLDEST = 89
"""Years; greater ages are personal by the US privacy rule (HIPAA, 45 CFR 164.514) and become 90."""

_DAYS = 365.25


@dataclass(frozen=True)
class DicomLabels:
    """Structures of segmentations and structure sets of one series, as a label map.

    Attributes:
        files: they come from.
        names: of structures that are taken, and what they are called in the cohort.
    """

    files: tuple[Path, ...]
    names: tuple[tuple[str, str], ...]

    @property
    def place(self) -> Path:
        """The first file."""
        return self.files[0]

    def read(self, image: Volume, labels: Mapping[str, int]) -> Volume:
        """All structures in the space of the image."""
        masks: dict[str, np.ndarray] = {}
        called = dict(self.names)
        for path in self.files:
            for name, mask in structure_masks(path, image).items():
                if name in called:
                    own = called[name]
                    masks[own] = masks[own] | mask if own in masks else mask
        return merged(masks, image, labels)


@dataclass(frozen=True)
class DicomSet:
    """What a published data set knows of its DICOM files beside their headers.

    Attributes:
        title: of the data set.
        identity: whose a file is, by the data set's own pseudonyms; `None` for those that the
            user's key makes.
        described: what a series is called, which patterns of channels are held against.
        cells_of: further cells of a study.
        labels_of: label map of a volume.
        labels: numbers by name of such label maps.
    """

    title: str = "DICOM"
    identity: Callable[[DicomHeader], str] | None = None
    described: Callable[[DicomHeader], str] = operator.attrgetter("description")
    cells_of: Callable[[Study], Mapping[str, str]] | None = None
    labels_of: Callable[[DicomVolume], LabelSource | None] | None = None
    labels: Mapping[str, int] = field(default_factory=dict)


def find_dicom(source: Path, options: ImportOptions, progress: Progress) -> Found:
    """All studies under a folder, or one file."""
    return found_studies(source, options, progress, DicomSet())


def found_studies(
    source: Path, options: ImportOptions, progress: Progress, known: DicomSet
) -> Found:  # fmt: skip
    """Cases of all studies, one volume a channel.

    Args:
        source: folder.
        options: channels by the description of their series.
        progress: called as headers are read.
        known: what the data set says beside.
    """
    headers, left_out = read_headers(source, progress)
    if known.identity is not None:
        headers = [replace(one, identity=known.identity(one)) for one in headers]
    images = [one for one in headers if one.modality in IMAGES]
    strange = [one for one in headers if one.modality not in (*IMAGES, *STRUCTURES)]
    notes: list[str] = []
    studies, problems = studies_of(images, options)
    channels, picked, unpicked = _channels(source, studies, options, known.described)
    left_out += [*problems, *unpicked, *no_scans(strange)]
    structures = []
    for header in headers:
        if header.modality in STRUCTURES:
            try:
                structures.append(read_structures(header.path))
            except InputError as refusal:
                left_out.append(refusal.fault)
    called = {
        name: label_name(name)
        for one in structures for name in one.names
        if not options.labels or _matches(name, options.labels.split(","))
    }  # fmt: skip
    numbers = {name: place for place, name in enumerate(sorted(set(called.values())), start=1)}
    numbers = dict(known.labels) or numbers
    cases = list(_cases(picked, structures, called, options, known))
    require_cases(source, cases, left_out, "vesalius import SOURCE OUT --dry-run shows all")
    if structures and not any(case.labels for case in cases):
        notes.append(f"{len(structures)} segmentations belong to none of the series chosen")
    return Found(
        known.title, channels, {"background": 0, **numbers}, tuple(cases), tuple(left_out),
        tuple(notes),
    )  # fmt: skip


Picked = tuple[Study, tuple[DicomVolume, ...]]


def _channels(
    source: Path,
    studies: Sequence[Study],
    options: ImportOptions,
    described: Callable[[DicomHeader], str],
) -> tuple[tuple[str, ...], list[Picked], list[InputProblem]]:
    """Names of the channels, the volumes of each case, and the series that nothing was made of."""
    wanted = options.named_channels()
    if wanted:
        return (tuple(name for name, _ in wanted), *_matched(studies, wanted, described))
    modalities = sorted({v.first.modality for study in studies for v in study.volumes})
    pictures = all(len(v.files) == 1 and v.first.frames == 1 for s in studies for v in s.volumes)
    if len(modalities) > 1 or (not pictures and any(len(s.volumes) > 1 for s in studies)):
        kinds = Counter(described(v.first) or v.first.modality for s in studies for v in s.volumes)
        listed = ", ".join(f"'{kind}' ({n})" for kind, n in kinds.most_common(SHOWN))
        more = f" and {len(kinds) - SHOWN} more" if len(kinds) > SHOWN else ""
        fault = f"holds several series a study: {listed}{more}"
        raise InputError(source, fault, "choose with --channel NAME='DESCRIPTION', * for any text")
    picked: list[Picked] = [(study, (volume,)) for study in studies for volume in study.volumes]
    return (modalities[0] if modalities else "image",), picked, []


def _matched(
    studies: Sequence[Study],
    wanted: Sequence[tuple[str, str]],
    described: Callable[[DicomHeader], str],
) -> tuple[list[Picked], list[InputProblem]]:
    picked: list[Picked] = []
    left_out: list[InputProblem] = []
    for study in studies:
        chosen: list[DicomVolume] = []
        for name, pattern in wanted:
            fitting = [v for v in study.volumes if _matches(described(v.first), [pattern])]
            if not fitting:
                fault = f"is of a study without a series for {name}"
                place = str(study.volumes[0].place)
                left_out.append(InputProblem(place, fault, "give another pattern"))
                break
            largest = max(fitting, key=lambda v: (len(v.files), -v.first.series_number))
            chosen.append(largest)
            left_out += [
                InputProblem(str(v.place), f"is a further series for {name}", "narrow the pattern")
                for v in fitting if v is not largest
            ]  # fmt: skip
        else:
            picked.append((study, tuple(chosen)))
    return picked, left_out


def _matches(text: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(text.lower(), pattern.strip().lower()) for pattern in patterns)


def _cases(
    picked: Sequence[Picked], structures: Sequence[Structures], called: Mapping[str, str],
    options: ImportOptions, known: DicomSet,
) -> Iterator[FoundCase]:  # fmt: skip
    dates: dict[str, list[tuple[str, str]]] = {}
    for study, _ in picked:
        seen = dates.setdefault(study.identity, [])
        if (study.date, study.uid) not in seen:
            seen.append((study.date, study.uid))
    together = Counter(study.uid for study, _ in picked)
    secret = b"" if known.identity else options.secret()
    number: Counter[str] = Counter()
    for study, volumes in picked:
        own = study.identity
        subject = safe_name(own) if known.identity else pseudonym(secret, own)
        visits = dates[own]
        visit = str(1 + visits.index((study.date, study.uid))) if len(visits) > 1 else ""
        number[study.uid] += 1
        part = str(number[study.uid]) if together[study.uid] > 1 else ""
        first = volumes[0].first
        cells = _cells(first, visits[0][0]) | dict(known.cells_of(study) if known.cells_of else {})
        files = tuple(
            one.path for one in structures
            if first.series in one.series
            or (not one.series and one.frame_of_reference
                and one.frame_of_reference == first.frame_of_reference)
        )  # fmt: skip
        labels: LabelSource | None = None
        if known.labels_of is not None:
            labels = known.labels_of(volumes[0])
        elif files and called:
            labels = DicomLabels(files, tuple(called.items()))
        name = safe_name(subject, f"v{visit}" if visit else "", part)
        yield FoundCase(name, subject, volumes, labels, visit, "", cells)


def _cells(header: DicomHeader, first_date: str) -> dict[str, str]:
    """What may be told of a patient: age, sex, time since the first study; and of the scanner."""
    cells = {}
    age = _age_years(header.age)
    if age is not None:
        cells["age_years"] = f"{age if age <= OLDEST else OLDEST + 1:g}"
    if header.sex in ("F", "M", "O"):
        cells["sex"] = header.sex
    first, now = _day(first_date), _day(header.date)
    if first is not None and now is not None:
        cells["years"] = f"{(now - first).days / _DAYS:.3f}"
    if header.field_t:
        cells["field_strength_t"] = header.field_t
    if header.view:
        cells["view"] = header.view
    if header.side in ("L", "R"):
        cells["left"] = str(int(header.side == "L"))
    return cells


def _age_years(text: str) -> float | None:
    """`063Y`, `018M`, `005W` or `012D` in years.

    >>> _age_years("063Y"), _age_years("018M"), _age_years("")
    (63.0, 1.5, None)
    """
    units = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": _DAYS}
    if len(text) < 2 or text[-1] not in units or not text[:-1].isdigit():
        return None
    return round(int(text[:-1]) / units[text[-1]], 3)


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def _holds_dicom(source: Path) -> bool:
    """Whether any of the first files is DICOM."""
    if source.is_file():
        return is_dicom(source)
    for number, path in enumerate(files_under(source)):
        if is_dicom(path):
            return True
        if number > 2000:
            return False
    return False


DICOM = Layout("dicom", "DICOM files", _holds_dicom, find_dicom, "real files")
