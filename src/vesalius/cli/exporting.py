"""`vesalius export`: a cohort for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from vesalius.api.console import console
from vesalius.cli.options import Seed


def export(
    data: Path,
    out: Path,
    *,
    form: Annotated[
        Literal["nnunet", "bids", "dicom", "monai", "huggingface"], Parameter(name=["--as"])
    ],
    add: Annotated[list[Path] | None, Parameter(negative="")] = None,
    seed: Seed = 0,
    license_id: Annotated[str, Parameter(name=["--license"])] = "other",
    audit: Path | None = None,
) -> None:
    """Write a cohort, or a run, in the form of another program; voxels and affines stay.

    Parameters
    ----------
    data: Path
        A cohort; for huggingface also a finished run, for monai a run alone.
    out: Path
        New or empty folder.
    form: str
        nnunet with splits in which no synthetic case validates; a bids derivative; dicom series
        with segmentations, marked synthetic where they are; a run as monai bundle; a huggingface
        folder with its card.
    add: list[Path]
        Cohort of synthetic cases to export with it. May be repeated.
    seed: int
        Decides which subject validates in which fold of nnU-Net.
    license_id: str
        Of what is exported, such as apache-2.0; huggingface and monai alone.
    audit: Path
        Folder of vesalius audit of the cohort, for its card; huggingface alone.
    """
    from vesalius.api.exporting import export as run_export

    for note in run_export(
        data, out, form, add=add or (), seed=seed, license_id=license_id, audit=audit
    ):
        console.print(f"  {note}", markup=False, soft_wrap=True)
    console.print(f"{out}: {form}")
