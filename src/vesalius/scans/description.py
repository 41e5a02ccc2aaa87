"""What a cohort says of itself: `dataset.json` of nnU-Net v2, and two entries of our own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vesalius.scans.attributes import UNITS, Attribute
from vesalius.scans.formats.json_file import OBJECT, read_json, require_format
from vesalius.scans.input_error import InputError
from vesalius.scans.writing import write_text

FILE_NAME, FORMAT = "dataset.json", 1
ENDINGS = (".nii.gz", ".nii")
LARGEST_LABEL = 32767


@dataclass(frozen=True)
class Description:
    """Channels, labels and file ending of a cohort; its declared attributes and its origin.

    `origin` is empty for a user's own scans, `phantom` where cases were made by construction, and
    `synthetic` where a run drew them. Every report repeats it.

    >>> brain = Description(("T1",), {"background": 0, "lateral_ventricles": 1})
    >>> brain.foreground
    {'lateral_ventricles': 1}
    """

    channels: tuple[str, ...]
    labels: dict[str, int]
    file_ending: str = ".nii.gz"
    attributes: tuple[Attribute, ...] = ()
    origin: str = ""

    @property
    def foreground(self) -> dict[str, int]:
        """Labels by name without the background."""
        return {name: value for name, value in self.labels.items() if value != 0}

    def declaring(self, *attributes: Attribute) -> Description:
        """The same description that also declares `attributes`."""
        known = {attribute.name: attribute for attribute in (*self.attributes, *attributes)}
        return replace(self, attributes=tuple(known.values()))

    @classmethod
    def read(cls, folder: str | Path) -> Description:
        """Read `dataset.json` in `folder`, or refuse with what is wrong in it."""
        path = Path(folder) / FILE_NAME
        if not path.exists():
            raise InputError(path, "does not exist", "point at a folder in nnU-Net v2 raw format")
        content = read_json(path, OBJECT)
        channels = _channels(path, content.get("channel_names"))
        labels = _labels(path, content.get("labels"))
        ending = content.get("file_ending", ".nii.gz")
        if ending not in ENDINGS:
            raise InputError(path, f"asks for {ending} files", "convert the images to .nii.gz")
        ours = content.get("vesalius", {})
        origin = ours.get("origin", "") if isinstance(ours, dict) else None
        if not isinstance(origin, str):
            fault = 'has an entry "vesalius" of another form'
            raise InputError(path, fault, "remove it; cohort measure writes it again")
        require_format(path, ours.get("format", 1), FORMAT)
        declared = _declared(path, ours.get("attributes", {}))
        for attribute in declared:
            unknown = next((name for name in attribute.labels if name not in labels), None)
            if unknown is not None:
                fault = f"declares {attribute.name} on {unknown}, which is no label"
                raise InputError(path, fault, "name labels of this cohort")
        return cls(channels, labels, ending, declared, origin)

    def write(
        self, folder: str | Path, case_count: int, made: Mapping[str, Any] | None = None
    ) -> None:
        """Write `dataset.json` for a cohort of `case_count` cases; what else is in it stays.

        Args:
            folder: of the cohort.
            case_count: of it.
            made: how its cases came about, for those who go on with it.
        """
        path = Path(folder) / FILE_NAME
        before = read_json(path, OBJECT) if path.exists() else {}
        declared = Description.read(folder).attributes if before else ()
        known = {attribute.name: attribute for attribute in (*declared, *self.attributes)}
        content = before | {
            "channel_names": {str(index): name for index, name in enumerate(self.channels)},
            "labels": self.labels,
            "numTraining": case_count,
            "file_ending": self.file_ending,
            "vesalius": {
                "format": FORMAT, "attributes": _entries(tuple(known.values())),
                "origin": self.origin,
                **({"made": dict(made)} if made else {}),
            },
        }  # fmt: skip
        write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def declare(folder: str | Path, attributes: Sequence[Attribute]) -> None:
    """Declare attributes in the `dataset.json` of a cohort; all else in it stays as it stands."""
    path = (Path(folder) / FILE_NAME).resolve()
    known = Description.read(folder).declaring(*attributes)
    content = read_json(path, OBJECT)
    content["vesalius"] = content.get("vesalius", {}) | {"attributes": _entries(known.attributes)}
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _entries(attributes: Sequence[Attribute]) -> dict[str, Any]:
    return {a.name: {"measure": a.measure, "labels": list(a.labels)} for a in attributes}


def _channels(path: Path, named: object) -> tuple[str, ...]:
    if not isinstance(named, dict) or not named:
        raise InputError(path, "names no channels", 'add "channel_names": {"0": "T1"}')
    numbered = [str(index) for index in range(len(named))]
    if set(named) != set(numbered) or not all(isinstance(name, str) for name in named.values()):
        fault = "has channel names that are not numbered from 0"
        raise InputError(path, fault, 'write "channel_names": {"0": "T1", "1": "FLAIR"}')
    return tuple(named[number] for number in numbered)


def _labels(path: Path, labels: object) -> dict[str, int]:
    if not isinstance(labels, dict) or not all(type(v) is int for v in labels.values()):
        fault = "has no labels of the form name: number"
        raise InputError(path, fault, 'add "labels": {"background": 0, "liver": 1}')
    if len(set(labels.values())) < len(labels) or 0 not in labels.values():
        fault = "gives labels that repeat a number or lack a background"
        raise InputError(path, fault, "number them from background 0, each once")
    if not all(0 <= value <= LARGEST_LABEL for value in labels.values()):
        raise InputError(path, "has labels out of range", f"number them from 0 to {LARGEST_LABEL}")
    return labels


def _declared(path: Path, entries: object) -> tuple[Attribute, ...]:
    remedy = 'write {"name": {"measure": "volume_ml", "labels": ["liver"]}}'
    if not isinstance(entries, dict):
        raise InputError(path, "declares attributes wrongly", remedy)
    result = []
    for name, entry in entries.items():
        measure, labels = (
            (entry.get("measure"), entry.get("labels")) if isinstance(entry, dict) else ("", None)
        )
        if (
            not isinstance(measure, str)
            or measure.rsplit("_", 1)[-1] not in UNITS
            or not isinstance(labels, list)
            or not labels
        ):
            raise InputError(path, f"declares the attribute {name} wrongly", remedy)
        if not all(isinstance(label, str) for label in labels):
            raise InputError(path, f"declares the attribute {name} wrongly", remedy)
        result.append(Attribute(name, measure, tuple(labels)))
    return tuple(result)
