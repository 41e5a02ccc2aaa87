"""`vesalius balance`: fill up what a cohort lacks, by whatever method a run was fitted for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from vesalius.cli.options import Count, Flag, Seed, Tolerance, Tries
from vesalius.cli.synthesis import balance_attribute
from vesalius.scans.fault import Refused


def balance(
    folder: Path,
    *,
    run: Path,
    out: Path,
    attribute: Annotated[list[str] | None, Parameter(negative="")] = None,
    count: Count | None = None,
    seed: Seed = 0,
    tolerance: Tolerance | None = None,
    tries: Tries = 10,
    extrapolate: Flag = False,
) -> None:
    """Draw the labelled scans that a cohort lacks.

    With a run of guided synthesis: those that bring the histogram of an attribute up to uniform.
    With a run of pathology inpainting: findings set into healthy levels, until each pathology is
    as frequent at every level as the most frequent one.

    Parameters
    ----------
    folder: Path
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
        Draws for one request before it is given up and listed.
    extrapolate: bool
        Guided synthesis: allow requests outside what the run has seen.
    """
    from vesalius.cli.inpainting import balance_findings
    from vesalius.methods import method_of

    method = method_of(run).name
    if method == "inpainting":
        if attribute:
            fault = "is for runs of guided synthesis; this one sets findings"
            raise Refused("--attribute", fault, "leave it out")
        balance_findings(
            folder, run, out, count, seed, 1.0 if tolerance is None else tolerance, tries
        )
    else:
        if not attribute:
            remedy = "add --attribute ventricle_volume_ml=20:160"
            raise Refused("--attribute", "is missing", remedy)
        balance_attribute(
            folder,
            run,
            out,
            attribute,
            count,
            seed,
            0.1 if tolerance is None else tolerance,
            tries,
            extrapolate,
        )
