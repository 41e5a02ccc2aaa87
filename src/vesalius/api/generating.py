"""Generate cohorts: as requested, what a cohort lacks, or findings in healthy scans."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius.api.console import bars
from vesalius.api.fitting import loaded, run_folder
from vesalius.evidence.copies import CopySearch
from vesalius.methods import method_of
from vesalius.methods.inpainting.donors import Donor, donor_at
from vesalius.methods.inpainting.sampling import (
    FindingRequest,
    InpaintingSampler,
    edit_request,
)
from vesalius.report.pictures import before_and_after, to_png
from vesalius.sampling.cohort import GeneratedCohort, sample_cohort
from vesalius.sampling.rejection import case_requests
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress
from vesalius.training.requests import even_requests, require_within
from vesalius.training.seeds import seed_for

Ranges = Mapping[str, tuple[float, float]]


def generate(
    model: Any,
    targets: Ranges | Sequence[Mapping[str, float]] | None = None,
    *,
    out: str | Path,
    count: int = 16,
    seed: int = 0,
    tolerance: float = 0.1,
    tries: int = 10,
    extrapolate: bool = False,
    cohort: str | Path | Cohort | None = None,
    allow_copies: bool = False,
    segmenter: Any = None,
    progress: Progress | None = None,
    **how: Any,
) -> GeneratedCohort:
    """Generate a cohort: labelled scans of guided synthesis, or whole volumes.

    Parameters
    ----------
    model
        pipeline or folder of a run.
    targets
        ranges that are filled evenly, such as `{"ventricle_volume_ml": (20, 160)}`, or
        one mapping a case; whole volumes come as they are if `None`.
    out
        folder of the cohort. One that a killed process left is completed.
    count
        of cases, where ranges or nothing is given.
    seed
        the same seed gives the same cases, whatever else is generated.
    tolerance
        largest relative error of a measured attribute; a miss is generated again.
    tries
        candidates for one request before it is given up and listed.
    extrapolate
        allow targets outside the training range.
    cohort
        the training cohort. A case that the audit calls a copy of one of its cases is
        generated again.
    allow_copies
        keep such cases.
    segmenter
        for whole volumes: pipeline or run that labels what is generated.
    progress
        called after each case; bars if `None`.
    how
        further settings of the method: `guidance`, and for whole volumes `sampler`, `steps`.

    Returns
    -------
    The cohort, every draw and the requests that were not met.

    Raises
    ------
    InputError
        before any work, for requests that cannot be met or a folder of other content.
    """
    folder = run_folder(model)
    segmenter_folder = segmenter if isinstance(segmenter, str | Path) else None
    CohortWriter.require_place(out, "synthetic", folder, segmenter_folder, _folder(cohort))
    pipeline = loaded(model)
    if not hasattr(pipeline, "sampler"):
        fault = f"is a run of {method_of(folder).name}, which generates no scans of its own"
        raise InputError(folder, fault, "point at a run of guided synthesis or of whole volumes")
    if isinstance(targets, Mapping):
        targets = even_requests(targets, count, seed)
    wanted = [dict(one) for one in targets or [{}] * count]
    if segmenter is not None:
        how["segmenter"] = loaded(segmenter)
    names = sorted({name for one in wanted for name in one})
    sampler = pipeline.sampler(names, tolerance, **_given(pipeline, how))
    require_within(wanted, pipeline.fingerprint, extrapolate)
    inputs = [Path(one) for one in (segmenter_folder, _folder(cohort)) if one is not None]
    with bars(progress) as report:
        gate = copy_gate(pipeline, cohort, sampler.description.labels, allow_copies, report)
        return sample_cohort(
            sampler, case_requests(pipeline.run, wanted, seed), out, tries, gate,
            {"command": "generate", "seed": seed}, report, inputs,
        )  # fmt: skip


def balance(
    model: Any,
    cohort: str | Path | Cohort,
    ranges: Ranges | None = None,
    *,
    out: str | Path,
    count: int | None = None,
    seed: int = 0,
    tolerance: float | None = None,
    tries: int = 10,
    extrapolate: bool = False,
    allow_copies: bool = False,
    faults: list[InputProblem] | None = None,
    progress: Progress | None = None,
) -> GeneratedCohort:
    """Generate the labelled scans that a cohort lacks.

    Guided synthesis brings the histogram of an attribute up to uniform. Pathology inpainting sets
    findings into healthy levels, until each is as frequent at every level as the most frequent one.
    A case that the audit calls a copy of a training case is generated again.

    Parameters
    ----------
    model
        pipeline or folder of a run.
    cohort
        to be balanced, of the kind that the run was fitted on.
    ranges
        for guided synthesis one attribute with its range.
    out
        folder of the synthetic cases. One that a killed process left is completed.
    count
        how many; all that are missing if `None`.
    seed
        the same seed gives the same cases.
    tolerance
        largest error of what is measured: relative for an attribute (0.1 if `None`), in
        mm for a finding (1 if `None`).
    tries
        candidates for one request before it is given up and listed.
    extrapolate
        allow targets outside the training range.
    allow_copies
        keep cases that the audit calls copies.
    faults
        those of cases that are left out are added.
    progress
        called after each case; bars if `None`.

    Raises
    ------
    InputError
        for a cohort of another kind, or one that lacks nothing.
    """
    folder = run_folder(model)
    CohortWriter.require_place(out, "synthetic", folder, _folder(cohort))
    pipeline = loaded(model)
    if not hasattr(pipeline, "balancing"):
        fault = f"is a run of {method_of(folder).name}, which balances no cohort"
        remedy = "point at a run of guided synthesis or of pathology inpainting"
        raise InputError(folder, fault, remedy)
    real = _opened(cohort)
    left_out = faults if faults is not None else []
    with bars(progress) as report:
        found = pipeline.balancing(
            real, ranges or {}, count, seed, tolerance, extrapolate, report, left_out
        )
        labels = found.sampler.description.labels
        gate = copy_gate(pipeline, real, labels, allow_copies, report)
        return sample_cohort(
            found.sampler, found.requests, out, tries, gate, {"command": "balance", "seed": seed},
            report, [real.folder],
        )  # fmt: skip


def inpaint(
    model: Any,
    scan: str | Path,
    pathology: str,
    level: str,
    *,
    out: str | Path,
    size_mm: float | None = None,
    severity: float | None = None,
    point_mm: tuple[float, float, float] | None = None,
    labels: str | Path | None = None,
    count: int = 4,
    seed: int = 0,
    tolerance_mm: float = 1.0,
    tries: int = 10,
    cohort: str | Path | Cohort | None = None,
    allow_copies: bool = False,
    progress: Progress | None = None,
    **how: Any,
) -> GeneratedCohort:
    """Set a finding into a healthy scan: image and label map edited, the rest untouched.

    Parameters
    ----------
    model
        pipeline or folder of a run of pathology inpainting.
    scan
        NIfTI file.
    pathology
        such as `herniation`.
    level
        such as `L4-L5`.
    out
        folder of the edited scans. One that a killed process left is completed.
    size_mm
        depth of a herniation, or diameter left of the canal.
    severity
        instead of it, 0 for the mildest of the training range to 1 for the worst.
    point_mm
        of the finding in the scan's RAS millimetres; the usual place if `None`.
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
    if severity is not None and size_mm is not None:
        raise InputError("--size-mm", "and --severity were both given", "give one of them")
    if severity is not None and not 0 <= severity <= 1:
        raise InputError("--severity", f"{severity:g} is out of range", "give 0 to 1")
    if count < 1:
        raise InputError("n", f"{count} edits are none", "ask for at least 1")
    folder = run_folder(model)
    CohortWriter.require_place(
        out, "synthetic", folder, scan, labels, Donor.cohort_of(scan), _folder(cohort)
    )
    own = method_of(folder)
    if own.name != "inpainting":
        fault = f"is a run of {own.name}, which sets no findings"
        raise InputError(folder, fault, "point at a run of pathology inpainting")
    pipeline = loaded(model, **{name: value for name, value in how.items() if value is not None})
    donor = donor_at(scan, labels, pipeline)
    if size_mm is None:
        size_mm = pipeline.seen.pathology(pathology).size_at(0.5 if severity is None else severity)
    finding = FindingRequest(pathology, level, size_mm, point_mm)
    pipeline.require_possible(donor.scan, finding, str(scan))
    requests = [
        edit_request(
            f"{donor.case.name}_{pathology}_{level}_{index:02d}", donor.case, finding,
            seed_for(seed, "edit", index) % 2**31, donor.landmarks,
        )
        for index in range(count)
    ]  # fmt: skip
    names = pipeline.attribute_names
    sampler = InpaintingSampler(pipeline, {donor.case.name: donor.scan}, names, tolerance_mm)
    inputs = [Path(one) for one in (scan, labels, _folder(cohort)) if one is not None]
    with bars(progress) as report:
        gate = copy_gate(pipeline, cohort, pipeline.labels, allow_copies, report)
        made = sample_cohort(
            sampler, requests, out, tries, gate, {"command": "inpaint"}, report, inputs
        )
    _picture(pipeline, donor.scan, finding, made, Path(out) / "before_after.png")
    return made


def _picture(
    pipeline: Any, before: LabelledScan, finding: FindingRequest, made: GeneratedCohort, path: Path
) -> None:  # fmt: skip
    """The scan and up to six edits of it, side by side."""
    cases = made.cohort.cases[:6]
    edits = [(case.provenance()["measured"], made.cohort.read(case)) for case in cases]
    row = [("before", before)]
    row += [(f"after, {next(iter(mm.values())):.1f} mm", after) for mm, after in edits]
    names = ("herniation", "canal", f"disc_{finding.level}")
    focus = [pipeline.labels[name] for name in names if name in pipeline.labels]
    slice_shown = round(float(pipeline.landmark(before, finding)[0]))
    to_png(before_and_after([row], focus, [slice_shown]), path)


def copy_gate(
    pipeline: Any, cohort: str | Path | Cohort | None, labels: Mapping[str, int],
    allow_copies: bool, progress: Progress,
) -> CopySearch | None:  # fmt: skip
    """The search for copies that nothing may be found by, if the training cohort is at hand.

    Raises
    ------
    InputError
        for a cohort of other channels than the run was fitted on.
    """
    if cohort is None or allow_copies:
        return None
    real = _opened(cohort)
    if real.description.channels != pipeline.fingerprint.channels:
        where = real.folder / "dataset.json"
        raise InputError(where, "has other channels than the run", "name the training cohort")
    same = dict(labels) == dict(real.description.labels)
    return CopySearch.of(real, same and all(case.label_map for case in real.cases), progress)


def _opened(cohort: str | Path | Cohort) -> Cohort:
    return cohort if isinstance(cohort, Cohort) else Cohort.open(cohort, labelled=False)


def _folder(cohort: str | Path | Cohort | None) -> str | Path | None:
    return cohort.folder if isinstance(cohort, Cohort) else cohort


def _given(pipeline: Any, how: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that were given a value, refused where the method has no such one."""
    given = {name: value for name, value in how.items() if value is not None}
    known = inspect.signature(pipeline.sampler).parameters
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        fault = "is no setting of this run's method"
        raise InputError(f"--{unknown.replace('_', '-')}", fault, "leave it out")
    return given
