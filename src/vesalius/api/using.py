"""Use what was fitted on scans and pictures: label, classify, explain, forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.api.console import bars
from vesalius.api.fitting import loaded, run_folder
from vesalius.methods import method_of
from vesalius.methods.classification.explanation import explain as write_overlays
from vesalius.methods.classification.explanation import images_at, path_caption
from vesalius.methods.classification.pipeline import write_probabilities
from vesalius.methods.classification.saliency import Method as SaliencyMethod
from vesalius.methods.progression.prognosis import PredictedFutures
from vesalius.methods.segmentation.labelling import Segmented, scans_at, segment_scans
from vesalius.networks.dual_norm import Path as NormPath
from vesalius.report.prognosis_files import write_prognoses
from vesalius.scans.classified import Classified
from vesalius.scans.input_error import InputError
from vesalius.scans.output import (
    digest_of,
    output_folder,
    require_apart,
    require_own_file,
)
from vesalius.scans.progress import Progress
from vesalius.scans.visit_layouts import pictures_at
from vesalius.scans.visits import Visits


def segment(
    model: Any, scans: str | Path, *, out: str | Path, progress: Progress | None = None
) -> Segmented:
    """Label scans: label maps in their own geometry, and `volumes.csv` in mL.

    Parameters
    ----------
    model
        pipeline or folder of a run of segmentation.
    scans
        a NIfTI file, a folder of them, or a cohort.
    out
        folder of the label maps. Those that are there are kept.
    progress
        called after each scan; bars if `None`.

    Returns
    -------
    The table, how many scans were labelled, and what is wrong with others.

    Raises
    ------
    InputError
        for a run of another method, or if no scan could be labelled.
    """
    pipeline = _of_method(model, "segmentation", out, scans)
    given, faults = scans_at(Path(scans))
    with bars(progress) as report:
        inputs = (pipeline.run.folder, Path(scans))
        segmented = segment_scans(pipeline, given, out, report, inputs)
    return Segmented(segmented.table, segmented.count, (*faults, *segmented.faults))


def classify(
    model: Any, images: str | Path, *, out: str | Path, progress: Progress | None = None
) -> Classified:
    """Calibrated probabilities of images, as a CSV with one row an image.

    Parameters
    ----------
    model
        pipeline or folder of a run of classification.
    images
        a picture, a folder of them, or any layout that a classifier is fitted to.
    out
        the CSV.
    progress
        called after each picture; bars if `None`.

    Returns
    -------
    The images that were read, and the faults of others.

    Raises
    ------
    InputError
        for a run of another method, or where there is no sound image.
    """
    pipeline = _of_method(model, "classification", out, images)
    require_own_file(out, ",".join(["image", *pipeline.labels]) + "\n")
    with bars(progress) as report:
        result = images_at(images, pipeline, report)
        write_probabilities(pipeline, result.images, result.names, Path(out))
    return result


@dataclass(frozen=True)
class Explained:
    """Overlays that were written, the images they were made of, and which path they show."""

    files: tuple[Path, ...]
    images: Classified
    caption: str


def explain(
    model: Any, images: str | Path, *, out: str | Path, method: SaliencyMethod = "gradient",
    path: NormPath = "adversarial", progress: Progress | None = None,
) -> Explained:  # fmt: skip
    """Show which part of an image an answer depends on: a map of each label over each image.

    Parameters
    ----------
    model
        pipeline or folder of a run of classification.
    images
        a picture, a folder of them, or any layout that a classifier is fitted to.
    out
        folder of the overlays, named by image, label and probability in per cent.
    method
        way of making maps.
    path
        of a classifier with dual batch normalisation: `adversarial` or `clean`.
    progress
        called after each label; bars if `None`.

    Raises
    ------
    InputError
        for a run of another method, or where there is no sound image.
    """
    pipeline = _of_method(model, "classification", out, images)
    with bars(progress) as report:
        given = images_at(images, pipeline, report)
        inputs = (pipeline.run.folder, Path(images))
        written = write_overlays(pipeline, given, out, method, path, report, inputs)
    return Explained(tuple(written), given, path_caption(pipeline, path))


@dataclass(frozen=True, eq=False)
class Forecast:
    """Predicted futures of pictures.

    Attributes
    ----------
    visits
        the pictures of today, and the faults of others.
    predicted
        what becomes of them, their grades and risks.
    years
        from the pictures on.
    """

    visits: Visits
    predicted: PredictedFutures
    years: tuple[float, ...]

    @property
    def risks(self) -> dict[str, list[float]]:
        """Risk of fast progression by picture, at each time for which one is known."""
        known = [row[~np.isnan(row)].tolist() for row in self.predicted.risk]
        return dict(zip(self.visits.names, known, strict=True))

    def _repr_html_(self) -> str:
        """A table for notebooks: risk by picture and time."""
        head = "".join(f"<th>{ahead:g} years</th>" for ahead in self.years)
        rows = "".join(
            f"<tr><td>{escape(name)}</td>" + "".join(f"<td>{one:.0%}</td>" for one in own) + "</tr>"
            for name, own in self.risks.items()
        )
        return f"<table><tr><th>risk of fast progression</th>{head}</tr>{rows}</table>"


def forecast(
    model: Any, images: str | Path, *, out: str | Path,
    years: Sequence[float] = (1.0, 2.0, 4.0, 8.0), left: bool = False,
    neighbours: int | None = None, progress: Progress | None = None,
) -> Forecast:  # fmt: skip
    """Predict later pictures of patients: one for each time, an animation, readings and risk.

    Parameters
    ----------
    model
        pipeline or folder of a run of progression.
    images
        one picture (PNG, JPEG, DICOM, flat NIfTI), or visits, of which each subject's
        first is taken.
    out
        folder of the files.
    years
        from the picture on.
    left
        a single picture shows a left side.
    neighbours
        patients whose trajectory is followed; the run's own choice if `None`.
    progress
        called after each step; bars if `None`.

    Raises
    ------
    InputError
        for a run of another method, or times that it has not followed anyone for.
    """
    pipeline = _of_method(model, "progression", out, images)
    times = tuple(float(one) for one in years)
    pipeline.forecaster.require_years(times)
    run = pipeline.run
    made = {
        "command": "forecast", "run": run.name, "years": ",".join(f"{one:g}" for one in times),
        "images": digest_of(images), "left": left, "neighbours": neighbours,
    }  # fmt: skip
    with output_folder(out, made, (run.folder, images)) as folder, bars(progress) as report:
        given = pictures_at(images, run.fingerprint.shape[0], left, report)
        result = pipeline.of(given.images, times, given.patients, neighbours, report)
        attributes = run.recipe.attributes
        write_prognoses(folder, given, result.futures, attributes, result.risk, result.grades)
    return Forecast(given, result, times)


def _of_method(model: Any, name: str, out: str | Path, given: str | Path) -> Any:
    """A pipeline of one method, and an output apart from its run and what it is used on."""
    folder = run_folder(model)
    require_apart(out, folder, given)
    result = method_of(folder).name
    if result != name:
        raise InputError(folder, f"is a run of {result}", f"point at a run of {name}")
    return loaded(model)
