"""The closed loop: ask, draw, measure what came out, and draw again what missed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from vesalius import __version__
from vesalius.methods.guided.calibration import Calibration, label_grain, matching_scale
from vesalius.methods.guided.drawing import Painter, noise_seed
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.fault import Fault, Refused
from vesalius.scans.formats.json_file import read_json
from vesalius.scans.output import Made
from vesalius.scans.progress import Progress, followed, silent
from vesalius.scans.volume import Volume
from vesalius.training.requests import Request, even_requests, require_within
from vesalius.training.run import Run


@dataclass(frozen=True)
class Draw:
    """One label map that was drawn for a request, whether it was taken or not."""

    case: str
    attempt: int
    requested: Request
    measured: Request
    accepted: bool


@dataclass(frozen=True)
class Generated:
    """What a generation wrote, every draw it took, and the requests that were never met."""

    cohort: Cohort
    draws: tuple[Draw, ...]
    faults: tuple[Fault, ...]

    @property
    def acceptance(self) -> float:
        """Share of all draws that were within tolerance."""
        return float(np.mean([draw.accepted for draw in self.draws]))


def generate(
    run: Run,
    requests: Sequence[Request],
    out: str | Path,
    seed: int = 0,
    tolerance: float = 0.1,
    tries: int = 10,
    extrapolate: bool = False,
    guidance: float | None = None,
    prefix: str = "synthetic",
    progress: Progress = silent,
    inputs: Sequence[Path] = (),
) -> Generated:
    """Draw a labelled scan for each request and write them as a cohort.

    Args:
        run: a finished run of guided synthesis.
        requests: attribute values wanted of each case, in the attributes' own units; attributes
            that a request leaves out are drawn from the normal range of the run.
        out: folder of the cohort; one that a killed process left is completed.
        seed: of the cohort.
        tolerance: largest relative error of a measured attribute.
        tries: label maps drawn for one request before it is given up.
        extrapolate: allow requests outside what the run has seen.
        guidance: scale of guidance; the recipe's if `None`.
        prefix: of the case names.
        progress: told after each case.
        inputs: beside the run, folders that must not be touched.

    Raises:
        Refused: before any work, for requests that cannot be met or a folder of other content.
    """
    if not requests:
        raise Refused("requests", "there are none", "ask for at least one case")
    if not 0 < tolerance < 1 or tries < 1:
        raise Refused("tolerance", "must lie between 0 and 1, tries above 0", "choose others")
    fingerprint = run.fingerprint
    require_within(requests, fingerprint, extrapolate)
    painter = Painter(run, guidance)
    names = [seen.name for seen in fingerprint.attributes]
    made: Made = {
        "command": "generate", "run": run.name, "seed": seed, "tolerance": tolerance,
        "tries": tries, "guidance": painter.guidance,
    }  # fmt: skip
    with painter.fabric.rank_zero_first():
        writer = CohortWriter(out, fingerprint.description, names, made, [run.folder, *inputs])
    seeds = np.random.SeedSequence([seed, 1]).generate_state(len(requests), dtype=np.uint32)
    work = [
        (f"{prefix}_{index:04d}", request, int(case_seed))
        for index, (request, case_seed) in enumerate(zip(requests, seeds, strict=True))
    ]
    for name, request, case_seed in work:
        writer.require_same_case(name, seed=case_seed, request=request)
    rank, world = painter.fabric.global_rank, painter.fabric.world_size
    mine = work[rank::world]
    draws: list[Draw] = []
    faults: list[Fault] = []
    for name, request, case_seed in followed(mine, "drawing cases", len(mine), progress):
        if name in writer.done:
            draws += _remembered(writer.folder, name)
            continue
        label_map, own = _until_met(painter, name, request, case_seed, tolerance, tries)
        draws += own
        if label_map is None:
            wanted = ", ".join(f"{k} {v:.4g}" for k, v in request.items())
            remedy = "widen --tolerance, raise --tries or fit longer"
            faults.append(Fault(name, f"missed {wanted} {tries} times", remedy))
            continue
        scan = painter.image(label_map, noise_seed(case_seed, "image"))
        provenance = {
            "synthetic": True, "method": "guided synthesis", "vesalius": __version__,
            "run": run.name, "seed": case_seed, "request": request, "measured": own[-1].measured,
            "tolerance": tolerance, "tries": len(own), "guidance": painter.guidance,
            "missed": [draw.measured for draw in own[:-1]], "parent": None,
        }  # fmt: skip
        writer.add(
            name, scan, subject=f"{run.name}-{name}", attributes=own[-1].measured, split="train",
            provenance=provenance,
        )  # fmt: skip
    painter.fabric.barrier()
    if not writer.done:
        raise Refused(out, "no request was met", "fit longer, or ask for what the run has seen")
    return Generated(writer.finish(), tuple(draws), tuple(faults))


def probe(
    run: Run, requests: Sequence[Request], seed: int = 0, guidance: float | None = None,
    calibrated: bool = True, progress: Progress = silent,
) -> list[Draw]:  # fmt: skip
    """Draw one label map for each request and only measure it: control without rejection."""
    painter = Painter(run, guidance, calibrated)
    seeds = np.random.SeedSequence([seed, 2]).generate_state(len(requests), dtype=np.uint32)
    draws: list[Draw] = []
    work = list(zip(requests, seeds, strict=True))
    for request, case_seed in followed(work, "probing control", len(work), progress):
        _, own = _until_met(painter, "probe", request, int(case_seed), 0.1, 1)
        draws += own
    return draws


def calibrate(
    run: Run, scans: Sequence[LabelledScan], count: int = 40, progress: Progress = silent
) -> None:
    """Draw over the range of each attribute, measure, and write `calibration.json` of the run.

    Args:
        run: with all its weights.
        scans: some of those it was fitted on, for the grain of their images.
        count: label maps drawn for each attribute.
        progress: told after each.
    """
    drawn = {}
    for seen in run.fingerprint.attributes:
        asked = even_requests({seen.name: (max(seen.low, 0.02 * seen.high), seen.high)}, count, 0)
        draws = probe(run, asked, seed=1, calibrated=False, progress=progress)
        pairs = [(d.requested[seen.name], d.measured[seen.name]) for d in draws]
        requested, measured = np.array(pairs).T
        drawn[seen.name] = (requested, measured)
    painter = Painter(run, calibrated=False)
    grains = []
    for index, scan in enumerate(followed(scans, "matching grain", len(scans), progress)):
        placed = run.fingerprint.grid.place(scan)
        pictures = [
            placed.channels[0],
            *(painter.image(placed.label_map, index, scale).channels[0] for scale in (0.0, 1.0)),
        ]
        labels = placed.label_map.voxels
        grains.append(
            [
                [label_grain(image.oriented("RAS").voxels, labels, number) for image in pictures]
                for number in run.fingerprint.label_numbers
            ]
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a label that is thin in every case
        medians = np.nanmedian(grains, axis=0)
    scales = tuple(matching_scale(*(float(value) for value in row)) for row in medians)
    run.note("calibration", Calibration.of(drawn, scales).model_dump())


def _until_met(
    painter: Painter, name: str, request: Request, case_seed: int, tolerance: float, tries: int
) -> tuple[Volume | None, list[Draw]]:
    """Draw label maps until one is within tolerance; the last one drawn, and every draw."""
    draws = []
    attributes = painter.fingerprint.attributes
    for attempt in range(tries):
        seed = noise_seed(case_seed, "labels", attempt)
        chance = np.random.default_rng(seed)
        wanted = [
            request.get(a.name, float(max(0.0, a.mean + a.sd * chance.standard_normal()) ** 2))
            for a in attributes
        ]
        label_map = painter.label_map(wanted, seed)
        measured = {
            a.name: a.attribute.of(label_map, painter.fingerprint.labels) for a in attributes
        }
        met = all(abs(measured[k] - v) <= tolerance * max(v, 1e-6) for k, v in request.items())
        draws.append(Draw(name, attempt, request, measured, met))
        if met:
            return label_map, draws
    return None, draws


def _remembered(folder: Path, name: str) -> list[Draw]:
    """The draws of a case that an earlier process wrote, from its provenance."""
    kept = read_json(folder / "provenance" / f"{name}.json", _Kept, "choose a new folder")
    missed = [Draw(name, i, kept.request, m, False) for i, m in enumerate(kept.missed)]
    return [*missed, Draw(name, len(missed), kept.request, kept.measured, True)]


class _Kept(BaseModel):
    """What the provenance of a synthetic case tells of its draws."""

    request: Request
    measured: Request
    missed: list[Request]
