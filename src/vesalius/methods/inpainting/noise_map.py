"""Noise maps of findings: how much each voxel of a crop may change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from vesalius.diffusion.noise_maps import (
    distance_around_mm,
    distance_mm,
    gaussian_map,
    linear_map,
)
from vesalius.methods.inpainting.recipe import MapRecipe
from vesalius.scans.crop import Crop

END_PLATE = 0.4
"""Share of the reach about a disc within which everything may change."""


def landmark_map(
    recipe: MapRecipe, crop: Crop, spacing_mm: tuple[float, float, float], severity: float
) -> Tensor:
    """The map `(D, H, W)` about the landmark of a crop, wider the severer the finding.

    Args:
        recipe: of the map.
        crop: about the landmark.
        spacing_mm: of the crop.
        severity: 0 to 1.
    """
    shape = crop.scan.label_map.shape
    wider = 1 + recipe.growth * severity
    distance = distance_mm(shape, spacing_mm, crop.landmark.tolist(), recipe.stretch)
    if recipe.kind == "linear":
        return linear_map(distance, recipe.core_mm * wider, recipe.reach_mm * wider)
    return gaussian_map(distance, recipe.sigma_mm * wider)


def disc_map(region: np.ndarray, spacing_mm: Sequence[float], reach_mm: float) -> Tensor:
    """A map `(D, H, W)` that is 1 on a disc and on the end plates, and 0 beyond `reach_mm`.

    >>> region = np.zeros((1, 1, 9), dtype=bool); region[..., 0] = True
    >>> disc_map(region, (1.0, 1.0, 1.0), 5.0)[0, 0, [0, 2, 5]].tolist()
    [1.0, 1.0, 0.0]
    """
    return linear_map(distance_around_mm(region, spacing_mm), END_PLATE * reach_mm, reach_mm)


def ball_map(
    crop: Crop, spacing_mm: tuple[float, float, float], radius_mm: float, margin_mm: float
) -> Tensor:
    """A map `(D, H, W)` that is 1 on a lesion and a little about it, and 0 beyond the margin.

    Args:
        crop: about the middle of the lesion.
        spacing_mm: of the crop.
        radius_mm: of the lesion.
        margin_mm: how far about the lesion anything may change.
    """
    distance = distance_mm(crop.scan.label_map.shape, spacing_mm, crop.landmark.tolist())
    return linear_map(distance, radius_mm + 0.4 * margin_mm, radius_mm + margin_mm)
