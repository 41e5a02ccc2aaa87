"""A prognosis from one picture: its futures, the grades on them, and the risk that follows.

Progression draws the futures, a robust classifier grades today's picture and theirs, and the risk
of a rise by more than one grade is calibrated on patients that were held out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, FiniteFloat
from scipy.special import expit, logit

from vesalius.methods.classification.grading import RISE, grade_probabilities, graded, rise_risk
from vesalius.methods.classification.method import Classification
from vesalius.methods.classification.pipeline import ClassificationPipeline
from vesalius.methods.classification.recipe import ClassificationRecipe
from vesalius.methods.classification.training import FEWEST
from vesalius.methods.progression.futures import Forecaster, Futures
from vesalius.methods.progression.recipe import ProgressionRecipe
from vesalius.scans.classified import TRAIN, VALIDATION
from vesalius.scans.progress import Progress, no_progress
from vesalius.scans.visit_layouts import GRADE
from vesalius.scans.visits import Visits, joined
from vesalius.training.calibration import platt
from vesalius.training.fit import Prepared, prepare
from vesalius.training.run import Run
from vesalius.training.visits_fingerprint import VisitsFingerprint

GRADES, RISK = "grades", "risk"
HIGHEST = 4
FEWEST_OUTCOMES = 20


def grades_known(visits: Visits) -> int:
    """The highest grade that enough visits have; 0 where grades cannot be learnt."""
    known = visits.attributes.get(GRADE)
    steps = [] if known is None else [int((known >= step).sum()) for step in range(1, HIGHEST + 1)]
    return sum(count >= FEWEST for count in steps)


def both_sides(training: Visits, held_out: Visits) -> Visits:
    """Visits of both sides, each marked with its split."""
    return joined(
        replace(training, splits=(TRAIN,) * len(training)),
        replace(held_out, splits=(VALIDATION,) * len(held_out)),
    )


def prepare_grader(
    known: Visits, highest: int, recipe: ClassificationRecipe,
    reconstructed: Callable[[Visits], Visits] | None = None,
) -> Prepared:  # fmt: skip
    """The fit of a classifier of grades, on visits as they are and as the generator shows them.

    A grade is then the same of a picture and of its projection, and a change of grades is one of
    the disease.

    Args:
        known: visits with grades.
        highest: grade that is learnt.
        recipe: of the classifier.
        reconstructed: gives visits as the generator reconstructs them; left out where `None`.

    Raises:
        InputError: where grades cannot be learnt.
    """
    every = known if reconstructed is None else joined(known, reconstructed(known))
    return prepare(Classification(), graded(every, GRADE, highest), recipe)


@dataclass(frozen=True, eq=False)
class PredictedFutures:
    """Futures of some pictures, and what they are graded.

    Attributes:
        grades_now: probabilities of each grade today `(N, G)`, of the picture as it is generated,
            for what a projection loses is no change; those of later times are the futures'.
        risk: that the grade rises by two or more, calibrated where enough outcomes were known,
            `(N, Y)`.
    """

    futures: Futures
    grades_now: np.ndarray
    risk: np.ndarray

    @property
    def grades(self) -> np.ndarray:
        """Expected grade today and at each time `(N, 1 + Y)`, NaN where nothing grades."""
        each = np.concatenate([self.grades_now[:, None], self.futures.grades], axis=1)
        if not each.shape[2]:
            return np.full(each.shape[:2], np.nan)
        expected: np.ndarray = each @ np.arange(each.shape[2])
        return expected


class _Calibrated(BaseModel):
    """What a run keeps of the calibration of its risk."""

    slope_and_offset: tuple[FiniteFloat, FiniteFloat]


class ProgressionPipeline:
    """A run with its classifier of grades, ready for pictures.

    Args:
        run: of progression.
    """

    def __init__(self, run: Run[VisitsFingerprint]) -> None:
        grades = run.folder / GRADES
        self.run, self.forecaster = run, Forecaster(run)
        self.grader = (
            ClassificationPipeline.open(grades) if (grades / "recipe.json").is_file() else None
        )
        self.pair = run.noted(RISK, _Calibrated).slope_and_offset if run.has_note(RISK) else None

    @classmethod
    def open(cls, folder: str | Path) -> ProgressionPipeline:
        """Open a run and load its networks."""
        return cls(Run.open(folder, ProgressionRecipe, VisitsFingerprint))

    def __call__(self, images: np.ndarray, years: Sequence[float]) -> PredictedFutures:
        """Predict later pictures, grades and risk of pictures `(N, C, S, S)` in [0, 1]."""
        return self.of(images, years)

    def of(
        self, images: np.ndarray, years: Sequence[float], owners: Sequence[str] = (),
        neighbours: int | None = None, progress: Progress = no_progress,
    ) -> PredictedFutures:  # fmt: skip
        """Predict what becomes of pictures `(N, C, S, S)` in [0, 1], see `Forecaster.futures`."""
        given = images.astype(np.float32)
        styles = self.forecaster.projected(given, progress).styles
        grade = self.graded if self.grader else None
        futures = self.forecaster.futures(given, styles, years, owners, neighbours, grade)
        if self.grader is None:
            none = np.full((len(given), len(years)), np.nan)
            return PredictedFutures(futures, none[:, :0], none)
        now = self.graded(futures.generated_now)
        raw = np.stack([rise_risk(now, one, RISE) for one in futures.grades.swapaxes(0, 1)], axis=1)
        return PredictedFutures(futures, now, self.calibrated(raw))

    def graded(self, images: np.ndarray) -> np.ndarray:
        """Probabilities of each grade `(N, G)`."""
        assert self.grader is not None
        return grade_probabilities(self.grader.probabilities(images))

    def calibrated(self, risk: np.ndarray) -> np.ndarray:
        """Risks after the two numbers that were fitted on held-out patients, if there are any."""
        if self.pair is None:
            return risk
        result: np.ndarray = expit(self.pair[0] * _odds(risk) + self.pair[1])
        return result


def calibrate_risk(prognosis: ProgressionPipeline, held_out: Visits, progress: Progress) -> None:
    """Fit two numbers on held-out patients whose grades are known at both ends."""
    rows = [(own[0], own[-1]) for own in held_out.followed()]
    grades = held_out.attributes[GRADE]
    rows = [(a, b) for a, b in rows if not np.isnan(grades[[a, b]]).any()]
    rose = np.array([grades[b] - grades[a] >= RISE for a, b in rows])
    if len(rows) < FEWEST_OUTCOMES or rose.all() or not rose.any():
        return
    first = held_out.taken([a for a, _ in rows])
    ahead = np.array([held_out.years[b] - held_out.years[a] for a, b in rows])
    result = prognosis.of(first.images, sorted(set(ahead.tolist())), progress=progress)
    column = np.searchsorted(result.futures.years, ahead)
    raw = result.risk[np.arange(len(rows)), column]
    pair = platt(_odds(raw), rose.astype(np.float32))
    prognosis.forecaster.run.note(
        RISK, {"held_out_patients": len(rows), "rose": int(rose.sum()), "slope_and_offset": pair}
    )


def _odds(risk: np.ndarray) -> np.ndarray:
    result: np.ndarray = logit(np.clip(risk, 1e-4, 1 - 1e-4))
    return result
