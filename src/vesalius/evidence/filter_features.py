"""Features of pictures that nothing was ever trained against: a fixed bank of filters.

Mean intensity, and energy of Gaussian derivatives at three scales and four orientations, each over
sixteen parts of the picture (after Freeman and Adelson 1991, "The design and use of steerable
filters"). A generator that learns from a pretrained network's features scores well by those; it
knows nothing of these.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from vesalius.geometry.deformation import gaussian_smooth

SCALES = (1.0, 2.0, 4.0)
"""SD of the Gaussians in pixels of the picture as features see it."""

ORIENTATIONS = 4
PARTS = 4
"""Along each side."""

FAINTEST = 1e-3
"""Energy below which there is nothing to compare."""


def filter_features(pictures: Tensor) -> Tensor:
    """Features `(N, 208)` of grey pictures `(N, 1, H, W)` in [0, 1].

    >>> filter_features(torch.rand(2, 1, 32, 32)).shape
    torch.Size([2, 208])
    """
    maps = [pictures]
    for scale in SCALES:
        smooth = gaussian_smooth(pictures, scale)
        down, across = torch.gradient(smooth, dim=(2, 3))
        for turn in range(ORIENTATIONS):
            angle = math.pi * turn / ORIENTATIONS
            along = math.cos(angle) * across + math.sin(angle) * down
            maps.append(along.square() * scale**2)
    energy = functional.adaptive_avg_pool2d(torch.cat(maps, dim=1), PARTS)
    intensity, rest = energy[:, :1], torch.log(energy[:, 1:].clamp(min=0) + FAINTEST)
    return torch.cat([intensity, rest], dim=1).flatten(1)
