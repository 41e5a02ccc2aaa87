"""A folder of images and masks by pattern: `T1={subject}/{visit}/t1.nii.gz`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from vesalius.scans.formats.volume_file import ending_of, frames_in
from vesalius.scans.importing.dicom_studies import files_under
from vesalius.scans.importing.found import (
    Found,
    FoundCase,
    ImportOptions,
    Layout,
    require_cases,
)
from vesalius.scans.importing.names import safe_name
from vesalius.scans.importing.sources import ImageFile, LabelFile
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress

Key = tuple[str, str]
"""Subject and visit."""

FIELDS = ("subject", "visit")


def pattern_of(text: str) -> re.Pattern[str]:
    """A path with `{subject}`, `{visit}`, `*` (not across folders) and `**`, as an expression.

    >>> found = pattern_of("{subject}/*/{visit}_t1.nii.gz").fullmatch("s01/anat/v2_t1.nii.gz")
    >>> found["subject"], found["visit"]
    ('s01', 'v2')
    >>> pattern_of("t1.nii.gz")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: t1.nii.gz: names no {subject}; write for instance {su...
    """
    if "{subject}" not in text:
        remedy = "write for instance {subject}/t1.nii.gz"
        raise InputError(text, "names no {subject}", remedy)
    expression = ""
    seen: set[str] = set()
    for part in re.split(r"(\{\w+\}|\*\*/|\*)", text):
        name = part[1:-1]
        if part == "**/":
            expression += "(?:.*/)?"
        elif part == "*":
            expression += "[^/]*"
        elif part.startswith("{") and name not in FIELDS:
            raise InputError(text, f"has the field {part}", "use {subject} and {visit}")
        elif part.startswith("{") and name in seen:
            expression += f"(?P={name})"
        elif part.startswith("{"):
            expression += f"(?P<{name}>[^/]+?)"
            seen.add(name)
        else:
            expression += re.escape(part)
    return re.compile(expression)


def files_matching(
    source: Path, files: Sequence[Path], text: str
) -> tuple[dict[Key, Path], list[InputProblem]]:  # fmt: skip
    """The first file of each subject and visit that fits, and further ones."""
    pattern = pattern_of(text)
    result: dict[Key, Path] = {}
    further: list[InputProblem] = []
    for path in files:
        found = pattern.fullmatch(path.relative_to(source).as_posix())
        if found is None:
            continue
        groups = found.groupdict()
        key = groups["subject"], groups.get("visit") or ""
        if key in result:
            further.append(InputProblem(str(path), "fits the same case again", "narrow it"))
        else:
            result[key] = path
    return result, further


def find_patterns(source: Path, options: ImportOptions, progress: Progress) -> Found:
    """Cases whose channels all fit; label maps by `--labels`."""
    wanted = options.named_channels()
    files = [path for path in files_under(source) if ending_of(path)]
    if not wanted:
        shown = ", ".join(str(path.relative_to(source)) for path in files[:3]) or "none"
        fault = f"has no layout that is known (images: {shown})"
        remedy = "say where they lie: --channel T1='{subject}/t1.nii.gz' --labels '…'"
        raise InputError(source, fault, remedy)
    left_out: list[InputProblem] = []
    by_channel = []
    for _, text in wanted:
        own, further = files_matching(source, files, text)
        by_channel.append(own)
        left_out += further
    label_maps: dict[Key, Path] = {}
    if options.labels:
        label_maps, further = files_matching(source, files, options.labels)
        left_out += further
    cases = []
    for subject, visit in sorted(set().union(*by_channel)):
        key = (subject, visit)
        lacking = [name for (name, _), own in zip(wanted, by_channel, strict=True)
                   if key not in own]  # fmt: skip
        if lacking:
            place = str(next(own[key] for own in by_channel if key in own))
            left_out.append(InputProblem(place, f"has no {lacking[0]}", "add it"))
            continue
        if options.labels and key not in label_maps:
            place = str(by_channel[0][key])
            left_out.append(
                InputProblem(place, "has no label map", "add it, or leave --labels out")
            )
            continue
        labels = LabelFile(label_maps[key]) if key in label_maps else None
        images = tuple(ImageFile(own[key]) for own in by_channel)
        cases.append(
            FoundCase(safe_name(subject, visit), safe_name(subject), images, labels, visit)
        )
    require_cases(source, cases, left_out, "correct the patterns")
    channels = tuple(name for name, _ in wanted)
    labels_known = None if options.labels else {"background": 0}
    return Found("files by pattern", channels, labels_known, tuple(cases), tuple(left_out))


def find_file(source: Path, options: ImportOptions, progress: Progress) -> Found:
    """One file with one volume."""
    frames = frames_in(source)
    if frames > 1:
        fault = f"holds {frames} volumes"
        raise InputError(source, fault, "split it into one 3D file for each volume or channel")
    name = safe_name(source.name.removesuffix(ending_of(source))) or "case"
    channel = options.channels[0] if options.channels else "image"
    case = FoundCase(name, name, (ImageFile(source),))
    return Found("one image file", (channel,), {"background": 0}, (case,))


FILE = Layout(
    "file", "one image file", lambda source: source.is_file() and bool(ending_of(source)),
    find_file, "real files",
)  # fmt: skip
PATTERNS = Layout("patterns", "files by pattern", lambda source: source.is_dir(), find_patterns)
