"""`vesalius cohort`: what have I got, and is it sound?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from vesalius.api.console import bars, console
from vesalius.cli.options import Seed, Share
from vesalius.cli.terminal import print_faults, print_histogram
from vesalius.scans.check import check_cohort
from vesalius.scans.cohort import Cohort, update_table
from vesalius.scans.description import declare
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.output import sole_writer
from vesalius.scans.progress import track
from vesalius.scans.split import split_by_subject

app = App(name="cohort", help="Look at a cohort, measure it, split it.")


@app.command
def check(
    folder: Path,
    *,
    attribute: Annotated[list[str] | None, Parameter(negative="")] = None,
) -> None:
    """Read every case and show counts, geometry, labels, attributes, what is rare, and all faults.

    Ends with code 1 if any case has a fault.

    Parameters
    ----------
    folder: Path
        A folder in nnU-Net v2 raw format.
    attribute: list[str]
        Attribute to measure besides those in cases.csv, such as tumour_volume_ml.
    """
    cohort = Cohort.open(folder)
    with bars() as progress:
        found = check_cohort(cohort, attribute or (), progress)
    subjects = len({case.subject for case in found.sound})
    made = sum(case.synthetic for case in found.sound)
    origin = f", {cohort.description.origin}" if cohort.description.origin else ""
    console.print(
        f"[bold]{folder}[/]: {len(found.sound)} sound cases of {subjects} subjects"
        f"{f', {made} of them synthetic' if made else ''}{origin}"
    )
    for title, counts in (
        ("shape", found.shapes), ("spacing", found.spacings), ("axes", found.orientations),
    ):  # fmt: skip
        common = ", ".join(f"{key} ({count})" for key, count in counts.most_common(3))
        rest = f", {len(counts) - 3} others" if len(counts) > 3 else ""
        console.print(f"  {title:<11}{common}{rest}")
    console.print(
        f"  intensity  {found.intensity[0]:g} to {found.intensity[1]:g} in the median case"
    )
    splits = sorted({case.split or "none" for case in found.sound})
    console.print(
        "  split      "
        + ", ".join(f"{s} ({len(cohort.of_split('' if s == 'none' else s))})" for s in splits)
    )
    for label, count in found.label_cases.items():
        console.print(
            f"  label      {label}: in {count} cases, {found.label_ml[label]:.1f} mL median"
        )
    for histogram in found.histograms:
        print_histogram(histogram)
        for low, high in histogram.rare:
            console.print(f"  [red]rare[/]: {histogram.attribute} from {low:.1f} to {high:.1f}")
    console.print()
    print_faults(found.faults, "faults")
    if found.faults:
        raise SystemExit(1)
    console.print("no faults")


@app.command
def measure(
    folder: Path,
    *,
    attribute: Annotated[list[str], Parameter(negative="")],
) -> None:
    """Measure attributes on all label maps and write them to cases.csv.

    Parameters
    ----------
    folder: Path
        A folder in nnU-Net v2 raw format.
    attribute: list[str]
        A known attribute (ventricle_volume_ml), `<label>_volume_ml`, `<label>_height_mm`, or a
        declaration of your own, such as organ_volume_ml=liver+tumour.
    """
    cohort = Cohort.open(folder)
    description = cohort.description
    wanted = [description.attribute(name) for name in attribute]
    values: dict[str, dict[str, float]] = {one.name: {} for one in wanted}
    faults: list[InputProblem] = list(cohort.faults)
    with bars() as progress:
        for case in track(cohort.cases, "measuring", len(cohort.cases), progress):
            try:
                label_map = cohort.read(case).label_map
            except InputError as refusal:
                faults.append(refusal.fault)
                continue
            for one in wanted:
                values[one.name][case.name] = one.of(label_map, description.labels)
    if not any(values.values()):
        raise InputError(folder, f"has no case to measure ({faults[0]})", "mend the cases")
    cells = {n: {case: f"{x:.6g}" for case, x in own.items()} for n, own in values.items()}
    with sole_writer(folder):
        update_table(cohort, cells)
        declare(folder, wanted)
    for name, measured in values.items():
        ordered = sorted(measured.values())
        console.print(
            f"{name}: {len(ordered)} cases, {ordered[0]:.4g} to {ordered[-1]:.4g}, "
            f"median {ordered[len(ordered) // 2]:.4g}"
        )
    print_faults(faults)


@app.command
def split(
    folder: Path, *, train: Share = 0.8, val: Share = 0.1, test: Share = 0.1, seed: Seed = 0
) -> None:
    """Split a cohort by subject, never by case, and write the split to cases.csv.

    Parameters
    ----------
    folder: Path
        A folder in nnU-Net v2 raw format.
    train, val, test: float
        Shares of the subjects, which add up to 1; 0 leaves a split out.
    seed: int
        Decides which subject goes where.
    """
    cohort = Cohort.open(folder)
    if cohort.faults:
        print_faults(cohort.faults)
        fault = f"has {len(cohort.faults)} faulty cases"
        raise InputError(folder, fault, "mend them, so that the table stays whole")
    shares = {name: x for name, x in (("train", train), ("val", val), ("test", test)) if x > 0}
    placed = split_by_subject(cohort.cases, shares, seed)
    with sole_writer(folder):
        update_table(cohort, {"split": {case.name: case.split for case in placed}})
    for name in shares:
        cases = [case for case in placed if case.split == name]
        console.print(f"{name}: {len(cases)} cases of {len({c.subject for c in cases})} subjects")
