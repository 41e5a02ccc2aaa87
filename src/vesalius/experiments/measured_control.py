"""Control as images show it: what was asked for, as a segmenter measures it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vesalius.anatomy.attributes import attribute_value
from vesalius.evidence.control import control_figures
from vesalius.evidence.figure import Figure
from vesalius.methods.segmentation.pipeline import SegmentationPipeline
from vesalius.scans.attributes import Attribute
from vesalius.scans.cohort import Cohort
from vesalius.scans.progress import Progress, track
from vesalius.scans.writing import write_text


def measure_control(
    table: Path, trained: SegmentationPipeline, sets: Mapping[str, tuple[Cohort, str]],
    attribute: Attribute, progress: Progress,
) -> None:  # fmt: skip
    """Write what was wanted of each image and what the segmenter measures on it.

    Args:
        table: that is written.
        trained: segmenter of other real cases.
        sets: by name a cohort and its column of what was wanted: what was asked for of generated
            cases; of unseen real ones the true value, which tells how well the segmenter measures.
        attribute: that is measured.
        progress: called after each case.
    """
    lines = ["set,case,wanted,measured"]
    for name, (cohort, column) in sets.items():
        reported = f"measuring {name.replace('_', ' ')} cases"
        for case in track(cohort.cases, reported, len(cohort.cases), progress):
            result = trained.segment(cohort.read_images(case))
            measured = attribute_value(attribute, result, trained.labels)
            lines.append(f"{name},{case.name},{case.attributes[column]:.6g},{measured:.6g}")
    write_text(table, "\n".join(lines) + "\n")


def read_control(table: Path, unit: str = "mL") -> dict[str, Figure]:
    """Slope, R² and error of each set, `control/<set>/…`."""
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    result: dict[str, Figure] = {}
    for name in dict.fromkeys(row["set"] for row in rows):
        pairs = np.array(
            [(float(row["wanted"]), float(row["measured"])) for row in rows if row["set"] == name]
        )
        own = control_figures(pairs[:, 0], pairs[:, 1], unit)
        result |= {f"control/{name}/{key}": figure for key, figure in own.items()}
    return result
