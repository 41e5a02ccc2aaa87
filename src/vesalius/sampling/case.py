"""A generated case: what a pipeline returns, and how it is saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.scans.case import LabelledScan, Scan
from vesalius.scans.formats.nifti import write_nifti
from vesalius.scans.landmarks import Landmark
from vesalius.scans.volume import Volume
from vesalius.scans.writing import make_folder, write_text

NOTE = "SYNTHETIC, made by Vesalius"


@dataclass(frozen=True, eq=False)
class GeneratedCase:
    """A synthetic case, not yet on disk.

    Attributes:
        name: of the case.
        scan: one volume a channel, and a label map where the method makes one.
        measured: attributes that were measured on it, in their own units.
        provenance: request, seed, run, parent, and what else made it.
        attributes: cells of `cases.csv`.
        dtype: of the voxels in files.
        landmarks: of findings in it.
    """

    name: str
    scan: Scan
    measured: Mapping[str, float]
    provenance: Mapping[str, Any]
    attributes: Mapping[str, float] = field(default_factory=dict)
    dtype: type = np.float32
    landmarks: tuple[Landmark, ...] = ()

    @property
    def image(self) -> Volume:
        """The first channel."""
        return self.scan.channels[0]

    @property
    def label_map(self) -> Volume | None:
        """Labels in the space of the image, if the method makes them."""
        return self.scan.label_map if isinstance(self.scan, LabelledScan) else None

    def save(self, path: str | Path) -> Path:
        """Write the case beside others, all files by one stem.

        Args:
            path: of the image, such as `out/case.nii.gz`; beside it come `case_labels.nii.gz` and
                `case.json` with the provenance, and of several channels `case_0000.nii.gz` on.

        Raises:
            InputError: if the folder cannot be written to.
        """
        path = Path(path)
        ending = ".nii" if path.name.endswith(".nii") else ".nii.gz"
        stem = path.name.removesuffix(ending)
        folder = make_folder(path.parent)
        for index, image in enumerate(self.scan.channels):
            channel = f"_{index:04d}" if len(self.scan.channels) > 1 else ""
            write_nifti(image, folder / f"{stem}{channel}{ending}", self.dtype, NOTE)
        if self.label_map is not None:
            labels = folder / f"{stem}_labels{ending}"
            write_nifti(self.label_map, labels, self.label_map.voxels.dtype.type, NOTE)
        write_text(folder / f"{stem}.json", json.dumps(self.provenance, indent=2) + "\n")
        return path

    def _repr_html_(self) -> str:
        """A table for notebooks: what was requested and what was measured."""
        target = self.provenance.get("request", {})
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{_cell(target.get(name))}</td>"
            f"<td>{_cell(self.measured.get(name))}</td></tr>"
            for name in dict.fromkeys((*target, *self.measured))
        )
        head = "<tr><th>attribute</th><th>requested</th><th>measured</th></tr>"
        return f"<p>{escape(self.name)}, synthetic</p><table>{head}{rows}</table>"


def _cell(value: Any) -> str:
    return (
        "" if value is None else f"{value:.4g}" if isinstance(value, float) else escape(str(value))
    )
