"""The future on the patient's own picture, where the true change is known."""

from __future__ import annotations

import numpy as np
import torch

from vesalius.geometry.deformation import flow, gaussian_smooth, warp_voxels
from vesalius.methods.progression.own_picture import on_own_picture


def _bones(seed: int, texture: float) -> torch.Tensor:
    """Two bright blocks with a gap between them, and what is a patient's own."""
    rng = torch.Generator().manual_seed(seed)
    picture = torch.zeros(1, 1, 48, 48)
    picture[..., 4:21, 8:40], picture[..., 27:44, 8:40] = 0.6, 0.6
    own = gaussian_smooth(torch.randn(1, 1, 48, 48, generator=rng), 1.0)
    return (gaussian_smooth(picture, 1.0) + 0.2 + texture * own / own.std()).clamp(0, 1)


def _narrowed(picture: torch.Tensor) -> torch.Tensor:
    """The lower block moved up by two pixels, and all a little brighter."""
    velocity = torch.zeros(1, 2, 48, 48)
    velocity[:, 0, 22:] = 2.0
    return warp_voxels(picture, flow(gaussian_smooth(velocity, 2.0))) + 0.05


def test_the_patients_texture_moves_with_the_generated_change() -> None:
    real, generated = _bones(1, 0.08), _bones(2, 0.06)
    truth = _narrowed(real)
    moved = on_own_picture(real.numpy(), generated.numpy(), _narrowed(generated).numpy())
    error = np.abs(moved - truth.numpy()).mean()
    assert error < 0.45 * float((real - truth).abs().mean())
    assert error < 0.45 * float((_narrowed(generated) - truth).abs().mean())


def test_without_change_the_picture_stays() -> None:
    real, generated = _bones(1, 0.08), _bones(2, 0.02)
    same = on_own_picture(real.numpy(), generated.numpy(), generated.numpy())
    assert np.abs(same - real.numpy()).max() < 1e-3
