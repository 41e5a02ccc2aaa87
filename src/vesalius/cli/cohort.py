"""`vesalius cohort`: what have I got, and is it sound?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from vesalius.api.console import console
from vesalius.cli.computing import SHARING, with_computing
from vesalius.cli.options import Seed, Share
from vesalius.cli.terminal import print_faults, print_histogram

app = App(name="cohort", help="Look at a cohort, measure it, split it.")


def check(
    data: Path,
    *,
    attribute: Annotated[list[str] | None, Parameter(negative="")] = None,
) -> None:
    """Read every case and show counts, geometry, labels, attributes, what is rare, and all faults.

    Ends with code 1 if any case has a fault.

    Parameters
    ----------
    data: Path
        A cohort: a folder in nnU-Net v2 raw format.
    attribute: list[str]
        Attribute to measure besides those in cases.csv, such as tumour_volume_ml.
    """
    from vesalius.api.preparing import check as run_check

    result = run_check(data, attribute or ())
    cohort = result.cohort
    subjects = len({case.subject for case in result.sound})
    generated = sum(case.synthetic for case in result.sound)
    origin = f", {cohort.description.origin}" if cohort.description.origin else ""
    console.print(
        f"[bold]{data}[/]: {len(result.sound)} sound cases of {subjects} subjects"
        f"{f', {generated} of them synthetic' if generated else ''}{origin}"
    )
    for title, counts in (
        ("shape", result.shapes), ("spacing", result.spacings), ("axes", result.orientations),
    ):  # fmt: skip
        common = ", ".join(f"{key} ({count})" for key, count in counts.most_common(3))
        rest = f", {len(counts) - 3} others" if len(counts) > 3 else ""
        console.print(f"  {title:<11}{common}{rest}")
    console.print(
        f"  intensity  {result.intensity[0]:g} to {result.intensity[1]:g} in the median case"
    )
    splits = sorted({case.split or "none" for case in result.sound})
    console.print(
        "  split      "
        + ", ".join(f"{s} ({len(cohort.of_split('' if s == 'none' else s))})" for s in splits)
    )
    for column, texts in result.categories.items():
        common = ", ".join(f"{text} ({count})" for text, count in texts.most_common(5))
        rest = f", {len(texts) - 5} others" if len(texts) > 5 else ""
        console.print(f"  text       {column}: {common}{rest}")
    for label, count in result.label_cases.items():
        console.print(
            f"  label      {label}: in {count} cases, {result.label_ml[label]:.1f} mL median"
        )
    for histogram in result.histograms:
        print_histogram(histogram)
        for low, high in histogram.rare:
            console.print(f"  [red]rare[/]: {histogram.attribute} from {low:.1f} to {high:.1f}")
    console.print()
    print_faults(result.faults, "faults")
    if result.faults:
        raise SystemExit(1)
    console.print("no faults")


def measure(
    data: Path,
    *,
    attribute: Annotated[list[str], Parameter(negative="")],
) -> None:
    """Measure attributes on all label maps and write them to cases.csv.

    Parameters
    ----------
    data: Path
        A cohort: a folder in nnU-Net v2 raw format.
    attribute: list[str]
        A known attribute (ventricle_volume_ml), `<label>_volume_ml`, `<label>_height_mm`, or a
        declaration of your own, such as organ_volume_ml=liver+tumour.
    """
    from vesalius.api.preparing import measure as run_measure

    result = run_measure(data, attribute)
    for name, measured in result.values.items():
        ordered = sorted(measured.values())
        console.print(
            f"{name}: {len(ordered)} cases, {ordered[0]:.4g} to {ordered[-1]:.4g}, "
            f"median {ordered[len(ordered) // 2]:.4g}"
        )
    print_faults(result.faults)


for reading in (check, measure):
    app.command(with_computing(reading, SHARING))


@app.command
def split(
    data: Path, *, train: Share = 0.8, val: Share = 0.1, test: Share = 0.1, seed: Seed = 0
) -> None:
    """Split a cohort by subject, never by case, and write the split to cases.csv.

    Parameters
    ----------
    data: Path
        A cohort: a folder in nnU-Net v2 raw format.
    train, val, test: float
        Shares of the subjects, which add up to 1; 0 leaves a split out.
    seed: int
        Decides which subject goes where.
    """
    from vesalius.api.preparing import split as run_split

    for name, cases in run_split(data, train, val, test, seed=seed).items():
        console.print(f"{name}: {len(cases)} cases of {len({c.subject for c in cases})} subjects")
