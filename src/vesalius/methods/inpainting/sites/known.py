"""Which sites a recipe asks for."""

from __future__ import annotations

from collections.abc import Mapping

from vesalius.methods.inpainting.recipe import InpaintingRecipe
from vesalius.methods.inpainting.sites.lesions import LesionSites
from vesalius.methods.inpainting.sites.site import Sites
from vesalius.methods.inpainting.sites.spine import SpineSites


def sites_of(recipe: InpaintingRecipe, labels: Mapping[str, int]) -> Sites:
    """Organs where the recipe names lesions, else the levels of the spine.

    Raises:
        InputError: for labels that are not there.
    """
    return LesionSites(recipe, labels) if recipe.lesions else SpineSites(recipe, labels)
