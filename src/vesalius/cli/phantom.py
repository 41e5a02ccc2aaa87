"""`vesalius phantom`: cases by construction, whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from vesalius.cli.telling import bars, console, parse_range

app = App(name="phantom", help="Make cohorts of phantoms, whose truth is known exactly.")


@app.command
def brain(
    out: Path,
    *,
    count: Annotated[int, Parameter(name=["-n", "--count"])] = 100,
    seed: int = 0,
    spacing: float = 3.0,
    ventricle_volume_ml: str | None = None,
    workers: int = 2,
) -> None:
    """Make phantom brains around the MNI152 template: T1 images and five labels.

    Parameters
    ----------
    out: Path
        Folder of the cohort. An unfinished one is completed.
    count: int
        How many cases.
    seed: int
        The same seed gives the same bytes.
    spacing: float
        Edge length of a voxel in mm.
    ventricle_volume_ml: str
        Range such as 20:200 to draw from evenly; without it, skewed as patients are.
    workers: int
        Processes that share the work.
    """
    from vesalius.phantoms.cohort import write_brains

    volume = parse_range(ventricle_volume_ml, "volume") if ventricle_volume_ml else None
    with bars() as progress:
        cohort = write_brains(
            out, count, seed, spacing, volume, workers=workers, progress=progress
        )  # fmt: skip
    values = cohort.values("ventricle_volume_ml")
    console.print(
        f"{out}: {len(cohort.cases)} phantoms, "
        f"ventricles {values.min():.0f} to {values.max():.0f} mL"
    )
