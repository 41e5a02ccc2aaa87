"""The networks of progression, built from a recipe and a fingerprint."""

from __future__ import annotations

from torch import nn

from vesalius.networks.style_generator import StyleGenerator
from vesalius.synthesis.progression.diffusion import LaterDenoiser, PictureAutoencoder
from vesalius.synthesis.progression.forecasting import yearly
from vesalius.synthesis.progression.projection import StyleEncoder
from vesalius.synthesis.progression.reader import AttributeReader
from vesalius.synthesis.progression.recipe import ProgressionRecipe
from vesalius.training.visits_fingerprint import VisitsFingerprint

PARTS = ("generator", "reader", "meter", "encoder", "forecaster", "second_forecaster")
SECOND = ("coder", "denoiser")


class ProgressionModel:
    """Generator, readers, forecasters, encoder and the second generator, untrained.

    Attributes:
        reader: whose inner maps and readings a projection keeps.
        meter: which measures what came out; of another seed, and fitted on other patients.
        forecaster, second_forecaster: which foretell the change to come.
        coder, denoiser: the second generator, if there is to be one.
    """

    def __init__(self, recipe: ProgressionRecipe, fingerprint: VisitsFingerprint) -> None:
        self.recipe, self.fingerprint = recipe, fingerprint
        channels, style = fingerprint.channels, recipe.generator
        self.generator = StyleGenerator(
            channels, style.widths, style.noise, style.style, style.mapping_layers
        )
        self.reader, self.meter = (
            AttributeReader(channels, recipe.attributes, recipe.reader) for _ in range(2)
        )
        changes = yearly(recipe.attributes)
        self.forecaster, self.second_forecaster = (
            AttributeReader(channels, changes, recipe.forecast) for _ in range(2)
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

    @property
    def forecasters(self) -> tuple[AttributeReader, AttributeReader]:
        """Both."""
        return self.forecaster, self.second_forecaster

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the networks that there are."""
        return PARTS if self.coder is None else (*PARTS, *SECOND)

    def part(self, name: str) -> nn.Module:
        """One of `parts` as a module."""
        module: nn.Module = getattr(self, name)
        return module
