"""What the networks of progression learn from, once those before each are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from torch import Tensor

from vesalius.methods.classification.recipe import ClassificationRecipe
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
from vesalius.methods.progression.following import projection_loss_of, training_styles
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
from vesalius.methods.progression.projection import EncoderObjective, draw_styles, generated_on_disk
from vesalius.methods.progression.projection_loss import ProjectionLoss
from vesalius.methods.progression.recipe import EvaluatorRecipe
from vesalius.scans.progress import Progress
from vesalius.scans.visits import Visits
from vesalius.training.device import placed
from vesalius.training.method import Data, Part
from vesalius.training.run import Run


@dataclass(frozen=True)
class ProgressionData(Data):
    """Visits to learn from and held-out ones; settings of the classifier of grades, if any."""

    training: Visits = field(kw_only=True)
    held_out: Visits = field(kw_only=True)
    grading: ClassificationRecipe | None = field(default=None, kw_only=True)


class ProgressionParts:
    """The networks of a fit, and what each learns from once those before it are there."""

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
            generator = placed(self.model.generator)
            placed(self.model.encoder)  # a fit that was taken up has loaded both on the CPU
            styles = training_styles(run, self.model, images, self._projection_loss, progress)
            generated = generated_on_disk(generator, styles, images.shape)
            detail.learn_scale(images, generated, styles)
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


def _folds(visits: Visits, folds: int, everyone: Visits | None = None) -> np.ndarray:
    """The fold of each row; it follows from the patients of the run, not from rows alone."""
    fold = folds_of((everyone or visits).patients, folds)
    return np.array([fold[patient] for patient in visits.patients])


def _filled(visits: Visits, names: Sequence[str]) -> Visits:
    """Visits whose unknown attributes are set to 0, for their number alone."""
    filled = {name: np.nan_to_num(visits.attributes[name]) for name in names}
    return replace(visits, attributes=visits.attributes | filled)
