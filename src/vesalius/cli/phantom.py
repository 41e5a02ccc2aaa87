"""`vesalius phantom`: cases by construction, whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from vesalius.api.console import console
from vesalius.cli import options
from vesalius.cli.computing import with_computing
from vesalius.cli.options import Side
from vesalius.cli.terminal import parse_grid, parse_numbers, parse_range

app = App(name="phantom", help="Make cohorts of phantoms, whose truth is known exactly.")

Out = Annotated[Path, Parameter(help="Folder of the cohort. An unfinished one is completed.")]
Probability = Annotated[float, Parameter(help="Probability at each of the five levels.")]
Scanner = Annotated[
    Literal["source", "external"],
    Parameter(help="external is noisier, softer and, of radiographs, wider."),
]


@Parameter(name="*")
@dataclass(frozen=True)
class Cases:
    """What all phantoms take."""

    count: Annotated[
        options.Count, Parameter(help="How many cases; of knees, patients who come at every visit.")
    ] = 100
    seed: Annotated[options.Seed, Parameter(help="The same seed gives the same bytes.")] = 0


@app.command
@with_computing
def brain(
    out: Out, *, spacing: options.Millimetres = 3.0, ventricle_volume_ml: str | None = None,
    cases: Cases = Cases(),
) -> None:  # fmt: skip
    """Make phantom brains around the MNI152 template: T1 images and five labels.

    Parameters
    ----------
    spacing: float
        Edge length of a voxel in mm.
    ventricle_volume_ml: str
        Range such as 20:200 that is filled evenly; without it, skewed as patients are.
    """
    volume = parse_range(ventricle_volume_ml, "volume") if ventricle_volume_ml else None
    _make("brain", out, cases, ["ventricle_volume_ml"], spacing_mm=spacing, volume_ml=volume)


@app.command
@with_computing
def spine(
    out: Out, *, slice_mm: options.Millimetres = 4.0, pixel_mm: options.Millimetres = 1.0,
    herniation: Probability = 0.08, stenosis: Probability = 0.08, cases: Cases = Cases(),
) -> None:  # fmt: skip
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
    prevalence = {"herniation": herniation, "stenosis": stenosis}
    spacing = (slice_mm, pixel_mm, pixel_mm)
    _make("spine", out, cases, [], spacing_mm=spacing, prevalence=prevalence)


@app.command
@with_computing
def chest(out: Out, *, grid: str = "64x64x64", cases: Cases = Cases()) -> None:
    """Make phantom chests: CT in Hounsfield units, seven labels, nodules with volume and shape.

    Parameters
    ----------
    grid: str
        Voxels of a field of 360 × 290 × 288 mm.
    """
    _make("chest", out, cases, ["lung_volume_ml", "nodule_volume_ml"], shape=parse_grid(grid))


@app.command
@with_computing
def breast(out: Out, *, grid: str = "64x64x64", cases: Cases = Cases()) -> None:
    """Make phantom breasts: T1-weighted MRI without fat suppression, glandular tissue labelled.

    Parameters
    ----------
    grid: str
        Voxels of a field of 176 × 160 × 160 mm.
    """
    shown = ["breast_volume_ml", "fibroglandular_volume_ml"]
    _make("breast", out, cases, shown, shape=parse_grid(grid))


@app.command
@with_computing
def radiograph(
    out: Out, *, side: Side = 64, scanner: Scanner = "source", cases: Cases = Cases()
) -> None:
    """Make phantom radiographs of the chest: five findings, each with the mask of where it is.

    Parameters
    ----------
    side: int
        Pixels of the square picture of 320 mm.
    """
    _make("radiograph", out, cases, [], side=side, scanner=scanner)


@app.command
@with_computing
def spine_slice(
    out: Out, *, side: Side = 64, scanner: Scanner = "source", cases: Cases = Cases()
) -> None:
    """Make sagittal slices about a level of phantom spines: herniation or stenosis, with masks.

    Parameters
    ----------
    side: int
        Pixels of the square slice of 80 mm.
    """
    _make("spine_slice", out, cases, [], side=side, scanner=scanner)


@app.command
@with_computing
def nodule(
    out: Out, *, side: Side = 32, scanner: Scanner = "source", cases: Cases = Cases()
) -> None:
    """Make CT about phantom nodules: malignant or not by size and shape, with masks.

    Parameters
    ----------
    side: int
        Voxels of the cube of 40 mm.
    """
    _make("nodule", out, cases, [], side=side, scanner=scanner)


@app.command
@with_computing
def knee(out: Out, *, side: Side = 64, years: str = "0,2,4,6,8", cases: Cases = Cases()) -> None:
    """Make phantom radiographs of knees over years: osteoarthritis that goes fast or does not.

    Parameters
    ----------
    side: int
        Pixels of the square picture of 96 mm.
    years: str
        Of the visits.
    """
    shown = ["years", "kl_grade", "joint_space_mm_medial", "joint_space_mm_lateral"]
    _make("knee", out, cases, shown, side=side, years=parse_numbers(years, "years"))


def _make(kind: str, out: Path, cases: Cases, shown: list[str], **settings: Any) -> None:
    """Write phantoms, and print the ranges of some attributes, or how many have each finding."""
    from vesalius.api.phantoms import finding_counts, phantom

    cohort = phantom(kind, out, cases.count, seed=cases.seed, **settings)
    if not shown:
        reported = [f"{name} {count}" for name, count in finding_counts(cohort).items()]
    else:
        columns = {name: [case.attributes[name] for case in cohort.cases] for name in shown}
        reported = [f"{name} {min(own):.3g} to {max(own):.3g}" for name, own in columns.items()]
    console.print(f"{out}: {len(cohort.cases)} phantoms; {', '.join(reported)}")
