"""Images for label maps that are given: made by hand, by another program, of real cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.anatomy.attributes import attribute_values
from vesalius.methods.guided.pipeline import GuidedPipeline
from vesalius.scans.case import LabelledScan, read_label_map
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.description import FILE_NAME, Description
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.scans.volume import Volume
from vesalius.training.device import fabric_for
from vesalius.training.seeds import seed_for

LEAST_COVERED = 0.98
"""Share of the labelled tissue that must lie inside the run's grid."""


@dataclass(frozen=True)
class OwnLabels:
    """A label map that wants an image.

    Attributes:
        name: of the case that is made.
        source: file that it comes from.
        read: gives it, in the numbers of the run.
    """

    name: str
    source: Path
    read: Callable[[], Volume]


def label_maps_in(place: Path, description: Description) -> list[OwnLabels]:
    """Label maps of a folder in nnU-Net v2 raw format, or of a folder of NIfTI files.

    Labels of the first are known by their names in its `dataset.json`, whatever their numbers;
    those of a folder of files must have the numbers of the run.

    Args:
        place: with `labelsTr`, or with the files themselves.
        description: of the run.

    Raises:
        InputError: for a folder without label maps, or labels that the run does not know.
    """
    if not place.is_dir():
        raise InputError(place, "is not a folder", "point at a folder of label maps")
    named = (place / FILE_NAME).is_file()
    folder = place / "labelsTr" if (place / "labelsTr").is_dir() else place
    found = sorted(
        path for path in folder.iterdir()
        if path.name.endswith((".nii", ".nii.gz")) and not path.name.startswith(".")
    )  # fmt: skip
    if not found:
        raise InputError(folder, "holds no label map", "add <case>.nii.gz files")
    own = Description.read(place) if named else description
    unknown = sorted(set(own.labels) - set(description.labels))
    if unknown:
        fault = f"names {', '.join(unknown[:5])}, which the run does not know"
        remedy = f"use its labels: {', '.join(description.labels)}"
        raise InputError(place / FILE_NAME, fault, remedy)
    numbers = {own.labels[name]: description.labels[name] for name in own.labels}
    return [
        OwnLabels(
            path.name.removesuffix(".gz").removesuffix(".nii"), path,
            partial(_renumbered, path, own, numbers),
        )
        for path in found
    ]  # fmt: skip


def _renumbered(path: Path, own: Description, numbers: Mapping[int, int]) -> Volume:
    raw = read_label_map(path, own)
    voxels = np.zeros_like(raw.voxels)
    for here, there in numbers.items():
        voxels[raw.voxels == here] = there
    return Volume(voxels, raw.affine)


def images_for(
    pipeline: GuidedPipeline, label_maps: Sequence[OwnLabels], out: str | Path, seed: int,
    made: Mapping[str, Any] | None = None, inputs: Sequence[str | Path] = (),
    progress: Progress = no_progress, covered: float = LEAST_COVERED,
) -> tuple[Cohort, list[InputProblem]]:  # fmt: skip
    """Give each label map an image, and write both as a cohort in the grid of the run.

    All processes that one launcher has started share the label maps.

    Args:
        pipeline: of a run.
        label_maps: that want an image.
        out: folder of the cohort; one that a killed process left is completed.
        seed: of contrast, texture and noise; each case has its own by its name.
        made: further settings that must be the same when a killed process is gone on with.
        inputs: folders that must not be touched.
        progress: called after each case.
        covered: share of the labels that must lie inside the grid of the run; 0 for whatever does.

    Returns:
        The cohort, and what was wrong with label maps that were left out.

    Raises:
        InputError: if no label map could be used, or for a folder of other content.
    """
    run, fingerprint, faults = pipeline.run, pipeline.fingerprint, []
    attributes = [one.attribute for one in fingerprint.attributes]
    settings = {"command": "images for label maps", "run": run.name, "seed": seed, **(made or {})}
    columns, folders = [one.name for one in attributes], [run.folder, *inputs]
    fabric = fabric_for()
    with fabric.rank_zero_first():
        writer = CohortWriter(out, fingerprint.description, columns, settings, folders)
    with writer:
        mine = label_maps[fabric.global_rank :: fabric.world_size]
        for own in track(mine, "generating images for labels", len(mine), progress):
            if own.name in writer.done:
                continue  # of a killed process
            try:
                label_map = _placed(own, pipeline, covered)
            except InputError as refusal:
                faults.append(refusal.fault)
                continue
            case_seed = seed_for(seed, own.name)
            measured = attribute_values(attributes, label_map, fingerprint.labels)
            writer.add(
                own.name, pipeline.image(label_map, case_seed), own.name, measured,
                provenance={"synthetic": True, "run": run.name, "seed": case_seed, "request": {},
                            "measured": measured, "labels": own.source.name, "parent": own.name},
            )  # fmt: skip
        fabric.barrier()
        if not writer.written():
            raise InputError(out, f"has no case ({faults[0]})", "mend the label maps")
        return writer.finish(), faults


def _placed(own: OwnLabels, pipeline: GuidedPipeline, least: float) -> Volume:
    """A label map in the grid of the run, or what keeps it from there."""
    grid = pipeline.fingerprint.grid
    scan = LabelledScan((), own.read())
    covered = grid.covers(scan)
    if covered < least:
        fault = f"has {1 - covered:.0%} of its labels outside the space that the run has learnt"
        raise InputError(own.source, fault, "cut it to the part that the run was fitted on")
    return grid.volume(grid.place(scan).label_map.oriented("RAS").voxels)
