"""Two cohorts side by side: how far their images are apart, and whether one copies the other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from vesalius.evidence.audit import compare
from vesalius.evidence.copies import SAMPLED, CopySearch, training_cases
from vesalius.evidence.figure import Figure
from vesalius.evidence.patches import reduced
from vesalius.evidence.realism import ImageSet, realism_figures
from vesalius.evidence.two_sample import FEWEST
from vesalius.networks.picture_features import lite0_features
from vesalius.scans.cohort import Cohort
from vesalius.scans.grid import Grid, whole_grid
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, track
from vesalius.scans.reading import Scans
from vesalius.workbench.background import Background

MOST = 64
"""Cases of the second cohort that are compared, and twice as many of the first."""

SHOWN = (
    "frechet_ratio", "two_sample_auc", "two_sample_auc_of_features", "power_ratio", "density",
    "coverage",
)  # fmt: skip
REAL = "_real_to_real"


class Comparing:
    """Compares pairs of cohorts, each once.

    Args:
        cohorts: that were opened.
    """

    def __init__(self, cohorts: Sequence[Cohort]) -> None:
        self._cohorts = cohorts
        self._pairs: dict[tuple[int, int], Background[dict[str, Any]]] = {}

    def of(self, first: int, second: int) -> dict[str, Any]:
        """What was found of two cohorts, or `waiting` with progress.

        Raises:
            InputError: for cohorts of too few cases, or other channels.
        """
        own, other = self._cohorts[first], self._cohorts[second]
        _require_alike(own, other)
        work = partial(compared, own, other)
        pair = self._pairs.setdefault((first, second), Background(work))
        found = pair.result()
        return {"waiting": pair.progress} if found is None else found


def compared(first: Cohort, second: Cohort, progress: Progress) -> dict[str, Any]:
    """Figures of images of two cohorts, and the copies among synthetic cases of either.

    Half of the first cohort is the reference. Images are seen at most 64 voxels wide, their
    intensities between 1 and 99 %.

    Args:
        first: of which up to 128 cases are compared.
        second: up to 64.
        progress: called after each case and step.

    Returns:
        `rows` of name, figure, and the figure of the other half of the first cohort; `copies`, the
        names of cases that the audit withholds with what they show, `None` where no synthetic cases
        meet training cases.
    """
    sample = Scans([(first, case) for case in first.cases[:SAMPLED]], labelled=False)
    grid = whole_grid(sample)
    count = min(MOST, len(first.cases) // 2, len(second.cases))
    own = _image_set(first, 2 * count, grid, progress)
    other = _image_set(second, count, grid, progress)
    figures = realism_figures(own, other, lite0_features().pooled, progress=progress)
    rows = [
        {"name": name, "found": _shown(figures[name]),
         "reference": _shown(figures.get(name + REAL))}
        for name in SHOWN if name in figures
    ]  # fmt: skip
    return {"rows": rows, "copies": _copies(first, second, progress)}


def _copies(first: Cohort, second: Cohort, progress: Progress) -> list[str] | None:
    """What the audit withholds of either cohort, held against training cases of the other."""
    for real, made in ((first, second), (second, first)):
        generated = [case for case in made.cases if case.synthetic]
        if generated and len(training_cases(real)) >= 2:
            cases = [*generated, *real.cases]
            labelled = all(case.label_map is not None for case in cases)
            search = CopySearch.of(real, labelled, progress)
            found = compare(search, [(made, case) for case in generated], progress)
            return [one.reason for one in found.withheld]
    return None


def _image_set(cohort: Cohort, count: int, grid: Grid, progress: Progress) -> ImageSet:
    """So many cases, spread evenly over a cohort."""
    rows = np.linspace(0, len(cohort.cases) - 1, count).round().astype(int)
    cases = [cohort.cases[row] for row in np.unique(rows)]
    images = [
        reduced(grid.place_whole(cohort.read_images(case)).channels[0].voxels)
        for case in track(cases, "reading cases", len(cases), progress)
    ]
    return ImageSet(np.stack(images), subjects=tuple(case.subject for case in cases))


def _shown(figure: Figure | None) -> dict[str, str] | None:
    return None if figure is None else {"value": str(figure), "size": figure.size}


def _require_alike(first: Cohort, second: Cohort) -> None:
    for cohort, least in ((first, 2 * FEWEST), (second, FEWEST)):
        if len(cohort.cases) < least:
            fault = f"has {len(cohort.cases)} cases, and {least} is the least to be compared"
            raise InputError(cohort.folder, fault, "open a larger cohort")
    if first.description.channels != second.description.channels:
        fault = f"shows {', '.join(second.description.channels)}, not "
        fault += ", ".join(first.description.channels)
        raise InputError(second.folder, fault, "compare cohorts of the same channels")
