"""Control of whole volumes: what was asked for, as a segmenter measures it."""

from __future__ import annotations

import csv
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
    table: Path, trained: SegmentationPipeline, generated: Cohort, unseen: Cohort,
    attribute: Attribute, progress: Progress,
) -> None:  # fmt: skip
    """Write what was wanted and what the segmenter measures, of generated volumes and unseen
    phantoms.

    Of unseen phantoms the true value is what was wanted: they tell how well the segmenter measures.
    """
    lines = ["set,case,wanted,measured"]
    for name, cohort in (("drawn", generated), ("unseen", unseen)):
        column = f"requested_{attribute.name}" if name == "drawn" else attribute.name
        reported = f"measuring {name} volumes"
        for case in track(cohort.cases, reported, len(cohort.cases), progress):
            result = trained.segment(cohort.read_images(case))
            measured = attribute_value(attribute, result, trained.labels)
            lines.append(f"{name},{case.name},{case.attributes[column]:.6g},{measured:.6g}")
    write_text(table, "\n".join(lines) + "\n")


def read_control(table: Path) -> dict[str, Figure]:
    """Slope, R² and error of both sets."""
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    result: dict[str, Figure] = {}
    for name in ("drawn", "unseen"):
        pairs = np.array(
            [(float(row["wanted"]), float(row["measured"])) for row in rows if row["set"] == name]
        )
        own = control_figures(pairs[:, 0], pairs[:, 1], "mL")
        result |= {f"control/{name}/{key}": figure for key, figure in own.items()}
    return result
