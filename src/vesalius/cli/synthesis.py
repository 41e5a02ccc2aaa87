"""`vesalius generate`, and balancing an attribute: draw what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from cyclopts import Parameter

from vesalius.cli.options import Count, Flag, Guidance, Seed, Steps, Tolerance, Tries
from vesalius.cli.telling import bars, console, parse_ranges, print_faults
from vesalius.evidence.control import control_figures
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.fault import Fault, Refused

if TYPE_CHECKING:
    from vesalius.methods.guided.closed_loop import Draw
    from vesalius.methods.volumes.drawing import Sampler
    from vesalius.training.requests import Request
    from vesalius.training.run import Run

Ranges = Annotated[list[str], Parameter(negative="")]


def generate(
    run: Path,
    *,
    out: Path,
    attribute: Annotated[list[str] | None, Parameter(negative="")] = None,
    count: Count = 16,
    seed: Seed = 0,
    tolerance: Tolerance = 0.1,
    tries: Tries = 10,
    extrapolate: Flag = False,
    guidance: Guidance | None = None,
    sampler: Literal["ddpm", "ddim", "dpm_solver_2m", "heun"] | None = None,
    steps: Steps | None = None,
    segmenter: Path | None = None,
) -> None:
    """Draw scans: labelled ones of guided synthesis, or whole volumes without labels.

    Guided synthesis needs attributes, whose ranges are filled evenly, and each case is measured
    again. Whole volumes come as they are, or are asked for the attributes their run was fitted on;
    with a segmenter they are labelled and measured too, and drawn again where they miss.

    Parameters
    ----------
    run: Path
        Folder of a finished fit of guided synthesis or of whole volumes.
    out: Path
        Folder of the cohort. An unfinished one is completed.
    attribute: list[str]
        Such as ventricle_volume_ml=20:160, in the attribute's own unit. May be repeated.
    count: int
        How many cases.
    seed: int
        The same seed gives the same cases, whatever else is drawn.
    tolerance: float
        Largest relative error of a measured attribute; a miss is drawn again.
    tries: int
        Draws for one request before it is given up and listed.
    extrapolate: bool
        Allow requests outside what the run has seen.
    guidance: float
        Scale of classifier-free guidance; the run's own without it.
    sampler: str
        Whole volumes: ddpm is ancestral, the others are fast; the run's own without it.
    steps: int
        Whole volumes: of the sampler; the run's own without it.
    segmenter: Path
        Whole volumes: a run of vesalius fit segmenter, which labels what is drawn.
    """
    from vesalius.methods import method_of
    from vesalius.methods.guided.recipe import GuidedRecipe
    from vesalius.training.requests import even_requests
    from vesalius.training.run import Run

    CohortWriter.require_place(out, "synthetic", run, segmenter)
    ranges = parse_ranges(attribute or [])
    requests = even_requests(ranges, count, seed) if ranges else None
    method = method_of(run).name
    if method == "volumes":
        _draw_volumes(
            run, out, count, seed, requests, extrapolate, guidance, sampler, steps,
            segmenter, tolerance, tries,
        )  # fmt: skip
    elif method == "guided":
        if requests is None:
            remedy = "add --attribute ventricle_volume_ml=20:160"
            raise Refused("--attribute", "is missing", remedy)
        opened = Run.open(run, GuidedRecipe)
        _draw(opened, requests, out, seed, tolerance, tries, extrapolate, guidance)
    else:
        remedy = "point at a run of guided synthesis or of whole volumes"
        raise Refused(run, f"is a run of {method}, which draws no scans of its own", remedy)


def _draw_volumes(
    folder: Path, out: Path, count: int, seed: int, requests: Sequence[Request] | None,
    extrapolate: bool, guidance: float | None, sampler: Sampler | None, steps: int | None,
    segmenter: Path | None, tolerance: float, tries: int,
) -> None:  # fmt: skip
    from vesalius.methods.segmentation.pipeline import TrainedSegmenter
    from vesalius.methods.volumes.drawing import (
        ClosedLoop,
        Sampling,
        generate_volumes,
        sampling_of,
    )
    from vesalius.methods.volumes.recipe import VolumesRecipe
    from vesalius.training.run import Run

    run = Run.open(folder, VolumesRecipe)
    loop = ClosedLoop(TrainedSegmenter.open(segmenter), tolerance, tries) if segmenter else None
    faults: list[Fault] = []
    recipe = run.recipe
    assert isinstance(recipe, VolumesRecipe)
    own = sampling_of(recipe)
    sampling = Sampling(
        sampler or own.sampler, steps or own.steps, own.guidance if guidance is None else guidance
    )
    with bars() as progress:
        made = generate_volumes(
            run, out, count, seed, requests, sampling, extrapolate, loop,
            progress=progress, faults=faults, inputs=[segmenter] if segmenter else [],
        )  # fmt: skip
    print_faults(faults, "requests were not met")
    console.print(f"{out}: {len(made.cases)} synthetic volumes; audit them with vesalius audit")


def balance_attribute(
    folder: Path, run: Path, out: Path, attribute: Sequence[str], count: int | None, seed: int,
    tolerance: float, tries: int, extrapolate: bool,
) -> None:  # fmt: skip
    """Fill up the histogram of an attribute by guided synthesis."""
    from vesalius.methods.guided.recipe import GuidedRecipe
    from vesalius.training.requests import balancing_requests, thinned
    from vesalius.training.run import Run

    CohortWriter.require_place(out, "synthetic", run, folder)
    ranges = parse_ranges(attribute)
    if len(ranges) != 1:
        raise Refused("attribute", f"{len(ranges)} were given", "balance one attribute at a time")
    opened = Run.open(run, GuidedRecipe)
    cohort = Cohort.open(folder)
    cases = [case for case in cohort.cases if case.split in ("", "train")]
    if not cases:
        raise Refused(folder, "has no training case", "mark some as train in cases.csv")
    with bars() as progress:
        sound, faults = cohort.read_sound(cases, progress)
    print_faults((*cohort.faults, *faults))
    if not sound:
        raise Refused(folder, "has no sound training case", "mend the cases")
    for case, scan in sound:
        opened.fingerprint.require_match(cohort, scan, case.name)
    ((name, (low, high)),) = ranges.items()
    present = cohort.values(name, [case for case, _ in sound])
    requests = thinned(balancing_requests(present, name, low, high, seed), count, seed)
    if not requests:
        raise Refused(name, f"is uniform from {low:g} to {high:g} already", "choose another range")
    console.print(f"{len(cases)} cases are there, {len(requests)} are missing for a uniform range")
    _draw(opened, requests, out, seed, tolerance, tries, extrapolate, None, [folder])


def _print_control(draws: Sequence[Draw]) -> None:
    """Requested against measured, of the first draws and of those that were kept."""
    for name in dict.fromkeys(name for draw in draws for name in draw.requested):
        for which, chosen in (
            ("first draws", [d for d in draws if d.attempt == 0]),
            ("kept", [d for d in draws if d.accepted]),
        ):
            if len({d.requested[name] for d in chosen}) < 3:
                continue
            asked, measured = (
                np.array([getattr(d, what)[name] for d in chosen])
                for what in ("requested", "measured")
            )
            found = control_figures(asked, measured, "mL" if name.endswith("ml") else "mm")
            told = ", ".join(f"{key} {figure}" for key, figure in found.items())
            console.print(f"{name}, {which} (n = {len(chosen)}): {told}")


def _draw(
    run: Run, requests: Sequence[Request], out: Path, seed: int, tolerance: float, tries: int,
    extrapolate: bool, guidance: float | None, inputs: Sequence[Path] = (),
) -> None:  # fmt: skip
    from vesalius.methods.guided.closed_loop import generate as draw

    with bars() as progress:
        made = draw(
            run,
            requests,
            out,
            seed,
            tolerance,
            tries,
            extrapolate,
            guidance,
            progress=progress,
            inputs=inputs,
        )
    print_faults(made.faults, "requests were not met")
    _print_control(made.draws)
    console.print(
        f"{out}: {len(made.cohort.cases)} synthetic cases; "
        f"{made.acceptance:.0%} of {len(made.draws)} draws were within {tolerance:.0%}"
    )
