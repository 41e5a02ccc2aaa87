"""Futures of patients: pictures after some years, and what is measured on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, Field

from vesalius.methods.progression.choosing import CHOICE
from vesalius.methods.progression.diffusion import (
    LaterDenoiser,
    PictureAutoencoder,
    decoded,
    encoded,
    later_pictures,
)
from vesalius.methods.progression.evaluator import read_attributes
from vesalius.methods.progression.forecasting import predict_changes
from vesalius.methods.progression.model import ProgressionModel
from vesalius.methods.progression.neighbours import (
    MetricName,
    metric_of,
    nearest,
    subsample,
)
from vesalius.methods.progression.outcomes import (
    Grading,
    PredictedOutcomes,
    exceeding,
    outcomes_of,
    typical,
)
from vesalius.methods.progression.own_picture import on_own_picture
from vesalius.methods.progression.picture_detail import with_detail
from vesalius.methods.progression.projection import (
    Projected,
    draw_styles,
    generated_on_disk,
    project,
)
from vesalius.methods.progression.projection_loss import ProjectionLoss
from vesalius.methods.progression.recipe import ProgressionRecipe
from vesalius.methods.progression.steering import Steering
from vesalius.methods.progression.trajectories import TRAJECTORIES, Baseline, Trajectories
from vesalius.networks.weights import read_tensors
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress
from vesalius.scans.visits import Visits
from vesalius.training.device import placed
from vesalius.training.run import Run
from vesalius.training.visits_fingerprint import VisitsFingerprint

FEWEST_FOR_INTERVAL = 3
INTERVAL = (2.5, 97.5)
FAST = 0.9
"""Share of neighbours who change less than the one who is shown as fast."""


@dataclass(frozen=True, eq=False)
class GeneratedTrajectory:
    """What N patients look like at Y times along one neighbour's trajectory each.

    Attributes:
        pictures: real ones of today, changed as the generated ones change, `(N, Y, C, S, S)`.
        readings: of them, in the attributes' units, `(N, Y, A)`.
    """

    pictures: np.ndarray
    readings: np.ndarray


@dataclass(frozen=True, eq=False)
class Futures:
    """What is predicted of N patients at Y times.

    Attributes:
        years: from the picture on, `(Y,)`.
        generated_now: the picture as the generator draws it, `(N, C, S, S)`.
        usual: along the most typical neighbour's trajectory.
        fast: along one that changes more than nine in ten of them.
        low, high: between which the readings of all neighbours lie, `(N, Y, A)`; NaN below three.
        grades: of each time, the mean over neighbours, `(N, Y, G)`; G is 0 where nothing grades.
    """

    years: np.ndarray
    generated_now: np.ndarray
    usual: GeneratedTrajectory
    fast: GeneratedTrajectory
    low: np.ndarray
    high: np.ndarray
    grades: np.ndarray


class _Chosen(BaseModel):
    """What a run keeps of the choice of neighbours."""

    metric: MetricName
    neighbours: int = Field(ge=1)


def _read_trajectories(path: Path) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Patients and what is known of each, or `InputError` where not all of it fits together."""
    remedy = "fit again in the same folder to finish the run"
    tensors, texts = read_tensors(path, remedy)
    patients = tuple(texts.get("patients", "").split("\n"))
    rows = (
        "styles",
        "predicted",
        "annual_change",
        "reading_annual_change",
        "years",
        "published_annual_change",
    )
    for name in (*rows, "seen", "attention"):
        if name not in tensors:
            raise InputError(path, f"holds no {name}", remedy)
        if name in rows and tensors[name].shape[:1] != (len(patients),):
            fault = f"holds {name} of shape {tuple(tensors[name].shape)}, {len(patients)} patients"
            raise InputError(path, fault, remedy)
    return patients, {name: tensor.numpy() for name, tensor in tensors.items()}


class Forecaster:
    """A run of progression, ready for pictures.

    Args:
        run: of progression.
    """

    def __init__(self, run: Run[VisitsFingerprint]) -> None:
        recipe = run.recipe
        assert isinstance(recipe, ProgressionRecipe)
        self.run, self.recipe, self.fingerprint = run, recipe, run.fingerprint
        self.model = ProgressionModel(recipe, run.fingerprint)
        for name, network in self.model.parts.items():
            run.load(name, network)
            placed(network)
        patients, arrays = _read_trajectories(run.folder / TRAJECTORIES)
        self.trajectories = Trajectories(
            patients,
            Baseline(arrays["styles"], arrays["predicted"]),
            arrays["annual_change"],
            arrays["reading_annual_change"],
            arrays["years"],
            arrays["seen"],
        )
        self.published_trajectories = replace(
            self.trajectories, annual_change=arrays["published_annual_change"]
        )
        attention = torch.from_numpy(arrays["attention"])
        self.projection_loss = placed(
            ProjectionLoss(self.model.evaluator, attention, recipe.inner, recipe.readings)
        )
        chosen = run.noted(CHOICE, _Chosen)
        self.metric_name: MetricName = chosen.metric
        self.neighbours: int = chosen.neighbours
        self.metric = metric_of(self.metric_name, self.trajectories)
        self.steering = Steering.of(self.trajectories, self.model.generator, self.model.evaluator)

    @classmethod
    def open(cls, folder: str | Path) -> Forecaster:
        """Open a run and load its networks."""
        return cls(Run.open(folder, ProgressionRecipe, VisitsFingerprint))

    def require_years(self, years: Sequence[float]) -> None:
        """Refuse times that no trajectory of the run reaches."""
        longest = self.fingerprint.longest_years
        if not years or not all(0 < ahead <= longest for ahead in years):
            shown = ", ".join(f"{ahead:g}" for ahead in years)
            fault = f"{shown} lie outside what the run has followed"
            raise InputError("years", fault, f"ask for above 0 to {longest:g}")

    def projected(self, images: np.ndarray, progress: Progress = no_progress) -> Projected:
        """Styles of pictures `(N, C, S, S)` in [0, 1].

        Raises:
            InputError: for pictures of another shape than the run has learnt from.
        """
        if images.shape[1:] != (self.fingerprint.channels, *self.fingerprint.shape):
            fault = f"are of shape {images.shape[1:]}, the run's {self.fingerprint.shape}"
            raise InputError("pictures", fault, "bring them to the shape of the run")
        model = self.model
        return project(
            images,
            model.generator,
            self.projection_loss,
            self.recipe.refinement,
            model.encoder,
            progress,
        )

    def futures(
        self, images: np.ndarray, styles: np.ndarray, years: Sequence[float],
        owners: Sequence[str] = (), neighbours: int | None = None, grade: Grading | None = None,
    ) -> Futures:  # fmt: skip
        """Pictures and readings after some years.

        What is shown is the patient's own picture, changed as the generated one changes, and what
        is read is read on it. Intervals are as wide as the changes between generated
        pictures of all neighbours, about what is read.
        One neighbour, the most typical at the last time, is followed through all times, and another
        one who is faster than nine in ten.

        Args:
            images: of today, `(N, C, S, S)` in [0, 1].
            styles: of them, `(N, W)`.
            years: from today.
            owners: patients whose pictures they are: none is a neighbour of their own.
            neighbours: K; the run's own choice without it.
            grade: what else is asked of every generated picture, see `outcomes_of`.
        """
        count = neighbours or self.neighbours
        rows = subsample(
            self.nearest(images, styles, count, owners), self.trajectories, self.recipe.generated
        )
        now = draw_styles(self.model.generator, styles)
        annual_change = self.trajectories.reading_annual_change[rows]
        every = [self.outcomes(styles, self.steering.moved(styles, ahead * annual_change), grade)
                 for ahead in years]  # fmt: skip
        at_last = every[int(np.argmax(years))].change
        mine, typically = np.arange(len(styles)), typical(at_last)

        def generated(chosen: np.ndarray) -> GeneratedTrajectory:
            then = [draw_styles(self.model.generator, f.styles[mine, chosen]) for f in every]
            shown = [on_own_picture(images, now, one) for one in then]
            read = [self._read(one) for one in shown]
            return GeneratedTrajectory(np.stack(shown, axis=1), np.stack(read, axis=1))

        ends = [np.percentile(outcomes.change, INTERVAL, axis=1) for outcomes in every]
        few = np.nan if rows.shape[1] < FEWEST_FOR_INTERVAL else 0.0
        usual = generated(typically)
        # What is read on the picture that is shown, less the change that was generated for it.
        base = [usual.readings[:, at] - one.change[mine, typically] for at, one in enumerate(every)]
        around = list(zip(base, ends, strict=True))
        return Futures(
            np.asarray(years, dtype=float),
            now,
            usual,
            generated(exceeding(at_last, FAST)),
            np.stack([own + low + few for own, (low, _) in around], axis=1),
            np.stack([own + high + few for own, (_, high) in around], axis=1),
            np.stack([f.grades.mean(axis=1) for f in every], axis=1),
        )

    def nearest(
        self, images: np.ndarray, styles: np.ndarray, count: int, owners: Sequence[str] = ()
    ) -> np.ndarray:
        """Rows of the `count` nearest trajectories by the chosen metric, see `nearest`."""
        baseline = Baseline(styles, predict_changes(self.model.forecasters, images))
        return nearest(self.metric, self.trajectories, baseline, count, owners)

    def outcomes(
        self, styles: np.ndarray, then: np.ndarray, grade: Grading | None = None
    ) -> PredictedOutcomes:
        """Styles `(N, K, W)` that others become, generated and measured, see `outcomes_of`."""
        return outcomes_of(styles, then, self.model.generator, self.model.meter, grade)

    def reconstructed(self, visits: Visits, progress: Progress = no_progress) -> Visits:
        """The same visits as the generator reconstructs them."""
        styles = self.projected(visits.images, progress).styles
        shape = visits.images.shape
        return replace(visits, images=generated_on_disk(self.model.generator, styles, shape))

    def new_pictures(self, count: int, seed: int = 0) -> np.ndarray:
        """Pictures of subjects who do not exist `(count, C, S, S)` in [0, 1].

        Their styles follow those of the pictures that the run has learnt from; the fine stage adds
        what styles do not hold.

        Raises:
            InputError: for a run without a fine stage.
        """
        own, detail = self.recipe.detail, self.model.detail
        if own is None or detail is None:
            raise InputError(self.run.folder, "has no fine stage", "fit a run with detail")
        smooth = draw_styles(self.model.generator, detail.sampled_styles(count, seed))
        return with_detail(detail, smooth, own.steps, seed)

    def diffused(
        self, images: np.ndarray, years: Sequence[float] | np.ndarray, seed: int = 0
    ) -> np.ndarray:
        """A later picture of each by the second generator, `(N, C, S, S)`; `years` of each.

        Raises:
            InputError: for a run without a second generator.
        """
        coder, denoiser, steps = self._second()
        return later_pictures(coder, denoiser, images, years, steps, seed)

    def recoded(self, images: np.ndarray) -> np.ndarray:
        """Pictures as the second generator's autoencoder gives them back, `(N, C, S, S)`.

        Raises:
            InputError: for a run without a second generator.
        """
        coder, _, _ = self._second()
        return decoded(coder, encoded(coder, images))

    def _second(self) -> tuple[PictureAutoencoder, LaterDenoiser, int]:
        own, coder, denoiser = self.recipe.diffusion, self.model.coder, self.model.denoiser
        if own is None or coder is None or denoiser is None:
            raise InputError(self.run.folder, "has no second generator", "fit one with diffusion")
        return coder, denoiser, own.steps

    def _read(self, images: np.ndarray) -> np.ndarray:
        return read_attributes(self.model.meter, images)
