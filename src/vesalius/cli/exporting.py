"""`vesalius export`: a cohort for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from vesalius.api.console import console
from vesalius.cli.options import Seed


def export(
    folder: Path,
    out: Path,
    *,
    form: Annotated[Literal["nnunet", "bids", "dicom"], Parameter(name=["--as"])],
    add: Annotated[list[Path] | None, Parameter(negative="")] = None,
    seed: Seed = 0,
) -> None:
    """Write a cohort in the form of another program, without a change to voxels or affines.

    vesalius export my-scans/ nnUNet_raw/Dataset101_Brain --as nnunet --add more/

    Parameters
    ----------
    folder: Path
        A cohort.
    out: Path
        New or empty folder.
    form: str
        nnunet with splits in which no synthetic case validates; a bids derivative; dicom series
        with segmentations, marked synthetic where they are.
    add: list[Path]
        Cohort of synthetic cases to export with it. May be repeated.
    seed: int
        Decides which subject validates in which fold of nnU-Net.
    """
    from vesalius.api.exporting import export as run_export

    for note in run_export(folder, out, form, add=add or (), seed=seed):
        console.print(f"  {note}", markup=False, soft_wrap=True)
    console.print(f"{out}: {form}")
