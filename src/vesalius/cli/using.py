"""`vesalius segment`, `classify`, `explain` and `forecast`: use what was fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from vesalius.api.console import console
from vesalius.cli.options import Steps
from vesalius.cli.terminal import parse_numbers, print_faults


def segment(run: Path, data: Path, *, out: Path) -> None:
    """Label scans with a segmenter: label maps in their own geometry, and a table of volumes in mL.

    Parameters
    ----------
    run: Path
        A run of vesalius fit segmenter.
    data: Path
        A NIfTI file, a folder of them, or a cohort.
    out: Path
        Folder of the label maps and of volumes.csv.
    """
    from vesalius.api.using import segment as run_segment

    segmented = run_segment(run, data, out=out)
    print_faults(segmented.faults)
    console.print(f"{out}: {segmented.count} label maps; volumes in {segmented.table}")


def classify(run: Path, data: Path, *, out: Path) -> None:
    """Report what images show: a CSV of calibrated probabilities, one row an image.

    Parameters
    ----------
    run: Path
        A run of vesalius fit classifier.
    data: Path
        A picture, a folder of them, or any layout that a classifier is fitted to.
    out: Path
        The CSV.
    """
    from vesalius.api.using import classify as run_classify

    result = run_classify(run, data, out=out)
    print_faults(result.faults)
    console.print(f"{out}: probabilities of {', '.join(result.labels)} in {len(result)} images")


def explain(
    run: Path,
    data: Path,
    *,
    out: Path,
    method: Literal[
        "gradient", "blurred_gradient", "smoothgrad", "integrated_gradients", "gradcam"
    ] = "gradient",
    path: Literal["adversarial", "clean"] = "adversarial",
) -> None:
    """Show which part of an image an answer depends on: a map of each label over each image.

    Files are named by image, label and probability in per cent.

    Parameters
    ----------
    run: Path
        A run of vesalius fit classifier.
    data: Path
        A picture, a folder of them, or any layout that a classifier is fitted to.
    out: Path
        Folder of the overlays.
    method: str
        Way of making maps.
    path: str
        Of a dual classifier: maps of the adversarial path read better; the clean one answers.
    """
    from vesalius.api.using import explain as run_explain

    result = run_explain(run, data, out=out, method=method, path=path)
    print_faults(result.images.faults)
    console.print(f"{out}: {len(result.files)} overlays; {result.caption}")


def forecast(
    run: Path,
    data: Path,
    *,
    out: Path,
    years: str = "1,2,4,8",
    left: bool = False,
    neighbours: Steps | None = None,
) -> None:
    """Predict later pictures: one for each time with what changes, an animation, readings, risk.

    Parameters
    ----------
    run: Path
        A run of vesalius fit progression.
    data: Path
        One picture (PNG, JPEG, DICOM, flat NIfTI), or visits, of which each subject's first is
        taken.
    out: Path
        Folder of the files.
    years: str
        From the picture on.
    left: bool
        A single picture shows a left side.
    neighbours: int
        Patients whose trajectory is followed; the run's own choice without it.
    """
    from vesalius.api.using import forecast as run_forecast

    times = parse_numbers(years, "years")
    result = run_forecast(run, data, out=out, years=times, left=left, neighbours=neighbours)
    print_faults(result.visits.faults)
    for name, own in list(result.risks.items())[:5]:
        shown = ", ".join(f"{100 * one:.0f} %" for one in own) or "not graded"
        console.print(f"{name}: risk of fast progression {shown}")
    shown = ", ".join(f"{ahead:g}" for ahead in times)
    console.print(f"{out}: {len(result.visits)} forecasts for {shown} years")
