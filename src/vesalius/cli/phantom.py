"""`vesalius phantom`: cases by construction, whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from vesalius.api.console import bars, console
from vesalius.cli import options
from vesalius.cli.options import Side
from vesalius.cli.terminal import parse_grid, parse_numbers, parse_range
from vesalius.scans.cohort import Cohort

app = App(name="phantom", help="Make cohorts of phantoms, whose truth is known exactly.")

Out = Annotated[Path, Parameter(help="Folder of the cohort. An unfinished one is completed.")]
Count = Annotated[options.Count, Parameter(help="How many cases.")]
Seed = Annotated[options.Seed, Parameter(help="The same seed gives the same bytes.")]
Workers = Annotated[options.Workers, Parameter(help="Processes that share the work.")]
Probability = Annotated[float, Parameter(help="Probability at each of the five levels.")]
Scanner = Annotated[
    Literal["home", "other"], Parameter(help="other is noisier, softer and, of radiographs, wider.")
]


@app.command
def brain(
    out: Out,
    *,
    count: Count = 100,
    seed: Seed = 0,
    spacing: options.Millimetres = 3.0,
    ventricle_volume_ml: str | None = None,
    workers: Workers = 2,
) -> None:
    """Make phantom brains around the MNI152 template: T1 images and five labels.

    Parameters
    ----------
    spacing: float
        Edge length of a voxel in mm.
    ventricle_volume_ml: str
        Range such as 20:200 to draw from evenly; without it, skewed as patients are.
    """
    from vesalius.phantoms.cohorts.organs import write_brains

    volume = parse_range(ventricle_volume_ml, "volume") if ventricle_volume_ml else None
    with bars() as progress:
        cohort = write_brains(
            out, count, seed, spacing, volume, workers=workers, progress=progress
        )  # fmt: skip
    _report(cohort, "ventricle_volume_ml")


@app.command
def spine(
    out: Out,
    *,
    count: Count = 100,
    seed: Seed = 0,
    slice_mm: options.Millimetres = 4.0,
    pixel_mm: options.Millimetres = 1.0,
    herniation: Probability = 0.08,
    stenosis: Probability = 0.08,
    workers: Workers = 2,
) -> None:
    """Make phantom lumbar spines: sagittal T2 images, fifteen labels, landmarks of findings.

    Cohorts of one seed hold the same patients: --herniation 0 --stenosis 0 gives the healthy
    counterfactual of each.

    Parameters
    ----------
    slice_mm: float
        Distance of the sagittal slices.
    pixel_mm: float
        Size of a pixel in the slice.
    """
    from vesalius.phantoms.cohorts.organs import write_spines
    from vesalius.scans.landmarks import read_landmarks

    prevalence = {"herniation": herniation, "stenosis": stenosis}
    spacing = (slice_mm, pixel_mm, pixel_mm)
    with bars() as progress:
        cohort = write_spines(
            out, count, seed, spacing, prevalence, workers=workers, progress=progress
        )  # fmt: skip
    marked: list[str] = []
    if (out / "landmarks.csv").exists():
        found, _ = read_landmarks(out, {case.name: case for case in cohort.cases})
        marked = [mark.pathology for marks in found.values() for mark in marks]
    reported = ", ".join(f"{marked.count(name)} of {name}" for name in prevalence)
    console.print(f"{out}: {len(cohort.cases)} phantoms; findings: {reported}")


@app.command
def chest(
    out: Out,
    *,
    count: Count = 100,
    seed: Seed = 0,
    grid: str = "64x64x64",
    workers: Workers = 2,
) -> None:
    """Make phantom chests: CT in Hounsfield units, seven labels, nodules with volume and shape.

    Parameters
    ----------
    grid: str
        Voxels of a field of 360 × 290 × 288 mm.
    """
    from vesalius.phantoms.cohorts.organs import write_gridded

    with bars() as progress:
        cohort = write_gridded(
            "chest", out, count, seed, parse_grid(grid), workers=workers, progress=progress
        )
    _report(cohort, "lung_volume_ml", "nodule_volume_ml")


@app.command
def breast(
    out: Out,
    *,
    count: Count = 100,
    seed: Seed = 0,
    grid: str = "64x64x64",
    workers: Workers = 2,
) -> None:
    """Make phantom breasts: T1-weighted MRI without fat suppression, glandular tissue labelled.

    Parameters
    ----------
    grid: str
        Voxels of a field of 176 × 160 × 160 mm.
    """
    from vesalius.phantoms.cohorts.organs import write_gridded

    with bars() as progress:
        cohort = write_gridded(
            "breast", out, count, seed, parse_grid(grid), workers=workers, progress=progress
        )
    _report(cohort, "breast_volume_ml", "fibroglandular_volume_ml")


@app.command
def radiograph(
    out: Out,
    *,
    count: Count = 100,
    seed: Seed = 0,
    side: Side = 64,
    scanner: Scanner = "home",
    workers: Workers = 2,
) -> None:
    """Make phantom radiographs of the chest: five findings, each with the mask of where it is.

    Parameters
    ----------
    side: int
        Pixels of the square picture of 320 mm.
    """
    _findings("radiograph", out, count, seed, side, scanner, workers)


@app.command
def spine_slice(
    out: Out,
    *,
    count: Count = 100,
    seed: Seed = 0,
    side: Side = 64,
    scanner: Scanner = "home",
    workers: Workers = 2,
) -> None:
    """Make sagittal slices about a level of phantom spines: herniation or stenosis, with masks.

    Parameters
    ----------
    side: int
        Pixels of the square slice of 80 mm.
    """
    _findings("spine_slice", out, count, seed, side, scanner, workers)


@app.command
def nodule(
    out: Out,
    *,
    count: Count = 100,
    seed: Seed = 0,
    side: Side = 32,
    scanner: Scanner = "home",
    workers: Workers = 2,
) -> None:
    """Make CT about phantom nodules: malignant or not by size and shape, with masks.

    Parameters
    ----------
    side: int
        Voxels of the cube of 40 mm.
    """
    _findings("nodule", out, count, seed, side, scanner, workers)


@app.command
def knee(
    out: Out,
    *,
    count: Count = 100,
    seed: Seed = 0,
    side: Side = 64,
    years: str = "0,2,4,6,8",
    workers: Workers = 2,
) -> None:
    """Make phantom radiographs of knees over years: osteoarthritis that goes fast or does not.

    Parameters
    ----------
    count: int
        How many patients; each of them comes at every visit.
    side: int
        Pixels of the square picture of 96 mm.
    years: str
        Of the visits.
    """
    from vesalius.phantoms.cohorts.visits import write_knees

    visits = parse_numbers(years, "years")
    with bars() as progress:
        cohort = write_knees(out, count, seed, side, visits, workers=workers, progress=progress)
    _report(cohort, "years", "kl_grade", "joint_space_mm_medial", "joint_space_mm_lateral")


def _findings(
    kind: Literal["radiograph", "spine_slice", "nodule"], out: Path, count: int, seed: int,
    side: int, scanner: Literal["home", "other"], workers: int,
) -> None:  # fmt: skip
    """Write phantoms to be classified, and tell how many have each finding."""
    from vesalius.phantoms.cohorts.findings import write_findings

    with bars() as progress:
        cohort = write_findings(
            kind, out, count, seed, side, scanner, workers=workers, progress=progress
        )
    counts = {
        name: sum(case.attributes[name] for case in cohort.cases)
        for name in cohort.cases[0].attributes
    }
    reported = ", ".join(f"{name} {count:.0f}" for name, count in counts.items())
    console.print(f"{out}: {len(cohort.cases)} phantoms; {reported}")


def _report(cohort: Cohort, *attributes: str) -> None:
    """How many cases there are, and the range of some of their attributes."""
    ranges = []
    for name in attributes:
        values = [case.attributes[name] for case in cohort.cases]
        ranges.append(f"{name} {min(values):.3g} to {max(values):.3g}")
    console.print(f"{cohort.folder}: {len(cohort.cases)} phantoms; {', '.join(ranges)}")
