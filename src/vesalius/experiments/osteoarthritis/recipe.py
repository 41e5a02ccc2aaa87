"""Settings of the experiment of progression, and its presets."""

from __future__ import annotations

from vesalius.evidence.two_sample import FIT
from vesalius.experiments.prespecified import FRESH_SEED
from vesalius.methods.classification.training import PRESETS as TRAININGS
from vesalius.methods.classification.training import ClassifierTraining
from vesalius.methods.progression.recipe import PRESETS as PROGRESSIONS
from vesalius.methods.progression.recipe import ProgressionRecipe
from vesalius.training.recipe import FitRecipe, Settings


def _fit(steps: int, rate: float) -> FitRecipe:
    return FitRecipe(
        steps=steps, batch_size=32, learning_rate=rate, weight_decay=1e-3, moving_average=0.0,
        precision="32-true", validate_every=max(1, steps // 4),
    )  # fmt: skip


class OsteoarthritisRecipe(Settings):
    """Settings of the whole experiment.

    Attributes:
        followed: patients with follow-up pictures, a share of them held out by the fit.
        visits: years at which they came.
        graded: other patients whose pictures are graded; what the classifier of grades learns.
        outcomes: numbers of the followed whose outcome an end-to-end classifier may learn, one
            classifier for each; as many as were followed give it the supervision of extrapolation.
        test: unseen patients, looked at at the first and at the last of `visits`.
        progression: generator, readers, encoder, neighbours.
        grading: classifier of grades.
        end_to_end: classifier of outcomes, which goes on from that of grades.
        optimised: test pictures that are projected by optimisation as well, for comparison.
        optimisation_steps: of that; a thousand as published.
        resamples: of every bootstrap of an AUC.
        judge: how the network is fitted that tells generated from real pictures.
        workers: processes that draw phantoms.
    """

    preset: str = "demo"
    seed: int = 0
    followed: int = 300
    visits: tuple[float, ...] = (0.0, 4.0, 8.0)
    graded: int = 80
    outcomes: tuple[int, ...] = (50, 240)
    test: int = 100
    progression: ProgressionRecipe = PROGRESSIONS["demo"]
    grading: ClassifierTraining = TRAININGS["demo"].changed(
        first=_fit(350, 3e-3), second=_fit(120, 1e-3)
    )
    end_to_end: ClassifierTraining = TRAININGS["demo"].changed(
        training="standard", first=_fit(0, 1e-3), second=_fit(150, 5e-4)
    )
    optimised: int = 8
    optimisation_steps: int = 300
    resamples: int = 10_000
    judge: FitRecipe = FIT
    workers: int = 2

    @property
    def horizon(self) -> float:
        """Years between the first and the last visit."""
        return self.visits[-1] - self.visits[0]


PRESETS = {
    "smallest": OsteoarthritisRecipe(
        preset="smallest", followed=40, visits=(0.0, 4.0, 8.0), graded=14, outcomes=(24, 30),
        test=30,
        progression=PROGRESSIONS["smallest"], grading=TRAININGS["smallest"],
        end_to_end=TRAININGS["smallest"].changed(training="standard"), optimised=2,
        optimisation_steps=2, resamples=50, judge=FIT.changed(steps=3), workers=1,
    ),
    "demo": OsteoarthritisRecipe(seed=FRESH_SEED + 1),
    "study": OsteoarthritisRecipe(
        preset="study", seed=FRESH_SEED, followed=960, graded=300, outcomes=(50, 200, 768),
        test=1000, optimised=64,
        progression=PROGRESSIONS["study"],
        grading=TRAININGS["demo"].changed(first=_fit(600, 3e-3), second=_fit(250, 1e-3)),
    ),
}  # fmt: skip
"""`smallest` for tests, `demo` for CPU minutes, `study` for an hour or two."""
