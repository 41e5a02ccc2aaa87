"""Generate cohorts: as requested, or what a cohort lacks."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius.api.cohorts import Given, copy_gate, opened, place_of
from vesalius.api.console import bars
from vesalius.api.fitting import generator, loaded, run_folder
from vesalius.api.generated import Generated
from vesalius.methods import method_of
from vesalius.methods.guided.own_labels import images_for, label_maps_in
from vesalius.methods.guided.pipeline import GuidedPipeline
from vesalius.sampling.cohort import sample_cohort
from vesalius.sampling.rejection import case_requests
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress
from vesalius.training.requests import even_requests, require_within

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
    cohort: Given | None = None,
    allow_copies: bool = False,
    segmenter: Any = None,
    progress: Progress | None = None,
    **how: Any,
) -> Generated:
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
    CohortWriter.require_place(out, "synthetic", folder, segmenter_folder, place_of(cohort))
    pipeline = generator(model)
    wanted = _targets(targets, count, seed)
    if segmenter is not None:
        how["segmenter"] = loaded(segmenter)
    names = sorted({name for one in wanted for name in one})
    sampler = pipeline.sampler(names, tolerance, **_given(pipeline, how))
    require_within(wanted, pipeline.fingerprint, extrapolate)
    inputs = [Path(one) for one in (segmenter_folder, place_of(cohort)) if one is not None]
    with bars(progress) as report:
        gate = copy_gate(pipeline, cohort, sampler.description.labels, allow_copies, report)
        generated = sample_cohort(
            sampler, case_requests(pipeline.run, wanted, seed), out, tries, gate,
            {"command": "generate", "seed": seed}, report, inputs,
        )  # fmt: skip
    return Generated.of(generated, pipeline.run)


def requested(
    model: Any,
    targets: Ranges | Sequence[Mapping[str, float]] | None = None,
    *,
    count: int = 16,
    seed: int = 0,
    extrapolate: bool = False,
) -> list[dict[str, float]]:
    """What `generate` would make: the target of each case; nothing is written.

    Parameters
    ----------
    model, targets, count, seed, extrapolate
        as `generate` takes them.

    Raises
    ------
    InputError
        for requests that cannot be met.
    """
    pipeline, wanted = generator(model), _targets(targets, count, seed)
    pipeline.sampler(sorted({name for one in wanted for name in one}))
    require_within(wanted, pipeline.fingerprint, extrapolate)
    return wanted


def _targets(
    targets: Ranges | Sequence[Mapping[str, float]] | None, count: int, seed: int
) -> list[dict[str, float]]:
    """The target of each case; none of volumes that come as they are."""
    if isinstance(targets, Mapping):
        targets = even_requests(targets, count, seed)
    return [dict(one) for one in targets or [{}] * count]


def images_for_labels(
    model: Any,
    labels: str | Path,
    *,
    out: str | Path,
    seed: int = 0,
    faults: list[InputProblem] | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Give label maps of one's own an image each, by a run of guided synthesis.

    Parameters
    ----------
    model
        pipeline or folder of a run.
    labels
        folder in nnU-Net v2 raw format, whose labels are known by their names and which needs no
        images, or of NIfTI files with the numbers of the run.
    out
        folder of the cohort, in the grid of the run. One that a killed process left is completed.
    seed
        of contrast, texture and noise; the same seed gives the same images.
    faults
        those of label maps that are left out are added.
    progress
        called after each case; bars if `None`.

    Raises
    ------
    InputError
        for a run of another method, labels that it does not know, or a folder of other content.
    """
    folder, place = run_folder(model), Path(labels)
    CohortWriter.require_place(out, "synthetic", folder, place)
    pipeline = loaded(model)
    if not isinstance(pipeline, GuidedPipeline):
        fault = f"is a run of {method_of(folder).name}, which makes no image of a label map"
        raise InputError(folder, fault, "point at a run of guided synthesis")
    wanted = label_maps_in(place, pipeline.fingerprint.description)
    with bars(progress) as report:
        cohort, left_out = images_for(
            pipeline, wanted, out, seed, {"labels": place.name}, [place], report
        )
    if faults is not None:
        faults += left_out
    return cohort


def balance(
    model: Any,
    cohort: Given,
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
) -> Generated:
    """Generate the labelled scans that a cohort lacks; `lacking` says beforehand which.

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
    CohortWriter.require_place(out, "synthetic", run_folder(model), place_of(cohort))
    pipeline, real = _balances(model), opened(cohort)
    left_out = faults if faults is not None else []
    with bars(progress) as report:
        result = pipeline.balancing(
            real, ranges or {}, count, seed, tolerance, extrapolate, report, left_out
        )
        labels = result.sampler.description.labels
        gate = copy_gate(pipeline, real, labels, allow_copies, report)
        generated = sample_cohort(
            result.sampler, result.requests, out, tries, gate, {"command": "balance", "seed": seed},
            report, [real.folder],
        )  # fmt: skip
    return Generated.of(generated, pipeline.run)


def lacking(
    model: Any,
    cohort: Given,
    ranges: Ranges | None = None,
    *,
    count: int | None = None,
    seed: int = 0,
    extrapolate: bool = False,
    faults: list[InputProblem] | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """What `balance` would generate for a cohort: the target of each case; nothing is written.

    Parameters
    ----------
    model, cohort, ranges, count, seed, extrapolate, faults, progress
        as `balance` takes them.

    Raises
    ------
    InputError
        for a cohort of another kind, or one that lacks nothing.
    """
    pipeline, real = _balances(model), opened(cohort)
    left_out = faults if faults is not None else []
    with bars(progress) as report:
        result = pipeline.balancing(
            real, ranges or {}, count, seed, None, extrapolate, report, left_out
        )
    return [dict(request.target) for request in result.requests]


def _balances(model: Any) -> Any:
    """A loaded run that can balance a cohort."""
    pipeline = loaded(model)
    if not hasattr(pipeline, "balancing"):
        folder = run_folder(model)
        fault = f"is a run of {method_of(folder).name}, which balances no cohort"
        remedy = "point at a run of guided synthesis or of pathology inpainting"
        raise InputError(folder, fault, remedy)
    return pipeline


def _given(pipeline: Any, how: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that were given a value, refused where the method has no such one."""
    given = {name: value for name, value in how.items() if value is not None}
    known = inspect.signature(pipeline.sampler).parameters
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        fault = "is no setting of this run's method"
        raise InputError(f"--{unknown.replace('_', '-')}", fault, "leave it out")
    return given
