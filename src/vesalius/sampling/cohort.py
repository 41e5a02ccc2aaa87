"""A cohort by rejection: each case is whole on disk before the next is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from vesalius.evidence.control import control_figures, share_of_draws
from vesalius.evidence.copies import CopySearch
from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import bootstrapped
from vesalius.sampling.rejection import CaseRequest, Draw, Sampler, missed
from vesalius.sampling.sharing import outcomes
from vesalius.scans.attributes import unit_of
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.formats.json_file import read_json
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.landmarks import append_landmarks, sort_landmarks
from vesalius.scans.output import Made
from vesalius.scans.progress import Progress, no_progress
from vesalius.training.device import fabric_for


@dataclass(frozen=True)
class GeneratedCohort:
    """What a generation wrote, every draw it took, and the requests that were never met."""

    cohort: Cohort
    draws: tuple[Draw, ...]
    faults: tuple[InputProblem, ...]

    def __fspath__(self) -> str:
        """The folder of the cohort, so that it may stand wherever a path is taken."""
        return str(self.cohort.folder)

    @property
    def acceptance(self) -> float:
        """Share of all draws that were accepted."""
        return float(np.mean([draw.accepted for draw in self.draws]))

    @property
    def copies_rejected(self) -> int:
        """Draws that the copy gate has sent back."""
        return sum(draw.copy for draw in self.draws)

    @property
    def gated(self) -> bool:
        """Whether copies of training cases were rejected."""
        return any(case.provenance().get("copy_gate") for case in self.cohort.cases[:1])

    @property
    def figures(self) -> dict[str, Figure]:
        """Requested against measured: of first draws, and of those that were kept.

        Names are `<attribute>/first_draws/<figure>` and `<attribute>/kept/<figure>`; and there are
        `kept/mae_<unit>` over all attributes of a unit, `acceptance`, and `copies_rejected` as a
        share of all draws.
        """
        result: dict[str, Figure] = {}
        errors: dict[str, list[float]] = {}
        for name in dict.fromkeys(name for draw in self.draws for name in draw.measured):
            for which, chosen in (
                ("first_draws", [d for d in self.draws if d.attempt == 0]),
                ("kept", [d for d in self.draws if d.accepted]),
            ):
                pairs = [(d.target(name), d.measured[name]) for d in chosen if name in d.measured]
                pairs = [pair for pair in pairs if pair[0] is not None]
                if which == "kept":
                    off = [abs(float(target or 0) - measured) for target, measured in pairs]
                    errors.setdefault(unit_of(name), []).extend(off)
                if len({requested for requested, _ in pairs}) < 3:
                    continue
                requested, measured = np.array(pairs, dtype=float).T
                own = control_figures(requested, measured, unit_of(name))
                result |= {f"{name}/{which}/{key}": figure for key, figure in own.items()}
        for unit, off in errors.items():
            if off:
                error = bootstrapped([np.array(off)], np.mean, unit, "requests")
                result[f"kept/mae_{unit.lower()}"] = error
        requests = [draw.case for draw in self.draws]
        result["acceptance"] = share_of_draws(requests, [draw.accepted for draw in self.draws])
        result["copies_rejected"] = share_of_draws(requests, [draw.copy for draw in self.draws])
        return result

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        counts = {
            "cases": len(self.cohort.cases), "requests not met": len(self.faults),
            "draws": len(self.draws), "accepted": f"{self.acceptance:.0%}",
            "rejected as copies": self.copies_rejected, "folder": self.cohort.folder,
        }  # fmt: skip
        rows = "".join(
            f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in counts.items()
        )
        return f"<table>{rows}</table>"


def sample_cohort(
    sampler: Sampler[Any],
    requests: Sequence[CaseRequest],
    out: str | Path,
    tries: int = 10,
    gate: Callable[[], CopySearch] | None = None,
    made: Mapping[str, Any] | None = None,
    progress: Progress = no_progress,
    inputs: Sequence[Path] = (),
) -> GeneratedCohort:
    """Generate a case for each request and write them as a cohort.

    A request that fails is listed, and the others are written. All processes that one launcher has
    started share the requests.

    Args:
        sampler: of a method.
        requests: what is wanted.
        out: folder of the cohort; one that a killed process left is completed.
        tries: candidates before a request is given up and listed.
        gate: reads the training cases that nothing may be a copy of, if there is work left; see
            `CopySearch`.
        made: further settings that must be the same when a killed process is gone on with.
        progress: called after each case.
        inputs: beside the run, folders that must not be touched.

    Raises:
        InputError: before any work, for a folder of other content or of other requests; and if no
            request was met.
    """
    if not requests:
        raise InputError("requests", "there are none", "ask for at least one case")
    if tries < 1:
        raise InputError("tries", f"{tries} are none", "allow at least 1")
    settings: Made = {
        "run": sampler.run.name, **(made or {}), **sampler.settings, "tries": tries,
        "copy_gate": gate is not None,
    }  # fmt: skip
    fabric = fabric_for()
    with fabric.rank_zero_first():
        writer = CohortWriter(
            out, sampler.description, sampler.attributes, settings, [sampler.run.folder, *inputs]
        )
    with writer:
        for request in requests:
            writer.require_same_case(request.name, **request.identity)
        mine = requests[fabric.global_rank :: fabric.world_size]
        work_left = any(request.name not in writer.done for request in mine)
        search = gate() if gate and work_left else None
        draws, faults = _written(sampler, mine, writer, tries, search, progress)
        fabric.barrier()
        if not writer.written():
            first = f" ({faults[0]})" if faults else ""
            remedy = "fit longer, or ask within the range that the run was fitted on"
            raise InputError(out, f"no request was met{first}", remedy)
        sort_landmarks(writer.folder)
        return GeneratedCohort(writer.finish(), tuple(draws), tuple(faults))


def _written(
    sampler: Sampler[Any], requests: Sequence[CaseRequest], writer: CohortWriter, tries: int,
    search: CopySearch | None, progress: Progress,
) -> tuple[list[Draw], list[InputProblem]]:  # fmt: skip
    """Generate and write what is not there yet: every draw, and the requests that were not met."""
    draws: dict[str, Sequence[Draw]] = {
        request.name: _remembered(writer.folder, request.name)
        for request in requests if request.name in writer.done
    }  # fmt: skip
    faults: dict[str, InputProblem] = {}
    missing = [request for request in requests if request.name not in writer.done]
    for request, outcome in outcomes(sampler, missing, tries, search, progress):
        if isinstance(outcome, InputProblem):
            faults[request.name] = outcome
            continue
        draws[request.name] = outcome.draws
        if outcome.case is None:
            faults[request.name] = missed(request, outcome)
            continue
        case = outcome.case
        if case.landmarks:
            append_landmarks(writer.folder, case.name, case.landmarks)
        writer.add(
            case.name, case.scan, request.subject, case.attributes, request.visit, request.split,
            case.provenance, case.dtype,
        )  # fmt: skip
    order = [request.name for request in requests]
    return (
        [draw for name in order for draw in draws.get(name, ())],
        [faults[name] for name in order if name in faults],
    )


class _Kept(BaseModel):
    """What the provenance of a synthetic case says of its draws."""

    request: dict[str, Any]
    measured: dict[str, float]
    missed: list[dict[str, float]]
    copies_rejected: list[int] = []


def _remembered(folder: Path, name: str) -> list[Draw]:
    """The draws of a case that an earlier process wrote, from its provenance."""
    kept = read_json(folder / "provenance" / f"{name}.json", _Kept, "choose a new folder")
    tried = [*kept.missed, kept.measured]
    return [
        Draw(name, i, kept.request, measured, i == len(kept.missed), i in kept.copies_rejected)
        for i, measured in enumerate(tried)
    ]
