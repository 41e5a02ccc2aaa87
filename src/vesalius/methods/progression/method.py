"""Progression as a method: visits, and the networks that generate, read and forecast pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel
from torch import Tensor

from vesalius.methods.classification.recipe import ClassificationRecipe
from vesalius.methods.classification.training import PRESETS as TRAININGS
from vesalius.methods.progression.choosing import CHOICE
from vesalius.methods.progression.diffusion import (
    LaterObjective,
    PictureAutoencoderObjective,
    encoded,
    pairs_of,
)
from vesalius.methods.progression.evaluator import (
    AttributeEvaluator,
    EvaluatorObjective,
    read_attributes,
)
from vesalius.methods.progression.following import follow, projection_loss_of, training_styles
from vesalius.methods.progression.forecasting import (
    completed,
    folds_of,
    followed_by,
)
from vesalius.methods.progression.model import ProgressionModel, forecaster
from vesalius.methods.progression.objectives import StyleObjective
from vesalius.methods.progression.picture_detail import (
    TRIED,
    PictureDetailObjective,
    fitting_width,
    with_detail,
)
from vesalius.methods.progression.prognosis import (
    GRADES,
    ProgressionPipeline,
    both_sides,
    calibrate_risk,
    grades_known,
    prepare_grader,
)
from vesalius.methods.progression.projection import EncoderObjective, draw_styles
from vesalius.methods.progression.projection_loss import ProjectionLoss
from vesalius.methods.progression.recipe import PRESETS, EvaluatorRecipe, ProgressionRecipe
from vesalius.methods.progression.trajectories import TRAJECTORIES
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress
from vesalius.scans.visit_layouts import GRADE, read_visits
from vesalius.scans.visits import Visits
from vesalius.training.device import placed
from vesalius.training.fit import fit
from vesalius.training.method import Data, Method, Part, Reading
from vesalius.training.run import Run
from vesalius.training.visits_fingerprint import VisitsFingerprint

FEWEST_FOLLOWED, FEWEST_KNOWN = 12, 16


@dataclass(frozen=True)
class ProgressionData(Data):
    """Visits to learn from and held-out ones; settings of the classifier of grades, if any."""

    training: Visits = field(kw_only=True)
    held_out: Visits = field(kw_only=True)
    grading: ClassificationRecipe | None = field(default=None, kw_only=True)


class _Chosen(BaseModel):
    metric: str
    neighbours: int
    score: float
    score_of_no_change: float


class Progression(Method[ProgressionData]):
    """Fit progression: what will a patient's picture look like, and how fast does disease go?"""

    name, title = "progression", "progression"
    settings, measured = ProgressionRecipe, VisitsFingerprint
    caution = (
        "Not for diagnosis. A generated future is one trajectory among those of similar patients, "
        "not what will be."
    )

    def recipe(
        self, *, preset: Literal["smallest", "demo", "published"] = "demo",
        attribute: Sequence[str] | None = None, seed: int = 0,
    ) -> ProgressionRecipe:  # fmt: skip
        """Settings of a run.

        Parameters
        ----------
        preset: str
            Sizes and steps: demo for CPU minutes at 64 pixels, published for GPUs at 256.
        attribute: list[str]
            Read off pictures and kept by projections; without it medial and lateral joint space,
            or kl_grade where only that is known. May be repeated.
        seed: int
            Of the fit.
        """
        base = PRESETS[preset].changed(seed=seed)
        return base.changed(attributes=tuple(attribute or base.attributes))

    def read(
        self, source: str | Path | Visits, recipe: ProgressionRecipe, reading: Reading
    ) -> ProgressionData:
        """Read visits; those of split `test` are not touched.

        A cohort whose cases.csv has subject, visit and years (and left, 1 for a left side), or a
        folder of OAI or MOST crops by their published names, of which grades alone are known. The
        classifier of grades lies in grades/ of the run, where kl_grade is known.

        Raises:
            InputError: for pictures of another side than the generator's, attributes or grades that
                cannot be learnt, or too few who came again.
        """
        visits = source
        if not isinstance(visits, Visits):
            visits = read_visits(Path(visits), recipe.side, reading.progress)
            reading.faults += visits.faults
        recipe = _readable(visits, recipe)
        training, held_out = _split(visits, recipe)
        grading = None
        highest = grades_known(training)
        if highest:
            own = TRAININGS.get(recipe.preset, TRAININGS["demo"])
            grading = ClassificationRecipe(
                preset=recipe.preset, seed=recipe.seed, held_out=recipe.held_out, classifier=own
            )
            prepare_grader(both_sides(training, held_out), highest, grading)
        return ProgressionData(
            recipe, VisitsFingerprint.of(training),
            training=training, held_out=held_out, grading=grading,
        )  # fmt: skip

    def parts(self, data: ProgressionData) -> list[Part]:
        """Generator, both readers, forecasters, encoder, fine stage, and the second generator."""
        return _Networks(data).parts()

    def finish(self, data: ProgressionData, run: Run[Any], progress: Progress) -> None:
        """Project all visits, choose neighbours, then fit and calibrate the grades."""
        if not (run.folder / TRAJECTORIES).is_file():
            model = ProgressionModel(data.recipe, data.fingerprint)
            for name, network in model.parts.items():
                run.load(name, network)
                placed(network)
            follow(run, model, data.training, data.held_out, progress)
        if data.grading is None:
            return
        prognosis = ProgressionPipeline(run)
        ready = prepare_grader(
            both_sides(data.training, data.held_out), grades_known(data.training), data.grading,
            lambda visits: prognosis.forecaster.reconstructed(visits, progress),
        )  # fmt: skip
        fit(ready, run.folder / GRADES, progress)
        calibrate_risk(ProgressionPipeline(run), data.held_out, progress)

    def card(self, data: ProgressionData, run: Run[Any]) -> list[str]:
        """Pictures, attributes, and how well the chosen neighbours predict held-out patients."""
        fingerprint, chosen = data.fingerprint, run.noted(CHOICE, _Chosen)
        return [
            f"pictures: {' × '.join(map(str, fingerprint.shape))}, {fingerprint.channels} channels",
            f"attributes: {', '.join(data.recipe.attributes)}",
            f"futures along {chosen.neighbours} neighbours, metric {chosen.metric}: ranked "
            f"probability score {chosen.score:.3f} of the standard deviation on held-out patients, "
            f"{chosen.score_of_no_change:.3f} without change",
        ]

    def open(self, run: Run[Any]) -> ProgressionPipeline:
        """The networks on their device, ready for pictures."""
        return ProgressionPipeline(run)


class _Networks:
    """The networks of a fit, and what each learns from."""

    def __init__(self, data: ProgressionData) -> None:
        self.data, self.recipe, self.training = data, data.recipe, data.training
        self.model = ProgressionModel(data.recipe, data.fingerprint)

    def parts(self) -> list[Part]:
        model, recipe, training = self.model, self.recipe, self.training
        images, count = training.images, len(training)
        halves = _folds(training, 2)
        style = recipe.generator
        parts = [
            Part(
                "generator", model.generator, style.fit, count,
                lambda _: StyleObjective(model.generator, images, style),
                lambda run, progress: None, lambda: None,
            ),
            *(
                self._evaluator(name, network, halves == number, recipe.evaluator)
                for number, (name, network) in enumerate(
                    (("reader", model.evaluator), ("meter", model.meter))
                )
            ),
            *(self._forecaster(fold) for fold in range(recipe.folds)),
            Part(
                "encoder", model.encoder, recipe.encoder.fit, count,
                lambda projection_loss: EncoderObjective(
                    model.encoder, images, model.generator, projection_loss, recipe.encoder
                ),
                self._encoder_inputs, lambda: projection_loss_of(model, images[:2]),
            ),
        ]  # fmt: skip
        return parts + self._fine() + self._second()

    def _evaluator(
        self, name: str, network: AttributeEvaluator, rows: np.ndarray, recipe: EvaluatorRecipe
    ) -> Part:
        """A network that reads attributes, fitted on some rows of the visits."""
        own = self.training.taken(np.flatnonzero(rows))
        return Part(
            name, network, recipe.fit, len(own),
            lambda _: EvaluatorObjective(network, own, self.data.held_out, recipe),
            lambda run, progress: None, lambda: None,
        )  # fmt: skip

    def _forecaster(self, fold: int) -> Part:
        """A network that forecasts the yearly change, fitted without a fold of the patients."""
        network, recipe = self.model.forecasters[fold], self.recipe
        known = [
            followed_by(_filled(visits, recipe.attributes), recipe.attributes)
            for visits in (self.training, self.data.held_out)
        ]
        rows = np.flatnonzero(_folds(known[0], recipe.folds, self.training) != fold)

        def objective(given: Sequence[Visits]) -> EvaluatorObjective:
            return EvaluatorObjective(network, given[0].taken(rows), given[1], recipe.forecast)

        return Part(
            forecaster(fold), network, recipe.forecast.fit, len(rows), objective,
            lambda run, progress: self._followed, lambda: known,
        )  # fmt: skip

    @cached_property
    def _followed(self) -> list[Visits]:
        """Visits after which others came, with unknown attributes read off the pictures."""
        names, evaluator = self.recipe.attributes, placed(self.model.evaluator)
        return [
            followed_by(completed(visits, names, evaluator), names)
            for visits in (self.training, self.data.held_out)
        ]

    @cached_property
    def _projection_loss(self) -> ProjectionLoss:
        placed(self.model.evaluator)
        return projection_loss_of(self.model, self.training.images)

    def _encoder_inputs(self, run: Run[Any], progress: Progress) -> ProjectionLoss:
        self.model.encoder.learn_scale(self.model.generator)
        return self._projection_loss

    def _fine(self) -> list[Part]:
        """The fine stage, if it is wanted; it learns from what the styles of real pictures draw."""
        own, detail = self.recipe.detail, self.model.detail
        if own is None or detail is None:
            return []
        images = self.training.images

        def smooth(run: Run[Any], progress: Progress) -> np.ndarray:
            styles = training_styles(run, self.model, images, self._projection_loss, progress)
            generated = draw_styles(self.model.generator, styles)
            detail.learn_scale(images - generated, styles)
            return generated

        def new_pictures(width: float) -> np.ndarray:
            styles = detail.sampled_styles(TRIED, self.recipe.seed, width)
            generated = draw_styles(placed(self.model.generator), styles)
            return with_detail(placed(detail), generated, own.steps, self.recipe.seed)

        def spread(run: Run[Any], progress: Progress) -> None:
            """Spread styles until readings vary as on real pictures, in the weights kept, too."""
            if float(detail.width) == 1.0:
                read = partial(read_attributes, placed(self.model.evaluator))
                detail.width.fill_(fitting_width(read, images, new_pictures))
                run.save("detail", detail)

        return [
            Part(
                "detail", detail, own.fit, len(images),
                lambda generated: PictureDetailObjective(detail, images, generated),
                smooth, lambda: images, after=spread,
            )
        ]  # fmt: skip

    def _second(self) -> list[Part]:
        """The autoencoder of pictures and the denoiser of later codes, if they are wanted."""
        own, coder, denoiser = self.recipe.diffusion, self.model.coder, self.model.denoiser
        if own is None or coder is None or denoiser is None:
            return []
        images = self.training.images
        pairs, years = pairs_of(self.training)

        def codes(run: Run[Any], progress: Progress) -> Tensor:
            return encoded(placed(coder), images)

        def scale(run: Run[Any], progress: Progress) -> None:
            """Bring codes to unit SD, in the weights that are kept, too."""
            if float(coder.std) == 1.0:
                coder.std.copy_(encoded(placed(coder), images).std())
                run.save("coder", coder)

        return [
            Part(
                "coder", coder, own.autoencoder_fit, len(images),
                lambda projection_loss: PictureAutoencoderObjective(coder, images, projection_loss),
                lambda run, progress: self._projection_loss,
                lambda: projection_loss_of(self.model, images[:2]), after=scale,
            ),
            Part(
                "denoiser", denoiser, own.denoiser_fit, len(pairs),
                lambda given: LaterObjective(denoiser, given, pairs, years), codes,
                lambda: encoded(coder, images[:1]).expand(len(images), -1, -1, -1, -1),
            ),
        ]  # fmt: skip


def _readable(visits: Visits, recipe: ProgressionRecipe) -> ProgressionRecipe:
    """The same recipe, of grades where none of the joint spaces that nobody asked for is known."""
    usual = recipe.attributes == ProgressionRecipe().attributes
    if usual and GRADE in visits.attributes and not set(recipe.attributes) & set(visits.attributes):
        return recipe.changed(attributes=(GRADE,))
    return recipe


def _split(visits: Visits, recipe: ProgressionRecipe) -> tuple[Visits, Visits]:
    """Visits to learn from and held-out ones, or `InputError` where nothing can be learnt."""
    if visits.images.shape[2:] != (recipe.side, recipe.side):
        fault = f"are {visits.images.shape[2]} pixels wide, the generator's {recipe.side}"
        raise InputError("visits", fault, f"read them with side {recipe.side}")
    if recipe.generator.critic == "features" and visits.images.shape[1] not in (1, 3):
        fault = f"have {visits.images.shape[1]} channels, a critic of features sees 1 or 3"
        raise InputError("visits", fault, "choose one channel, or a preset with a critic of pixels")
    training, held_out = visits.split_by_patient(recipe.held_out, recipe.seed)
    for part, words in ((training, "to learn from"), (held_out, "held out")):
        followed = len(part.followed())
        if followed < (FEWEST_FOLLOWED if part is training else 2):
            fault = f"hold {followed} subjects {words} who came again"
            raise InputError("visits", fault, "add follow-up pictures")
    for name in recipe.attributes:
        known = training.attributes.get(name, np.full(1, np.nan))
        if (~np.isnan(known)).sum() < FEWEST_KNOWN:
            fault = f"is known of {(~np.isnan(known)).sum()} pictures"
            raise InputError(name, fault, f"add it to cases.csv: {FEWEST_KNOWN} is the least")
    return training, held_out


def _folds(visits: Visits, folds: int, everyone: Visits | None = None) -> np.ndarray:
    """The fold of each row; it follows from the patients of the run, not from rows alone."""
    fold = folds_of((everyone or visits).patients, folds)
    return np.array([fold[patient] for patient in visits.patients])


def _filled(visits: Visits, names: Sequence[str]) -> Visits:
    """Visits whose unknown attributes are set to 0, for their number alone."""
    filled = {name: np.nan_to_num(visits.attributes[name]) for name in names}
    return replace(visits, attributes=visits.attributes | filled)
