"""`vesalius classify` and `vesalius explain`: what images show, and what the answer hangs on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from vesalius.cli.telling import bars, console, print_faults
from vesalius.scans.output import require_apart, require_own_file


def classify(run: Path, images: Path, *, out: Path) -> None:
    """Tell what images show: a CSV of calibrated probabilities, one row an image.

    Parameters
    ----------
    run: Path
        A run of vesalius fit classifier.
    images: Path
        A picture, a folder of them, or any layout that a classifier is fitted to.
    out: Path
        The CSV.
    """
    from vesalius.methods.classification.explanation import images_at
    from vesalius.methods.classification.pipeline import TrainedClassifier, write_probabilities

    require_apart(out, run, images)
    trained = TrainedClassifier.open(run)
    require_own_file(out, ",".join(["image", *trained.labels]) + "\n")
    with bars() as progress:
        found = images_at(images, trained, progress)
        write_probabilities(trained, found.images, found.names, out)
    print_faults(found.faults)
    console.print(f"{out}: probabilities of {', '.join(trained.labels)} in {len(found)} images")


def explain(
    run: Path,
    images: Path,
    *,
    out: Path,
    method: Literal[
        "gradient", "blurred_gradient", "smoothgrad", "integrated_gradients", "gradcam"
    ] = "gradient",
    path: Literal["adversarial", "clean"] = "adversarial",
) -> None:
    """Show what an answer hangs on: a map of each label laid over each image.

    Files are named by image, label and probability in per cent.

    Parameters
    ----------
    run: Path
        A run of vesalius fit classifier.
    images: Path
        A picture, a folder of them, or any layout that a classifier is fitted to.
    out: Path
        Folder of the overlays.
    method: str
        Way of making maps.
    path: str
        Of a dual classifier: maps of the adversarial path read better; the clean one answers.
    """
    from vesalius.methods.classification.explanation import explain as run_explain
    from vesalius.methods.classification.explanation import images_at, told_path
    from vesalius.methods.classification.pipeline import TrainedClassifier

    require_apart(out, run, images)
    trained = TrainedClassifier.open(run)
    with bars() as progress:
        given = images_at(images, trained, progress)
        written = run_explain(trained, given, out, method, path, progress, (run, images))
    print_faults(given.faults)
    console.print(f"{out}: {len(written)} overlays; {told_path(trained, path)}")
