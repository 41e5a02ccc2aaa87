"""`vesalius progress`: what a patient's picture will look like, and how fast disease goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vesalius.cli.options import Steps
from vesalius.cli.telling import bars, console, parse_numbers, print_faults
from vesalius.scans.output import digest_of, output_folder, require_apart


def progress(
    run: Path,
    images: Path,
    *,
    out: Path,
    years: str = "1,2,4,8",
    left: bool = False,
    neighbours: Steps | None = None,
) -> None:
    """Foresee pictures: one for each time with what changes, an animation, readings and risk.

    Parameters
    ----------
    run: Path
        A run of vesalius fit progression.
    images: Path
        One picture (PNG, JPEG, DICOM, flat NIfTI), or visits, of which each subject's first is
        taken.
    out: Path
        Folder of the files.
    years: str
        From the picture on.
    left: bool
        A single picture shows a left side.
    neighbours: int
        Patients whose course is followed; the run's own choice without it.
    """
    from vesalius.methods.progression.prognosis import Prognosis
    from vesalius.report.prognosis_files import write_prognoses
    from vesalius.scans.visit_layouts import pictures_at

    require_apart(out, run, images)
    prognosis = Prognosis.open(run)
    times = parse_numbers(years, "years")
    prognosis.foreseer.require_years(times)
    made = {
        "command": "progress",
        "run": prognosis.foreseer.run.name,
        "years": years,
        "images": digest_of(images),
        "left": left,
        "neighbours": neighbours,
    }
    with output_folder(out, made, (run, images)) as folder, bars() as told:
        given = pictures_at(images, prognosis.foreseer.seen.shape[0], left, told)
        found = prognosis.of(given.images, times, given.patients, neighbours, told)
        attributes = prognosis.foreseer.recipe.attributes
        write_prognoses(folder, given, found.futures, attributes, found.risk, found.grades)
    print_faults(given.faults)
    for row in range(min(5, len(given))):
        risk = ", ".join(f"{100 * one:.0f} %" for one in found.risk[row] if not np.isnan(one))
        console.print(f"{given.names[row]}: risk of fast progression {risk or 'not graded'}")
    console.print(f"{out}: {len(given)} prognoses for {', '.join(f'{y:g}' for y in times)} years")
