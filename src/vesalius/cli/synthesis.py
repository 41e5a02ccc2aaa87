"""`vesalius generate`, `balance` and `inpaint`: make what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from vesalius.api.console import console
from vesalius.cli.options import (
    Count,
    Flag,
    Guidance,
    Millilitres,
    Millimetres,
    Seed,
    Steps,
    Tolerance,
    Tries,
)
from vesalius.cli.targets import counted_targets
from vesalius.cli.terminal import parse_point, parse_ranges, print_faults
from vesalius.scans.input_error import InputError, InputProblem

if TYPE_CHECKING:
    from vesalius.sampling.cohort import GeneratedCohort

Attributes = Annotated[list[str] | None, Parameter(negative="")]


def generate(
    run: Path,
    *,
    out: Path,
    attribute: Attributes = None,
    labels: Path | None = None,
    count: Count = 16,
    seed: Seed = 0,
    tolerance: Tolerance = 0.1,
    tries: Tries = 10,
    extrapolate: Flag = False,
    guidance: Guidance | None = None,
    sampler: Literal["ddpm", "ddim", "dpm_solver_2m", "heun"] | None = None,
    steps: Steps | None = None,
    segmenter: Path | None = None,
    cohort: Path | None = None,
    allow_copies: Flag = False,
    dry_run: Flag = False,
) -> None:
    """Generate scans: labelled ones of guided synthesis, or whole volumes without labels.

    Guided synthesis needs attributes, whose ranges are filled evenly, and each case is measured
    again; or label maps of your own, each of which gets an image. Whole volumes come as they are,
    or are asked for the attributes their run was fitted on; with a segmenter they are labelled and
    measured too, and generated again where they miss.

    Parameters
    ----------
    run: Path
        Folder of a finished fit of guided synthesis or of whole volumes.
    out: Path
        Folder of the cohort. An unfinished one is completed.
    attribute: list[str]
        Such as ventricle_volume_ml=20:160, in the attribute's own unit. May be repeated.
    labels: Path
        Guided synthesis: a folder of label maps of your own, as nnU-Net v2 raw format or NIfTI
        files with the numbers of the run. Attributes and count are left out then.
    count: int
        How many cases.
    seed: int
        The same seed gives the same cases, whatever else is generated.
    tolerance: float
        Largest relative error of a measured attribute; a miss is generated again.
    tries: int
        Candidates for one request before it is given up and listed.
    extrapolate: bool
        Allow requests outside the training range.
    guidance: float
        Scale of classifier-free guidance; the run's own without it.
    sampler: str
        Whole volumes: ddpm is ancestral, the others are fast; the run's own without it.
    steps: int
        Whole volumes: of the sampler; the run's own without it.
    segmenter: Path
        Whole volumes: a run of vesalius fit segmenter, which labels what is generated.
    cohort: Path
        The training cohort: a case that the audit calls a copy of one of its cases is generated
        again.
    allow_copies: bool
        Keep such cases.
    dry_run: bool
        Show what would be generated, and write nothing.
    """
    from vesalius.api.generating import generate as run_generate
    from vesalius.api.generating import images_for_labels, requested

    ranges = parse_ranges(attribute or []) or None
    if dry_run:
        if labels is not None:
            raise InputError(
                "--dry-run", "has no meaning for label maps of your own", "leave it out"
            )
        wanted = requested(run, ranges, count=count, seed=seed, extrapolate=extrapolate)
        for line in counted_targets(wanted):
            console.print(line)
        return
    if labels is not None:
        beside = {
            "--attribute": attribute, "--cohort": cohort, "--segmenter": segmenter,
            "--sampler": sampler, "--steps": steps, "--guidance": guidance,
            "--extrapolate": extrapolate, "--allow-copies": allow_copies,
        }  # fmt: skip
        for option, given in beside.items():
            if given:
                fault = "has no meaning for label maps of your own"
                raise InputError(option, fault, "leave it out; vesalius audit finds copies")
        faults: list[InputProblem] = []
        made = images_for_labels(run, labels, out=out, seed=seed, faults=faults)
        print_faults(faults, "label maps were left out")
        console.print(f"{made.folder}: {len(made.cases)} cases, marked synthetic")
        return
    generated = run_generate(
        run, ranges, out=out, count=count, seed=seed,
        tolerance=tolerance, tries=tries, extrapolate=extrapolate, guidance=guidance,
        sampler=sampler, steps=steps, segmenter=segmenter, cohort=cohort,
        allow_copies=allow_copies,
    )  # fmt: skip
    _report(generated, "generated")


def balance(
    data: Path,
    *,
    run: Path,
    out: Path,
    attribute: Attributes = None,
    count: Count | None = None,
    seed: Seed = 0,
    tolerance: Tolerance | None = None,
    tries: Tries = 10,
    extrapolate: Flag = False,
    allow_copies: Flag = False,
    dry_run: Flag = False,
) -> None:
    """Generate the labelled scans that a cohort lacks.

    With a run of guided synthesis: those that bring the histogram of an attribute up to uniform.
    With a run of pathology inpainting: findings set into healthy levels, or lesions into organs,
    until each is as frequent everywhere as the most frequent one. A case that the audit calls a
    copy of a training case is generated again.

    Parameters
    ----------
    data: Path
        The cohort to be balanced, of the kind that the run was fitted on.
    run: Path
        Folder of a finished fit.
    out: Path
        Folder of the synthetic cases. An unfinished one is completed.
    attribute: list[str]
        Guided synthesis: one attribute with its range, such as ventricle_volume_ml=20:160.
    count: int
        How many. Guided synthesis picks them from those that are missing; findings go to the
        emptiest cells first.
    seed: int
        The same seed gives the same cases.
    tolerance: float
        Largest error of what is measured: relative for an attribute (0.1 without it), in mm for a
        finding (1 without it).
    tries: int
        Candidates for one request before it is given up and listed.
    extrapolate: bool
        Guided synthesis: allow requests outside the training range.
    allow_copies: bool
        Keep cases that the audit calls copies of training cases.
    dry_run: bool
        Show what the cohort lacks, and write nothing.
    """
    from vesalius.api.generating import balance as run_balance
    from vesalius.api.generating import lacking

    faults: list[InputProblem] = []
    if dry_run:
        wanted = lacking(
            run, data, parse_ranges(attribute or []), count=count, seed=seed,
            extrapolate=extrapolate, faults=faults,
        )  # fmt: skip
        print_faults(faults)
        for line in counted_targets(wanted):
            console.print(line)
        return
    generated = run_balance(
        run, data, parse_ranges(attribute or []), out=out, count=count, seed=seed,
        tolerance=tolerance, tries=tries, extrapolate=extrapolate, allow_copies=allow_copies,
        faults=faults,
    )  # fmt: skip
    print_faults(faults)
    _report(generated, "generated")


def inpaint(
    run: Path,
    data: Path,
    *,
    out: Path,
    pathology: str,
    level: Annotated[str | None, Parameter(name=("--level", "--host"))] = None,
    severity: float | None = None,
    size_mm: Millimetres | None = None,
    size_ml: Millilitres | None = None,
    at: str | None = None,
    labels: Path | None = None,
    count: Count = 4,
    seed: Seed = 0,
    tolerance: Tolerance = 1.0,
    tries: Tries = 10,
    guidance: Guidance | None = None,
    method: str = "voxelwise_trained",
    cohort: Path | None = None,
    allow_copies: Flag = False,
) -> None:
    """Set a finding or a lesion into a scan: image and label edited, the rest untouched.

    Writes a cohort of the edited scans and before_after.png.

    Parameters
    ----------
    run: Path
        Folder of a finished fit of pathology inpainting.
    data: Path
        A scan as NIfTI; of a spine in sagittal slices.
    out: Path
        Folder of the edited scans. An unfinished one is completed.
    pathology: str
        Such as herniation or stenosis, or the label of a lesion.
    level: str
        Such as L4-L5; of a lesion the label of the organ, without it one that has room.
    severity: float
        0 for the mildest of the training range to 1 for the worst; 0.5 without it.
    size_mm: float
        Instead of a severity: depth of the herniation, diameter left of the canal, or diameter of
        the lesion.
    size_ml: float
        Instead of it, volume of the lesion.
    at: str
        Point of the finding as x,y,z in the scan's RAS millimetres. The usual place without it; of
        a lesion anywhere in its organ where it has room.
    labels: Path
        Its label map; the file of the same name in labelsTr beside imagesTr without it.
    count: int
        How many different edits.
    seed: int
        The same seed gives the same edits.
    tolerance: float
        Largest error of the measured size in mm; what misses it is generated again.
    tries: int
        Candidates for one edit before it is given up and listed.
    guidance: float
        Scale of classifier-free guidance; the run's own without it.
    method: str
        How it is inpainted; the others need a run fitted with --networks ordinary or concat.
    cohort: Path
        The training cohort: a finding that the audit calls a copy is generated again.
    allow_copies: bool
        Keep such edits.
    """
    from vesalius.api.inpainting import inpaint as run_inpaint

    generated = run_inpaint(
        run, data, pathology, level, out=out, severity=severity, size_mm=size_mm,
        size_ml=size_ml, point_mm=parse_point(at), labels=labels, count=count, seed=seed,
        tolerance_mm=tolerance, tries=tries, guidance=guidance, method=method, cohort=cohort,
        allow_copies=allow_copies,
    )  # fmt: skip
    _report(generated, "edited")
    console.print(f"picture: {out / 'before_after.png'}")


def _report(made: GeneratedCohort, what: str) -> None:
    """Faults, requested against measured, and how many draws it took."""
    print_faults(made.faults, "requests were not met")
    for name, figure in made.figures.items():
        console.print(f"{name:<46} {figure}  ({figure.size})")
    gate = ""
    if made.gated:
        gate = f", {made.copies_rejected} of them rejected as copies of training cases"
    console.print(
        f"{made.cohort.folder}: {len(made.cohort.cases)} {what} cases, marked synthetic; "
        f"{made.acceptance:.0%} of {len(made.draws)} draws accepted{gate}"
    )
