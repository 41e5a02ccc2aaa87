"""Registration against flows that are known."""

from __future__ import annotations

import torch

from vesalius.geometry.deformation import (
    exponential,
    flow,
    gaussian_smooth,
    jacobian_determinant,
    smooth_noise,
    warp_voxels,
)
from vesalius.geometry.registration import Level, register

LEVELS = (Level(2, 25), Level(1, 25))


def _picture(seed: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    rough = gaussian_smooth(torch.randn(1, 2, 24, 24, 24, generator=rng), 1.5)
    return (rough / rough.std()).clamp(-1, 1)


def test_a_known_flow_is_found_again_and_folds_nowhere() -> None:
    rng = torch.Generator().manual_seed(1)
    velocity = 1.5 * smooth_noise((24, 24, 24), 10.0, 1.0, rng)[None]
    picture = _picture(0)
    moved = warp_voxels(picture, flow(velocity))
    found = register(picture, moved, LEVELS)
    inner = (slice(None), slice(None), *[slice(4, -4)] * 3)
    before, after = ((flow(one) - flow(velocity))[inner].norm(dim=1).mean()
                     for one in (torch.zeros_like(velocity), found))  # fmt: skip
    assert after < 0.4 * before
    assert (warp_voxels(picture, flow(found)) - moved).abs().mean() < 0.25 * (
        picture - moved
    ).abs().mean()
    assert jacobian_determinant(flow(found)[0], 1.0).min() > 0


def test_pictures_are_registered_each_alone() -> None:
    picture = _picture(0)
    moved = torch.cat([picture.roll(1, 2), picture.roll(-1, 3)])
    together = register(picture, moved, LEVELS)
    for own, one in zip(together, moved, strict=True):
        assert torch.allclose(register(picture, one[None], LEVELS)[0], own, atol=1e-4)


def test_a_flow_of_voxels_is_that_of_millimetres() -> None:
    velocity = 2.0 * smooth_noise((16, 16, 16), 8.0, 1.0, torch.Generator().manual_seed(2))
    assert (flow(velocity[None])[0] - exponential(velocity, 1.0)).abs().max() < 0.05
