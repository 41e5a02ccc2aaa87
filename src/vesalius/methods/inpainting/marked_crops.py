"""Training crops: at each finding, and at the place of one at each healthy level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vesalius.anatomy.attributes import attribute_value, resolve_attribute
from vesalius.anatomy.spine import CANAL, PATHOLOGIES, landmark_voxel
from vesalius.methods.inpainting.training_pathologies import TrainingPathologies
from vesalius.scans.case import LabelledScan
from vesalius.scans.crop import voxel_of
from vesalius.scans.input_error import InputProblem
from vesalius.scans.landmarks import Landmark


@dataclass(frozen=True)
class MarkedCrop:
    """Where a training crop lies: a finding's landmark, or the place of one at a healthy level.

    `size_mm` is measured on the label map: of the finding, or of the pathology that `place` is
    that of, where nothing is wrong.
    """

    row: int
    voxel: np.ndarray
    level: str
    finding: Landmark | None
    place: str
    size_mm: float


def measured_marks(
    scan: LabelledScan, marks: Sequence[Landmark], case: str, labels: dict[str, int]
) -> tuple[list[Landmark], list[InputProblem]]:
    """Landmarks with their size as the label map has it, and what is wrong with the others."""
    kept, faults = [], []
    shape = np.array(scan.label_map.oriented("RAS").shape)
    for mark in marks:
        place = f"{case}: {mark.pathology} at {mark.level}"
        voxel = voxel_of(scan, mark.point_mm)
        if mark.pathology not in PATHOLOGIES:
            remedy = f"mark {' or '.join(PATHOLOGIES)}"
            faults.append(InputProblem(place, "is a pathology without a measure", remedy))
        elif f"disc_{mark.level}" not in labels:
            faults.append(InputProblem(place, "is no labelled level", "write it as in the labels"))
        elif (voxel < 0).any() or (voxel > shape - 1).any():
            faults.append(InputProblem(place, "lies outside the scan", "write RAS+ millimetres"))
        else:
            name = PATHOLOGIES[mark.pathology].attribute(mark.level)
            size = attribute_value(resolve_attribute(name, labels), scan.label_map, labels)
            if size > 0:
                kept.append(replace(mark, size_mm=size))
            else:
                faults.append(
                    InputProblem(place, "measures 0 mm on the label map", "label it there")
                )
    return kept, faults


def marked_crops(
    row: int, scan: LabelledScan, marks: Sequence[Landmark], reported: Sequence[Landmark],
    training_range: TrainingPathologies, labels: dict[str, int],
) -> list[MarkedCrop]:  # fmt: skip
    """Crops at all sound findings, and one at each level of which nothing at all was told."""
    known = {p.name for p in training_range.pathologies}
    canal = [labels[name] for name in CANAL if name in labels]

    result = [
        MarkedCrop(
            row, voxel_of(scan, mark.point_mm), mark.level, mark, mark.pathology, mark.size_mm
        )
        for mark in marks
        if mark.pathology in known and mark.level in training_range.levels
    ]
    positive = {mark.level for mark in (*marks, *reported)}
    for index, level in enumerate(training_range.levels):
        if level in positive:
            continue
        pathology = training_range.pathologies[(row + index) % len(training_range.pathologies)].name
        voxel = landmark_voxel(scan.label_map, labels[f"disc_{level}"], canal, pathology)
        if voxel is not None:
            measure = resolve_attribute(PATHOLOGIES[pathology].attribute(level), labels)
            size = attribute_value(measure, scan.label_map, labels)
            result.append(MarkedCrop(row, voxel, level, None, pathology, size))
    return result


def balanced_rows(groups: Sequence[str | None], positive_share: float) -> Tensor:
    """Numbers of crops, repeated so that findings are `positive_share` of them, each kind alike.

    >>> rows = balanced_rows([None] * 8 + ["herniation", "stenosis"], positive_share=0.5)
    >>> round(float((rows >= 8).float().mean()), 2), int((rows == 8).sum() == (rows == 9).sum())
    (0.5, 1)
    """
    positive = sorted({group for group in groups if group})
    shares = {group: positive_share / len(positive) for group in positive}
    if None in groups:
        shares[None] = 1 - positive_share  # type: ignore[index]
    total = 4 * len(groups)
    parts = []
    for group, share in shares.items():
        members = torch.tensor([row for row, own in enumerate(groups) if own == group])
        parts.append(members[torch.arange(max(1, round(share * total))) % len(members)])
    return torch.cat(parts)
