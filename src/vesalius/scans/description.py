"""What a cohort says of itself: `dataset.json` of nnU-Net v2, and two entries of our own."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vesalius.scans.attributes import Attribute, resolve_attribute
from vesalius.scans.fault import Refused, refused_if_unwritable

ENDINGS = (".nii.gz", ".nii")


@dataclass(frozen=True)
class Description:
    """Channels, labels and file ending of a cohort; its declared attributes and its origin.

    `origin` is empty for a user's own scans, `phantom` where cases were made by construction, and
    `synthetic` where a run drew them. Every report repeats it.

    >>> brain = Description(("T1",), {"background": 0, "lateral_ventricles": 1})
    >>> brain.foreground
    {'lateral_ventricles': 1}
    >>> brain.attribute("ventricle_volume_ml").labels
    ('lateral_ventricles',)
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

    def attribute(self, name: str) -> Attribute:
        """The attribute of this name, or `Refused` if these labels do not carry it."""
        return resolve_attribute(name, self.labels, self.attributes)

    def declaring(self, *attributes: Attribute) -> Description:
        """The same description that also declares `attributes`."""
        known = {attribute.name: attribute for attribute in (*self.attributes, *attributes)}
        return replace(self, attributes=tuple(known.values()))

    @classmethod
    def read(cls, folder: str | Path) -> Description:
        """Read `dataset.json` in `folder`, or refuse with what is wrong in it."""
        path = Path(folder) / "dataset.json"
        if not path.is_file():
            raise Refused(path, "does not exist", "point at a folder in nnU-Net v2 raw format")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise Refused(path, f"is not JSON ({error})", "correct it") from error
        channels, labels = content.get("channel_names"), content.get("labels")
        if not isinstance(channels, dict) or not channels:
            raise Refused(path, "names no channels", 'add "channel_names": {"0": "T1"}')
        if not isinstance(labels, dict) or not all(type(v) is int for v in labels.values()):
            fault = "has no labels of the form name: number"
            raise Refused(path, fault, 'add "labels": {"background": 0, "liver": 1}')
        if len(set(labels.values())) < len(labels) or 0 not in labels.values():
            fault = "gives labels that repeat a number or lack a background"
            raise Refused(path, fault, "number them from background 0, each once")
        ending = content.get("file_ending", ".nii.gz")
        if ending not in ENDINGS:
            raise Refused(path, f"asks for {ending} files", "convert the images to .nii.gz")
        ours = content.get("vesalius", {})
        try:
            declared = tuple(
                Attribute(name, entry["measure"], tuple(entry["labels"]))
                for name, entry in ours.get("attributes", {}).items()
            )
            for attribute in declared:
                resolve_attribute(attribute.name, labels, declared)
        except (KeyError, TypeError, AttributeError) as error:
            remedy = 'write {"name": {"measure": "volume_ml", "labels": ["liver"]}}'
            raise Refused(path, f"declares attributes wrongly ({error})", remedy) from error
        order = sorted(channels, key=int)
        return cls(
            tuple(str(channels[key]) for key in order), labels, ending, declared,
            ours.get("origin", ""),
        )  # fmt: skip

    def write(self, folder: str | Path, case_count: int) -> None:
        """Write `dataset.json` for a cohort of `case_count` cases."""
        ours: dict[str, Any] = {
            "attributes": {
                a.name: {"measure": a.measure, "labels": list(a.labels)} for a in self.attributes
            },
            "origin": self.origin,
        }
        content = {
            "channel_names": {str(index): name for index, name in enumerate(self.channels)},
            "labels": self.labels,
            "numTraining": case_count,
            "file_ending": self.file_ending,
            "vesalius": ours,
        }
        write_text(Path(folder) / "dataset.json", json.dumps(content, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        with refused_if_unwritable(path):
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
