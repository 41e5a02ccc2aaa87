"""`vesalius segment`: label scans with a fitted segmenter."""

from __future__ import annotations

from pathlib import Path

from vesalius.cli.telling import bars, console, print_faults
from vesalius.scans.output import require_apart


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
    from vesalius.methods.segmentation.labelling import scans_at, segment_scans
    from vesalius.methods.segmentation.pipeline import TrainedSegmenter

    require_apart(out, run, scans)
    trained = TrainedSegmenter.open(run)
    given, faults = scans_at(scans)
    with bars() as progress:
        made = segment_scans(trained, given, out, progress, (run, scans))
    print_faults((*faults, *made.faults))
    console.print(f"{out}: {made.count} label maps; volumes in {made.table}")
