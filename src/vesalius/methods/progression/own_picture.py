"""The future on the patient's own picture, which no generator redraws.

A generator's picture of a patient loses much of what makes it that patient's. Its change from today
to later is smooth, though: so the displacement from the one generated picture to the other moves
the real picture, and the change of brightness that no displacement explains is added, without
detail of its own. Kim and Ye 2022, "Diffusion deformable model for 4D temporal medical image
generation", deform a given image to the same end.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vesalius.geometry.deformation import flow, gaussian_smooth, warp_voxels
from vesalius.geometry.registration import Level, register
from vesalius.training.device import fabric_for

LEVELS = (Level(4, 30, 1.5, 1.5), Level(2, 30, 1.5, 1.5), Level(1, 30, 1.5, 1.5))
"""Broadly smoothed, so that a bone without texture of its own moves as its border does."""

UNEXPLAINED_SD = 2.0
"""Pixels over which a change of brightness is smoothed, so that it brings no texture."""

AT_ONCE = 64
"""Pictures."""


def on_own_picture(images: np.ndarray, now: np.ndarray, then: np.ndarray) -> np.ndarray:
    """Real pictures changed as generated ones change, `(N, C, S, S)` in [0, 1].

    Args:
        images: real ones of today, `(N, C, S, S)`.
        now: as they are generated.
        then: generated, of later.

    >>> rng = np.random.default_rng(0)
    >>> image, generated = rng.random((2, 1, 1, 16, 16)).astype(np.float32)
    >>> bool(np.abs(on_own_picture(image, generated, generated) - image).max() < 2e-3)
    True
    """
    device = fabric_for().device
    parts = []
    for start in range(0, len(images), AT_ONCE):
        own, before, after = (
            torch.from_numpy(np.ascontiguousarray(one[start : start + AT_ONCE])).float().to(device)
            for one in (images, now, then)
        )
        parts.append(_moved(own, before, after).cpu().numpy())
    return np.concatenate(parts) if parts else images


@torch.no_grad()
def _moved(own: Tensor, before: Tensor, after: Tensor) -> Tensor:
    displacement = flow(register(before, after, LEVELS))
    unexplained = after - warp_voxels(before, displacement)
    change = gaussian_smooth(unexplained, UNEXPLAINED_SD)
    return (warp_voxels(own, displacement, "bicubic") + change).clamp(0, 1)
