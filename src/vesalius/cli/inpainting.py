"""`vesalius inpaint`, and balancing findings: set pathology into healthy scans."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vesalius.cli.options import Count, Guidance, Millimetres, Seed, Tolerance, Tries
from vesalius.cli.telling import bars, console, print_faults
from vesalius.scans.case import Case, LabelledScan, read_case
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.description import Description
from vesalius.scans.fault import Fault, Refused
from vesalius.scans.landmarks import Landmark, read_landmarks

if TYPE_CHECKING:
    from vesalius.methods.inpainting.closed_loop import Edited


def inpaint(
    run: Path,
    scan: Path,
    *,
    out: Path,
    pathology: str,
    level: str,
    severity: float | None = None,
    size_mm: Millimetres | None = None,
    at: str | None = None,
    labels: Path | None = None,
    count: Count = 4,
    seed: Seed = 0,
    tolerance: Tolerance = 1.0,
    tries: Tries = 10,
    guidance: Guidance | None = None,
    method: str = "voxelwise_trained",
) -> None:
    """Set a finding into a healthy scan: same patient, image and label edited, the rest untouched.

    Writes a cohort of the edited scans and before_after.png.

    Parameters
    ----------
    run: Path
        Folder of a finished fit of pathology inpainting.
    scan: Path
        A sagittal scan as NIfTI.
    out: Path
        Folder of the edited scans. An unfinished one is completed.
    pathology: str
        Such as herniation or stenosis.
    level: str
        Such as L4-L5.
    severity: float
        0 for the mildest that the run has seen to 1 for the worst; 0.5 without it.
    size_mm: float
        Instead of a severity: depth of the herniation, or diameter left of the canal.
    at: str
        Point of the finding as x,y,z in the scan's RAS millimetres; the usual place without it.
    labels: Path
        Its label map; the file of the same name in labelsTr beside imagesTr without it.
    count: int
        How many different edits.
    seed: int
        The same seed gives the same edits.
    tolerance: float
        Largest error of the measured size in mm; what misses it is drawn again.
    tries: int
        Draws for one edit before it is given up and listed.
    guidance: float
        Scale of classifier-free guidance; the run's own without it.
    method: str
        How it is drawn; the others need a run fitted with --networks ordinary or concat.
    """
    from vesalius.methods.inpainting.closed_loop import Order, write_inpainted
    from vesalius.methods.inpainting.inpainter import FindingRequest, Inpainter
    from vesalius.methods.inpainting.methods import METHODS
    from vesalius.methods.inpainting.recipe import InpaintingRecipe
    from vesalius.report.pictures import before_and_after, to_png
    from vesalius.training.run import Run

    if severity is not None and size_mm is not None:
        raise Refused("--size-mm", "and --severity were both given", "give one of them")
    if not tolerance > 0:
        raise Refused("--tolerance", f"{tolerance:g} mm is none", "give some millimetres")
    if severity is not None and not 0 <= severity <= 1:
        raise Refused("--severity", f"{severity:g} is out of range", "give 0 to 1")
    if method not in METHODS:
        raise Refused("--method", f"'{method}' is none", f"choose of {', '.join(METHODS)}")
    if count < 1:
        raise Refused("n", f"{count} edits are none", "ask for at least 1")
    CohortWriter.require_place(out, "synthetic", run, scan, labels, _cohort_of(scan))
    point = _point(at)
    inpainter = Inpainter(Run.open(run, InpaintingRecipe), method, guidance=guidance)
    channels = inpainter.fingerprint.channels
    parent, healthy, known = _read(scan, labels, channels, inpainter.labels)
    seen = inpainter.seen.pathology(pathology)
    size = seen.size_at(0.5 if severity is None else severity) if size_mm is None else size_mm
    request = FindingRequest(pathology, level, size, point)
    inpainter.require_possible(healthy, request, str(scan))
    seeds = np.random.SeedSequence([seed, 3]).generate_state(count, dtype=np.uint32)
    orders = [
        Order(f"{parent.name}_{pathology}_{level}_{index:02d}", parent, request, int(own), known)
        for index, own in enumerate(seeds)
    ]
    with bars() as progress:
        made = write_inpainted(
            inpainter, {parent.name: healthy}, orders, out, inpainter.attribute_names,
            tolerance, tries, progress, [scan, *([labels] if labels else [])],
        )  # fmt: skip
    _tell(made, out, tolerance)
    voxel = inpainter.landmark(healthy, request)
    names = [order.name for order in orders][:6]
    row = [("before", healthy)] + [
        (f"after, {inpainter.measured(edited, pathology, level):.1f} mm", edited)
        for edited in (made.cohort.read(case) for case in made.cohort.cases if case.name in names)
    ]
    focus = [inpainter.labels[n] for n in ("herniation", "canal", f"disc_{level}")
             if n in inpainter.labels]  # fmt: skip
    picture = before_and_after([row], focus, [round(float(voxel[0]))])
    to_png(picture, out / "before_after.png")
    console.print(f"picture: {out / 'before_after.png'}")


def balance_findings(
    folder: Path, run: Path, out: Path, count: int | None, seed: int, tolerance: float, tries: int
) -> None:
    """Fill up pathology × level cells of a cohort from its healthy levels."""
    from vesalius.methods.inpainting.balancing import balancing_orders
    from vesalius.methods.inpainting.closed_loop import write_inpainted
    from vesalius.methods.inpainting.inpainter import Inpainter
    from vesalius.methods.inpainting.recipe import InpaintingRecipe
    from vesalius.training.run import Run

    CohortWriter.require_place(out, "synthetic", run, folder)
    cohort = Cohort.open(folder)
    marks, faults = read_landmarks(folder, {case.name: case for case in cohort.cases})
    print_faults((*cohort.faults, *faults))
    inpainter = Inpainter(Run.open(run, InpaintingRecipe))
    _require_same(cohort, inpainter.fingerprint.channels, inpainter.labels)
    unfit: list[Fault] = []
    with bars() as progress:
        orders = balancing_orders(cohort, marks, inpainter, count, seed, progress, unfit)
        print_faults(unfit, "cases cannot be donors")
        if not orders:
            raise Refused(folder, "lacks nothing, or has no healthy level", "ask for more with -n")
        made = write_inpainted(
            inpainter, cohort, orders, out, inpainter.attribute_names, tolerance, tries, progress
        )  # fmt: skip
    _tell(made, out, tolerance)


def _tell(made: Edited, out: Path, tolerance: float) -> None:
    print_faults(made.faults, "requests were not met")
    pairs = [(a.request.size_mm, a.measured_mm) for a in made.attempts if a.accepted]
    if pairs:
        error = float(np.mean([abs(asked - got) for asked, got in pairs]))
        share = len(pairs) / len(made.attempts)
        console.print(
            f"size asked and measured differ by {error:.2f} mm on average (n = {len(pairs)}); "
            f"{share:.0%} of {len(made.attempts)} draws were within {tolerance:g} mm"
        )
    console.print(f"{out}: {len(made.cohort.cases)} edited scans, marked synthetic")


def _point(at: str | None) -> tuple[float, float, float] | None:
    if at is None:
        return None
    try:
        x, y, z = (float(part) for part in at.split(","))
    except ValueError:
        x = y = z = math.nan
    if not all(map(math.isfinite, (x, y, z))):
        raise Refused("--at", f"'{at}' is no point", "write it as x,y,z in mm")
    return x, y, z


def _read(
    scan: Path, labels: Path | None, channels: tuple[str, ...], numbers: dict[str, int]
) -> tuple[Case, LabelledScan, tuple[Landmark, ...]]:
    """The scan, its label map and its known landmarks, held against what the run was fitted on.

    A scan that lies in a cohort keeps the subject and the split that it has there.
    """
    scan = scan.resolve()
    if not scan.is_file():
        raise Refused(scan, "does not exist", "check the path")
    ending = ".nii.gz" if scan.name.endswith(".nii.gz") else ".nii"
    stem = scan.name.removesuffix(ending)
    if len(channels) > 1 and not stem.endswith("_0000"):
        raise Refused(scan, f"is one of {len(channels)} channels", "point at <case>_0000.nii.gz")
    name, folder = stem.removesuffix("_0000"), scan.parent.parent
    if labels is None and (folder / "dataset.json").is_file():
        cohort = Cohort.open(folder)
        _require_same(cohort, channels, numbers)
        case = next((case for case in cohort.cases if case.name == name), None)
        if case is None:
            fault = next((f for f in cohort.faults if name in f.file), None)
            raise Refused(scan, str(fault or "is no case of its cohort"), "mend the cohort")
        marks: dict[str, list[Landmark]] = {}
        if (folder / "landmarks.csv").is_file():
            marks, _ = read_landmarks(folder, {case.name: None})
        return case, cohort.read(case), tuple(marks.get(name, ()))
    if labels is None:
        raise Refused(scan, "has no label map beside it", "add --labels, or segment it first")
    images = tuple(
        scan if index == 0 else scan.with_name(f"{name}_{index:04d}{ending}")
        for index in range(len(channels))
    )
    case = Case(name, images, labels, subject=name)
    return case, read_case(case, Description(channels, numbers)), ()


def _cohort_of(scan: Path) -> Path | None:
    """The cohort that a scan belongs to, if it does."""
    folder = scan.resolve().parent.parent
    return folder if (folder / "dataset.json").exists() else None


def _require_same(cohort: Cohort, channels: tuple[str, ...], numbers: dict[str, int]) -> None:
    where = cohort.folder / "dataset.json"
    if cohort.description.labels != numbers:
        raise Refused(where, "has other labels than the run", "fit a run on this cohort")
    if cohort.description.channels != channels:
        raise Refused(where, "has other channels than the run", "fit a run on this cohort")
