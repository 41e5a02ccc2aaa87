"""`vesalius pretrain` and `vesalius segment`: volumes teach a segmenter, which labels scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from vesalius.cli.options import Seed
from vesalius.cli.telling import bars, console, print_faults, told_plan, told_run
from vesalius.scans.cohort import Cohort
from vesalius.scans.fault import Fault
from vesalius.scans.output import require_apart


def pretrain(
    folder: Path,
    *,
    out: Path,
    preset: Literal["smallest", "demo", "workstation"] = "demo",
    seed: Seed = 0,
    plan_only: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Pre-train a segmenter on volumes without labels, real or synthetic.

    It learns to fill in what was cut out, to tell how a volume was turned, and to tell one volume
    from others. Begin from it with vesalius fit segmenter --pretrained.

    Parameters
    ----------
    folder: Path
        A cohort; its labelsTr may be missing.
    out: Path
        Folder of the run.
    preset: str
        Sizes and steps: demo for CPU minutes, workstation for Swin UNETR on one GPU.
    seed: int
        Of the fit.
    plan_only: bool
        Show what the fit needs and stop.
    """
    from vesalius.tasks.pretrained_run import fit_pretraining, prepare_pretraining
    from vesalius.tasks.pretraining import PRESETS
    from vesalius.training.run import require_place

    recipe = PRESETS[preset].changed(seed=seed)
    require_place(out, folder)
    cohort = Cohort.open(folder, labelled=False)
    faults: list[Fault] = list(cohort.faults)
    with bars() as progress:
        ready = prepare_pretraining(cohort, recipe, progress, faults)
        if told_plan(ready.plan, faults, plan_only):
            return
        run = fit_pretraining(ready, out, progress)
    told_run(run)


def segment(run: Path, scans: Path, *, out: Path) -> None:
    """Label scans with a segmenter: label maps in their own geometry, and a table of volumes in mL.

    Parameters
    ----------
    run: Path
        A run of vesalius fit segmenter.
    scans: Path
        A NIfTI file, a folder of them, or a cohort.
    out: Path
        Folder of the label maps and of volumes.csv.
    """
    from vesalius.tasks.segmenter_run import TrainedSegmenter, scans_at, segment_scans

    require_apart(out, run, scans)
    trained = TrainedSegmenter.open(run)
    given, faults = scans_at(scans)
    with bars() as progress:
        made = segment_scans(trained, given, out, progress, (run, scans))
    print_faults((*faults, *made.faults))
    console.print(f"{out}: {made.count} label maps; volumes in {made.table}")
