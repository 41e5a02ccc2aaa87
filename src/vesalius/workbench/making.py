"""What a run can be asked for in the browser, and the sampler that answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from vesalius.methods.guided.pipeline import GuidedPipeline
from vesalius.methods.inpainting.pipeline import InpaintingPipeline
from vesalius.methods.inpainting.sampling import FindingRequest, InpaintingSampler, edit_request
from vesalius.methods.volumes.pipeline import VolumesPipeline
from vesalius.sampling.rejection import CaseRequest, Sampler
from vesalius.scans.case import LabelledScan
from vesalius.scans.input_error import InputError
from vesalius.training.requests import require_within
from vesalius.workbench.opened import Opened, OpenedRun

FORECASTING, YEARS = "progression", (1.0, 2.0, 4.0, 8.0)
"""The method that predicts, and how far ahead it is asked to."""
PREVIEW_STEPS = 3
"""Of the image's sampler, so that a picture follows the slider."""


class Question(BaseModel):
    """What the browser asks of a run.

    Attributes:
        run: its place among those that were opened.
        target: attribute values in their own units.
        seed: the same seed gives the same case.
        cohort, case: places of the scan that a finding is set into.
        pathology, level, size_mm, point_mm: of that finding.
        tolerance: largest error of what is measured: relative for attributes (0.1 without it), in
            mm for findings (1 without it).
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    run: int = Field(ge=0)
    target: dict[str, float] = Field(default_factory=dict, max_length=64)
    seed: int = Field(default=0, ge=0, lt=2**31)
    cohort: int | None = Field(default=None, ge=0)
    case: int | None = Field(default=None, ge=0)
    pathology: str = Field(default="", max_length=64)
    level: str = Field(default="", max_length=64)
    size_mm: float | None = Field(default=None, gt=0, lt=1000)
    point_mm: tuple[float, float, float] | None = None
    tolerance: float | None = Field(default=None, gt=0, lt=100)


@dataclass(frozen=True)
class Asked:
    """A question that a sampler understands.

    Attributes:
        sampler: of the run.
        request: of one case.
        before: the scan that is edited, if one is.
    """

    sampler: Sampler[Any]
    request: CaseRequest
    before: LabelledScan | None = None


def form_of(run: OpenedRun) -> dict[str, Any]:
    """What may be asked of a run: attributes with their training range, findings, or years."""
    pipeline = run.pipeline
    known = {"method": run.method, "name": run.folder.resolve().name, "run": pipeline.run.name}
    if isinstance(pipeline, InpaintingPipeline):
        ranges = pipeline.training_range
        return known | {
            "findings": [
                {"name": one.name, "low": one.low, "high": one.high, "middle": one.mean,
                 "levels": list(ranges.levels_of(one.name))}
                for one in ranges.pathologies
            ]
        }  # fmt: skip
    if run.method == FORECASTING:
        return known | {"years": list(YEARS)}
    if not isinstance(pipeline, GuidedPipeline | VolumesPipeline):
        return known
    return known | {
        "attributes": [
            {"name": one.name, "low": one.low, "high": one.high,
             "middle": max(one.low, min(one.high, one.mean**2))}
            for one in pipeline.fingerprint.attributes
        ],
        "preview": isinstance(pipeline, GuidedPipeline),
    }  # fmt: skip


def asked(question: Question, opened: Opened, name: str) -> Asked:
    """The sampler and the request of a question.

    Args:
        question: of the browser.
        opened: what it is about.
        name: of the case.

    Raises:
        InputError: for a run or a case that there is none of, a value outside the training range,
            or a run that makes no cases.
    """
    run = at(opened.runs, question.run, "run")
    pipeline = run.pipeline
    if isinstance(pipeline, InpaintingPipeline):
        return _edited(question, opened, pipeline, name)
    if not isinstance(pipeline, GuidedPipeline | VolumesPipeline):
        remedy = "open a run of guided synthesis, whole volumes or pathology inpainting"
        raise InputError(run.folder, f"is a run of {run.method}, which makes no cases", remedy)
    require_within([question.target], pipeline.fingerprint, extrapolate=False)
    sampler = pipeline.sampler(sorted(question.target), question.tolerance or 0.1)
    subject = f"{pipeline.run.name}-{question.seed}"
    return Asked(sampler, CaseRequest(name, question.seed, dict(question.target), subject))


def _edited(
    question: Question, opened: Opened, pipeline: InpaintingPipeline, name: str
) -> Asked:  # fmt: skip
    cohort = at(opened.cohorts, question.cohort, "cohort")
    case = at(cohort.cases, question.case, "case")
    if case.label_map is None or question.size_mm is None:
        raise InputError(case.name, "has no label map, or no size was asked for", "choose both")
    scan = cohort.read(case)
    finding = FindingRequest(
        question.pathology, question.level, question.size_mm, question.point_mm
    )
    request = edit_request(name, case, finding, question.seed)
    sampler = InpaintingSampler(
        pipeline, {case.name: scan}, pipeline.attribute_names, question.tolerance or 1.0
    )
    return Asked(sampler, request, scan)


def at(items: Any, place: int | None, what: str) -> Any:
    """What stands at a place, or a refusal."""
    if place is None or place >= len(items):
        raise InputError(what, f"{place} is not there", f"choose one of {len(items)}")
    return items[place]


def preview(question: Question, opened: Opened) -> tuple[LabelledScan, Mapping[str, float]]:
    """The first draw of a request and what it measures, its image in few steps.

    Its label map is that of the full case, unless that is generated again.

    Raises:
        InputError: for a run that has no preview.
    """
    run = at(opened.runs, question.run, "run")
    pipeline = run.pipeline
    if not isinstance(pipeline, GuidedPipeline):
        raise InputError(run.folder, f"is a run of {run.method}", "only guided synthesis previews")
    require_within([question.target], pipeline.fingerprint, extrapolate=False)
    request = CaseRequest("preview", question.seed, dict(question.target), "preview")
    label_map, measured = pipeline.sampler(sorted(question.target)).label_map(request)
    seed = question.seed
    return pipeline.in_steps(PREVIEW_STEPS).image(label_map, seed), measured
