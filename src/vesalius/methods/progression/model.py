"""The networks of progression, built from a recipe and a fingerprint."""

from __future__ import annotations

from torch import nn

from vesalius.methods.progression.diffusion import LaterDenoiser, PictureAutoencoder
from vesalius.methods.progression.evaluator import AttributeEvaluator
from vesalius.methods.progression.forecasting import annual_change_names
from vesalius.methods.progression.picture_detail import PictureDetail
from vesalius.methods.progression.projection import StyleEncoder
from vesalius.methods.progression.recipe import ProgressionRecipe
from vesalius.networks.style_generator import StyleGenerator
from vesalius.training.visits_fingerprint import VisitsFingerprint


class ProgressionModel:
    """Generator, readers, forecasters, encoder and the second generator, untrained.

    Attributes:
        evaluator: whose inner maps and readings a projection keeps.
        meter: which measures what came out; of another seed, and fitted on other patients.
        forecasters: which predict the change to come, each fitted without a fold of patients.
        coder, denoiser: the second generator, if there is to be one.
        detail: the fine stage, if there is to be one.
    """

    def __init__(self, recipe: ProgressionRecipe, fingerprint: VisitsFingerprint) -> None:
        self.recipe, self.fingerprint = recipe, fingerprint
        channels, style = fingerprint.channels, recipe.generator
        self.generator = StyleGenerator(
            channels, style.widths, style.noise, style.style, style.mapping_layers
        )
        self.evaluator, self.meter = (
            AttributeEvaluator(channels, recipe.attributes, recipe.evaluator) for _ in range(2)
        )
        changes = annual_change_names(recipe.attributes)
        self.forecasters = tuple(
            AttributeEvaluator(channels, changes, recipe.forecast) for _ in range(recipe.folds)
        )
        self.encoder = StyleEncoder(channels, self.generator, recipe.encoder)
        self.coder: PictureAutoencoder | None = None
        self.denoiser: LaterDenoiser | None = None
        if recipe.diffusion:
            side = fingerprint.shape[0] // 4
            self.coder = PictureAutoencoder(channels, recipe.diffusion)
            self.denoiser = LaterDenoiser(
                (side, side, 1), recipe.diffusion, fingerprint.longest_years
            )
        self.detail: PictureDetail | None = None
        if recipe.detail:
            self.detail = PictureDetail(
                channels, fingerprint.shape[0], style.style, recipe.detail
            )  # fmt: skip

    @property
    def parts(self) -> dict[str, nn.Module]:
        """The networks that there are, by the names they are kept under."""
        known: dict[str, nn.Module | None] = {
            "generator": self.generator, "reader": self.evaluator, "meter": self.meter,
            "encoder": self.encoder, "coder": self.coder, "denoiser": self.denoiser,
            "detail": self.detail,
        }  # fmt: skip
        known |= {forecaster(fold): one for fold, one in enumerate(self.forecasters)}
        return {name: module for name, module in known.items() if module is not None}


def forecaster(fold: int) -> str:
    """Name of the network that is fitted without a fold.

    >>> forecaster(0)
    'forecaster_1'
    """
    return f"forecaster_{fold + 1}"
