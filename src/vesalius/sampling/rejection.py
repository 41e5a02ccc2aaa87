"""One case by rejection: candidates are measured and audited until one is accepted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from vesalius import __version__
from vesalius.evidence.copies import CopySearch
from vesalius.sampling.case import GeneratedCase
from vesalius.scans.case import Scan
from vesalius.scans.description import Description
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.landmarks import Landmark
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.training.run import Run
from vesalius.training.seeds import seed_for


@dataclass(frozen=True)
class CaseRequest:
    """One case to be generated.

    Attributes:
        name: of the case.
        seed: of everything that is left to chance in it.
        target: what it shall be, such as attribute values in their own units.
        subject, visit, split: its cells in `cases.csv`.
        parent: case that it is made from, if there is one.
        origin: further entries of provenance that are known beforehand.
    """

    name: str
    seed: int
    target: Mapping[str, Any]
    subject: str
    visit: str = ""
    split: str = "train"
    parent: str | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, Any]:
        """Entries of provenance that must be the same when a killed request is gone on with."""
        return {"seed": self.seed, "request": dict(self.target)} | dict(self.origin)

    @property
    def wanted(self) -> str:
        """The target in words."""
        values = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in self.target.values())
        return ", ".join(f"{key} {value}" for key, value in zip(self.target, values, strict=True))


@dataclass(frozen=True)
class Finished:
    """What is written of an accepted candidate."""

    scan: Scan
    attributes: Mapping[str, float]
    provenance: Mapping[str, Any]
    dtype: type = np.float32
    landmarks: tuple[Landmark, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """One try at a request.

    Attributes:
        measured: on what came out, by attribute.
        met: whether it is within tolerance.
        finish: makes what is left to be made, such as the image of a label map.
    """

    measured: Mapping[str, float]
    met: bool
    finish: Callable[[], Finished]


R = TypeVar("R", bound=CaseRequest)


class Sampler(ABC, Generic[R]):
    """What a method brings along to be sampled from.

    Attributes:
        run: that it samples from.
        title: of the method, for provenance.
        description: of a cohort of its cases.
        attributes: columns of `cases.csv`.
        settings: that decide on what comes out.
    """

    title: ClassVar[str]
    run: Run[Any]
    description: Description
    attributes: Sequence[str]
    settings: Mapping[str, Any]

    @abstractmethod
    def candidates(self, request: R, first: int = 0) -> Iterator[Candidate]:
        """Candidates without end, each from its own seed, from the `first` on.

        Raises:
            InputError: for a request that cannot be met.
        """


@dataclass(frozen=True)
class Balancing:
    """What fills up a cohort: requests, and what samples them."""

    sampler: Sampler[Any]
    requests: Sequence[CaseRequest]


@dataclass(frozen=True)
class Draw:
    """One candidate, whether it was accepted or not.

    Attributes:
        case: name of the request.
        attempt: from 0.
        requested, measured: by attribute.
        accepted: whether it was kept.
        copy: whether the copy gate has sent it back.
    """

    case: str
    attempt: int
    requested: Mapping[str, Any]
    measured: Mapping[str, float]
    accepted: bool
    copy: bool = False

    def target(self, attribute: str) -> float | None:
        """What was requested of a measured attribute; a finding is requested by its size."""
        result = self.requested.get(attribute, self.requested.get("size_mm"))
        return None if result is None else float(result)


@dataclass(frozen=True)
class Outcome:
    """What became of a request: the case, unless every candidate was rejected, and every draw."""

    case: GeneratedCase | None
    draws: tuple[Draw, ...]


def case_requests(
    run: Run[Any], targets: Sequence[Mapping[str, Any]], seed: int, prefix: str = "synthetic"
) -> list[CaseRequest]:
    """Requests of a cohort: named by number, each with its own seed."""
    names = [f"{prefix}_{index:04d}" for index in range(len(targets))]
    return [
        CaseRequest(name, case_seed(seed, index), dict(target), f"{run.name}-{name}")
        for index, (name, target) in enumerate(zip(names, targets, strict=True))
    ]


def case_seed(seed: int, index: int) -> int:
    """The seed of a case of a cohort, short enough to be typed."""
    return seed_for(seed, "case", index) % 2**31


def sample_case(
    sampler: Sampler[Any], request: CaseRequest, tries: int, gate: CopySearch | None = None
) -> Outcome:
    """Try candidates until one is within tolerance and no copy of a training case.

    Args:
        sampler: of a method.
        request: what is wanted.
        tries: candidates before it is given up.
        gate: training cases that nothing may be a copy of; all candidates pass if `None`.

    Raises:
        InputError: for a request that cannot be met.
    """
    trial = Trial(request)
    while True:
        trial = next_met(sampler, trial, tries)
        judged = judge(sampler, trial, gate)
        if isinstance(judged, Outcome):
            return judged
        trial = judged


@dataclass(frozen=True)
class Trial:
    """A request on its way: draws so far, and the last of them finished if it was within tolerance.

    It knows no training case, so it may come from another process than the one that judges it.
    """

    request: CaseRequest
    draws: tuple[Draw, ...] = ()
    finished: Finished | None = None


def next_met(sampler: Sampler[Any], trial: Trial, tries: int) -> Trial:
    """Go on with a request until a candidate is within tolerance, or its tries are over.

    Raises:
        InputError: for a request that cannot be met.
    """
    request, draws = trial.request, list(trial.draws)
    ahead = sampler.candidates(request, len(draws))
    for attempt, candidate in zip(range(len(draws), tries), ahead, strict=False):
        draws.append(Draw(request.name, attempt, request.target, candidate.measured, candidate.met))
        if candidate.met:
            return Trial(request, tuple(draws), candidate.finish())
    return Trial(request, tuple(draws))


def judge(sampler: Sampler[Any], trial: Trial, gate: CopySearch | None) -> Outcome | Trial:
    """What became of a request, or the request to go on with after a copy was rejected."""
    request, finished, draws = trial.request, trial.finished, trial.draws
    if finished is None:
        return Outcome(None, draws)
    if gate and gate.match(finished.scan, {**request.origin, "parent": request.parent}):
        return Trial(request, (*draws[:-1], replace(draws[-1], accepted=False, copy=True)))
    return Outcome(_case(sampler, request, finished, draws, gate is not None), draws)


def sample_one(
    sampler: Sampler[Any], target: Mapping[str, Any], seed: int, tries: int,
    gate: CopySearch | None = None,
) -> GeneratedCase:  # fmt: skip
    """One case that meets a target.

    Raises:
        InputError: for a request that cannot be met, or that no candidate has met.
    """
    request = CaseRequest(f"synthetic_{seed}", seed, dict(target), f"{sampler.run.name}-{seed}")
    return require_met(request, sample_case(sampler, request, tries, gate))


def require_met(request: CaseRequest, outcome: Outcome) -> GeneratedCase:
    """The case of a request.

    Raises:
        InputError: if every candidate was rejected.
    """
    if outcome.case is None:
        fault = missed(request, outcome)
        raise InputError(fault.file, fault.fault, fault.remedy)
    return outcome.case


def missed(request: CaseRequest, outcome: Outcome) -> InputProblem:
    """Why a request was given up."""
    copies = sum(draw.copy for draw in outcome.draws)
    fault = f"missed {request.wanted} {len(outcome.draws) - copies} times"
    if copies:
        fault += f" and was a copy of a training case {copies} times"
    return InputProblem(request.name, fault, "widen --tolerance, raise --tries or fit longer")


def first_draws(
    sampler: Sampler[Any], requests: Sequence[CaseRequest], progress: Progress = no_progress
) -> list[Draw]:
    """The first candidate of each request, measured and not finished: control without rejection."""
    draws = []
    for request in track(requests, "measuring first draws", len(requests), progress):
        first = next(sampler.candidates(request))
        draws.append(Draw(request.name, 0, request.target, first.measured, first.met))
    return draws


def _case(
    sampler: Sampler[Any], request: CaseRequest, finished: Finished, draws: Sequence[Draw],
    gated: bool,
) -> GeneratedCase:  # fmt: skip
    provenance = {
        "synthetic": True, "method": sampler.title, "vesalius": __version__,
        "run": sampler.run.name, "seed": request.seed, "request": dict(request.target),
        "measured": dict(draws[-1].measured), "tries": len(draws),
        "missed": [dict(draw.measured) for draw in draws[:-1]],
        "copies_rejected": [draw.attempt for draw in draws if draw.copy], "copy_gate": gated,
        **sampler.settings, **finished.provenance, **request.origin, "parent": request.parent,
    }  # fmt: skip
    return GeneratedCase(
        request.name, finished.scan, draws[-1].measured, provenance, finished.attributes,
        finished.dtype, finished.landmarks,
    )  # fmt: skip
