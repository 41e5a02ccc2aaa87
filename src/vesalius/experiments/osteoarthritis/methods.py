"""Every way of predicting that is compared, from the published one to what no method can have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from vesalius.experiments.osteoarthritis.cohort import Outcomes, drivers
from vesalius.methods.classification.grading import rise_risk
from vesalius.methods.classification.pipeline import ClassificationPipeline
from vesalius.methods.progression.evaluator import read_attributes
from vesalius.methods.progression.forecasting import predict_changes
from vesalius.methods.progression.neighbours import PublishedMetric, nearest, subsample
from vesalius.methods.progression.outcomes import PredictedOutcomes
from vesalius.methods.progression.own_picture import on_own_picture
from vesalius.methods.progression.prognosis import ProgressionPipeline
from vesalius.methods.progression.projection import draw_styles
from vesalius.methods.progression.trajectories import Baseline, along
from vesalius.scans.visits import Visits


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one method says of P patients.

    Attributes:
        score: of fast progression, higher for more, `(P,)`; `None` where it tells none.
        pictures: of the last visit, `(P, C, S, S)`; `None` where it draws none.
        readings: attributes at the last visit, `(P, K)`; `None` where it tells none.
    """

    score: np.ndarray | None
    pictures: np.ndarray | None = None
    readings: np.ndarray | None = None


class Methods:
    """The methods, over one prognosis and one end-to-end classifier.

    Args:
        prognosis: of the run that is told about.
        training: first visits of the patients whose trajectories the run holds, in their order.
        end_to_end: classifiers by the number of outcomes that they have learnt.
        seed: of the random neighbours.
    """

    def __init__(
        self,
        prognosis: ProgressionPipeline,
        training: Visits,
        end_to_end: Mapping[int, ClassificationPipeline],
        seed: int,
    ) -> None:
        self.prognosis, self.forecaster = prognosis, prognosis.forecaster
        self.training, self.seed = training, seed
        self.names = self.forecaster.recipe.attributes
        self._generated_before: dict[tuple[Outcomes, int], PredictedOutcomes] = {}
        self.every: dict[str, Callable[[Outcomes], Prediction]] = {
            "extrapolation": self._extrapolation,
            "extrapolation_on_own_picture": self._own_picture,
            "extrapolation_published": self._published,
            "diffusion": self._diffusion,
            **{
                f"end_to_end_{count}": partial(_classified, network)
                for count, network in end_to_end.items()
            },
            "forecast_only": self._forecast,
            "baseline_only": self._baseline,
            "reconstruction_only": self._reconstruction,
            "neighbour_labels": self._labels,
            "no_change": lambda own: self._reported(own, own.images),
            "mean_difference": self._mean,
            "random_neighbour": self._random,
            "oracle_neighbours": self._oracle,
            "true_hazard": lambda own: Prediction(own.first.attributes["hazard"]),
        }

    def outcomes(self, own: Outcomes, count: int) -> PredictedOutcomes:
        """What becomes of patients along `count` neighbours by the chosen metric, kept."""
        key = own, count
        if key not in self._generated_before:
            self._generated_before[key] = self._steered(own, self._nearest(own, count))
        return self._generated_before[key]

    def along(self, own: Outcomes, outcomes: PredictedOutcomes) -> Prediction:
        """The typical outcome's picture and reading, and the risk over all.

        Grades rise from those of today's picture as it is generated to those of the outcomes.
        """
        today = self.prognosis.graded(self._generated(own.styles))
        before = read_attributes(self.forecaster.model.meter, own.images)
        return Prediction(
            rise_risk(today, outcomes.grades.mean(axis=1)),
            self._generated(outcomes.of_typical(outcomes.styles)),
            before + outcomes.of_typical(outcomes.change),
        )

    def _extrapolation(self, own: Outcomes) -> Prediction:
        return self.along(own, self.outcomes(own, self.forecaster.neighbours))

    def _own_picture(self, own: Outcomes) -> Prediction:
        """The same future on the patient's real picture; joint spaces are read on what is shown."""
        outcomes = self.outcomes(own, self.forecaster.neighbours)
        then = self._generated(outcomes.of_typical(outcomes.styles))
        pictures = on_own_picture(own.images, self._generated(own.styles), then)
        return Prediction(None, pictures, read_attributes(self.forecaster.model.meter, pictures))

    def _published(self, own: Outcomes) -> Prediction:
        trajectories = self.forecaster.published_trajectories
        baseline = Baseline(own.styles, np.zeros((len(own), 0)))
        rows = nearest(PublishedMetric(), trajectories, baseline, 1, own.first.patients)
        then = along(own.styles, own.years, trajectories, rows)
        return self.along(own, self.forecaster.outcomes(own.styles, then, self.prognosis.graded))

    def _diffusion(self, own: Outcomes) -> Prediction:
        """Today's picture is graded as its autoencoder gives it back, as the later one is."""
        today = self.forecaster.recoded(own.images)
        return self._reported(
            own, self.forecaster.diffused(own.images, own.years, self.seed), today
        )

    def _baseline(self, own: Outcomes) -> Prediction:
        grades = self.prognosis.graded(own.images)
        return Prediction(grades @ np.arange(grades.shape[1]))

    def _reconstruction(self, own: Outcomes) -> Prediction:
        return self._reported(own, self._generated(own.styles))

    def _forecast(self, own: Outcomes) -> Prediction:
        """The change that networks predict of today's picture, which also chooses neighbours."""
        annual_change = predict_changes(self.forecaster.model.forecasters, own.images)
        now = read_attributes(self.forecaster.model.meter, own.images)
        then = now + own.years[:, None] * annual_change
        return Prediction(-annual_change.min(axis=1), readings=then)

    def _labels(self, own: Outcomes) -> Prediction:
        """What neighbours lost, without any picture of the future."""
        trajectories = self.forecaster.trajectories
        annual_change = trajectories.reading_annual_change[
            self._nearest(own, self.forecaster.neighbours)
        ]
        now = read_attributes(self.forecaster.model.meter, own.images)
        then = now + own.years[:, None] * np.median(annual_change, axis=1)
        return Prediction(-annual_change.min(axis=2).mean(axis=1), readings=then)

    def _mean(self, own: Outcomes) -> Prediction:
        """The mean trajectory of all styles, measured as every other: by the change of pictures."""
        annual_change = self.forecaster.trajectories.annual_change.mean(axis=0)
        then = (own.styles + own.years[:, None] * annual_change)[:, None]
        return self.along(own, self.forecaster.outcomes(own.styles, then, self.prognosis.graded))

    def _random(self, own: Outcomes) -> Prediction:
        trajectories = self.forecaster.trajectories
        rows = np.random.default_rng(self.seed).integers(len(trajectories), size=(len(own), 1))
        return self.along(own, self._steered(own, rows))

    def _oracle(self, own: Outcomes) -> Prediction:
        """Neighbours by what truly drives the disease, which no picture tells in full."""
        known, requested = (drivers(one, self.names) for one in (self.training, own.first))
        scale = known.std(axis=0)
        apart = (((requested[:, None] - known[None]) / scale) ** 2).sum(axis=2)
        same = np.array(own.first.patients)[:, None] == np.array(self.training.patients)[None]
        apart[same] = np.inf
        rows = np.argsort(apart, axis=1, kind="stable")[:, : self.forecaster.neighbours]
        return self.along(own, self._steered(own, rows))

    def _nearest(self, own: Outcomes, count: int) -> np.ndarray:
        return self.forecaster.nearest(own.images, own.styles, count, own.first.patients)

    def _steered(self, own: Outcomes, rows: np.ndarray) -> PredictedOutcomes:
        """Outcomes in which patients lose what some of their neighbours lost."""
        trajectories = self.forecaster.trajectories
        followed = subsample(rows, trajectories, self.forecaster.recipe.generated)
        lost = own.years[:, None, None] * trajectories.reading_annual_change[followed]
        then = self.forecaster.steering.moved(own.styles, lost)
        return self.forecaster.outcomes(own.styles, then, self.prognosis.graded)

    def _generated(self, styles: np.ndarray) -> np.ndarray:
        return draw_styles(self.forecaster.model.generator, styles)

    def _reported(
        self, own: Outcomes, pictures: np.ndarray, today: np.ndarray | None = None
    ) -> Prediction:
        """What follows from a picture of the future, and one of today other than it was taken."""
        before = own.images if today is None else today
        now, then = self.prognosis.graded(before), self.prognosis.graded(pictures)
        readings = read_attributes(self.forecaster.model.meter, pictures)
        return Prediction(rise_risk(now, then), pictures, readings)


def _classified(network: ClassificationPipeline, own: Outcomes) -> Prediction:
    """What a classifier of outcomes says of the first picture."""
    return Prediction(network.logits(own.images)[:, 0])
