"""Set findings into healthy scans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.api.cohorts import Given, copy_gate, place_of
from vesalius.api.console import bars
from vesalius.api.fitting import loaded, run_folder
from vesalius.api.generated import Generated
from vesalius.methods import method_of
from vesalius.methods.inpainting.donors import Donor, donor_at
from vesalius.methods.inpainting.sampling import (
    FindingRequest,
    InpaintingSampler,
    edit_request,
)
from vesalius.report.pictures import before_and_after, to_png
from vesalius.sampling.cohort import GeneratedCohort, sample_cohort
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.crop import voxel_of
from vesalius.scans.input_error import InputError
from vesalius.scans.landmarks import Landmark, read_landmarks
from vesalius.scans.progress import Progress
from vesalius.training.seeds import seed_for


def inpaint(
    model: Any,
    scan: str | Path,
    pathology: str,
    level: str | None = None,
    *,
    out: str | Path,
    size_mm: float | None = None,
    size_ml: float | None = None,
    severity: float | None = None,
    point_mm: tuple[float, float, float] | None = None,
    labels: str | Path | None = None,
    count: int = 4,
    seed: int = 0,
    tolerance_mm: float = 1.0,
    tries: int = 10,
    cohort: Given | None = None,
    allow_copies: bool = False,
    progress: Progress | None = None,
    **how: Any,
) -> Generated:
    """Set a finding into a healthy scan: image and label map edited, the rest untouched.

    Parameters
    ----------
    model
        pipeline or folder of a run of pathology inpainting.
    scan
        NIfTI file.
    pathology
        such as `herniation`, or the name of a lesion.
    level
        such as `L4-L5`, or the label of the organ that a lesion is to lie in: without it the one
        at `point_mm`, else the first that has room.
    out
        folder of the edited scans. One that a killed process left is completed.
    size_mm
        depth of a herniation, diameter left of the canal, or diameter of a lesion.
    size_ml
        instead of it, the volume of a lesion.
    severity
        instead of it, 0 for the mildest of the training range to 1 for the worst.
    point_mm
        of the finding in the scan's RAS millimetres. The usual place if `None`; a lesion then lies
        anywhere in its organ where it has room, at another place in each edit.
    labels
        label map of the scan; the file of the same name in `labelsTr` if `None`.
    count
        how many different edits.
    seed
        the same seed gives the same edits.
    tolerance_mm
        largest error of the measured size; what misses it is generated again.
    tries
        candidates for one edit before it is given up and listed.
    cohort
        the training cohort; a finding that the audit calls a copy is generated again.
    allow_copies
        keep such edits.
    progress
        called after each case; bars if `None`.
    how
        `method` and `guidance` of the edits, where a folder is given.

    Raises
    ------
    InputError
        for a finding that the scan cannot take, or if no request was met.
    """
    sizes = {"--size-mm": size_mm, "--size-ml": size_ml, "--severity": severity}
    given = [name for name, value in sizes.items() if value is not None]
    if len(given) > 1:
        raise InputError(given[0], f"and {given[1]} were both given", "give one of them")
    if severity is not None and not 0 <= severity <= 1:
        raise InputError("--severity", f"{severity:g} is out of range", "give 0 to 1")
    if count < 1:
        raise InputError("n", f"{count} edits are none", "ask for at least 1")
    folder = run_folder(model)
    CohortWriter.require_place(
        out, "synthetic", folder, scan, labels, Donor.cohort_of(scan), place_of(cohort)
    )
    own = method_of(folder)
    if own.name != "inpainting":
        fault = f"is a run of {own.name}, which sets no findings"
        raise InputError(folder, fault, "point at a run of pathology inpainting")
    pipeline = loaded(model, **{name: value for name, value in how.items() if value is not None})
    donor = donor_at(scan, labels, pipeline)
    known = pipeline.training_range.pathology(pathology)
    if size_ml is not None:
        size_mm = known.size_of(size_ml)
    if size_mm is None:
        size_mm = known.size_at(0.5 if severity is None else severity)
    finding = pipeline.at_site(
        donor.scan, FindingRequest(pathology, level or "", size_mm, point_mm)
    )
    pipeline.require_possible(donor.scan, pipeline.placed(donor.scan, finding, seed), str(scan))
    known = pipeline.sites.known(donor.scan, donor.case.name, donor.landmarks)
    requests = [
        edit_request(
            f"{donor.case.name}_{pathology}_{finding.level}_{index:02d}", donor.case, finding,
            seed_for(seed, "edit", index) % 2**31, known,
        )
        for index in range(count)
    ]  # fmt: skip
    names = pipeline.attribute_names
    sampler = InpaintingSampler(pipeline, {donor.case.name: donor.scan}, names, tolerance_mm)
    inputs = [Path(one) for one in (scan, labels, place_of(cohort)) if one is not None]
    with bars(progress) as report:
        gate = copy_gate(pipeline, cohort, pipeline.labels, allow_copies, report)
        generated = sample_cohort(
            sampler, requests, out, tries, gate, {"command": "inpaint"}, report, inputs
        )
    _picture(pipeline, donor.scan, finding.level, known, generated, Path(out) / "before_after.png")
    return Generated.of(generated, pipeline.run)


def _picture(
    pipeline: Any, before: LabelledScan, level: str, known: Sequence[Landmark],
    made: GeneratedCohort, path: Path,
) -> None:  # fmt: skip
    """The scan and up to six edits of it: side by side, or a row each where places differ."""
    cases = made.cohort.cases[:6]
    marks, _ = read_landmarks(made.cohort.folder, {case.name: case for case in made.cohort.cases})
    edits = [(case.provenance()["measured"], made.cohort.read(case)) for case in cases]
    shown = [(f"after, {next(iter(mm.values())):.1f} mm", after) for mm, after in edits]
    places = [voxel_of(before, _new_point(marks[case.name], known)) for case in cases]
    slices = [round(float(voxel[0])) for voxel in places]
    focus = pipeline.sites.focus(level)
    if len(set(slices)) == 1:
        picture = before_and_after([[("before", before), *shown]], focus, slices[:1])
    else:
        rows = [[("before", before), one] for one in shown]
        picture = before_and_after(rows, focus, slices)
    to_png(picture, path)


def _new_point(marks: Sequence[Landmark], known: Sequence[Landmark]) -> tuple[float, float, float]:
    """Where the finding lies that the scan had not before; files keep landmarks sorted."""

    def apart(mark: Landmark) -> float:
        gaps = [float(np.linalg.norm(np.subtract(mark.point_mm, own.point_mm))) for own in known]
        return min(gaps, default=np.inf)

    return max(marks, key=apart).point_mm
