"""Noise maps and inpainting: what is held stays, what is counted is true."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vesalius.diffusion.inpainting import released, repaint, sdedit
from vesalius.diffusion.noise_maps import (
    distance_mm,
    gaussian_map,
    linear_map,
    on_latent_grid,
    voxel_levels,
)
from vesalius.diffusion.samplers import SAMPLERS, ddim
from vesalius.diffusion.schedules import SCHEDULES, even_levels

COSINE = SCHEDULES["cosine"]


class Counting:
    """A denoiser of data that is N(2, 0) everywhere, and how often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: Tensor, level: Tensor) -> Tensor:
        self.calls += 1
        return torch.full_like(x, 2.0)


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_voxels_of_weight_zero_stay_to_the_last_bit(sampler: str) -> None:
    source = torch.randn(1, 3, 4, 6, 6)
    weight = linear_map(distance_mm((4, 6, 6), (4.0, 1.0, 1.0), (2, 3, 3)), 1.0, 4.0)[None, None]
    levels = voxel_levels(weight, even_levels(5))
    x = COSINE.noisy(source, torch.randn_like(source), levels[0])
    out = SAMPLERS[sampler](Counting(), x, levels, COSINE)
    kept = (weight == 0).expand_as(source)
    assert kept.any() and (~kept).any()
    assert torch.equal(out[kept], source[kept])
    assert torch.allclose(out[~kept], torch.tensor(2.0), atol=1e-4)


def test_held_voxels_come_back_and_released_ones_do_not() -> None:
    source = torch.randn(1, 2, 2, 4, 4)
    weight = torch.zeros(1, 1, 2, 4, 4)
    weight[..., 2:] = 1.0
    weight[..., 1] = 0.5
    seen = []

    def denoise(x: Tensor, level: Tensor) -> Tensor:
        seen.append(float(level))
        return torch.full_like(x, 2.0)

    noise = torch.randn_like(source)
    start = COSINE.noisy(source, noise, torch.tensor(1.0))
    out = ddim(released(denoise, source, weight), start, even_levels(10), COSINE)
    held = (weight == 0).expand_as(source)
    assert torch.allclose(out[held], source[held], atol=1e-4)
    assert torch.allclose(out[~held], torch.tensor(2.0), atol=1e-4)
    assert len(seen) == 10


def test_repaint_counts_its_calls_and_keeps_what_is_known() -> None:
    source, mask = torch.randn(1, 1, 2, 4, 4), torch.zeros(1, 1, 2, 4, 4)
    mask[..., :2] = 1
    denoise = Counting()
    out = repaint(denoise, source, mask, even_levels(6), COSINE, torch.randn_like, 3, 2)
    assert denoise.calls == 6 * 3
    known = mask == 0
    assert torch.allclose(out[known], source[known], atol=2e-2)
    assert torch.allclose(out[~known], torch.tensor(2.0), atol=2e-2)


def test_sdedit_begins_where_it_is_told() -> None:
    levels = []

    def denoise(x: Tensor, level: Tensor) -> Tensor:
        levels.append(float(level))
        return torch.zeros_like(x)

    source = torch.randn(1, 1, 2, 2, 2)
    sdedit(denoise, source, 0.6, 3, COSINE, torch.randn_like(source))
    assert levels == pytest.approx([0.6, 0.4, 0.2])


def test_maps_are_wide_in_millimetres_not_in_voxels() -> None:
    distance = distance_mm((9, 33, 33), (4.0, 1.0, 1.0), (4, 16, 16))
    w = gaussian_map(distance, 6.0)
    assert float(w[5, 16, 16]) == pytest.approx(float(w[4, 20, 16]))
    stretched = distance_mm((9, 33, 33), (4.0, 1.0, 1.0), (4, 16, 16), (1.0, 2.0, 1.0))
    assert float(stretched[4, 20, 16]) == pytest.approx(2.0)


def test_a_latent_voxel_is_free_where_any_of_its_voxels_is() -> None:
    fine = linear_map(distance_mm((3, 8, 8), (4.0, 1.0, 1.0), (1, 3.2, 4.1)), 1.0, 3.0)[None, None]
    coarse = on_latent_grid(fine, (1, 2, 2))
    back = coarse.repeat_interleave(2, dim=3).repeat_interleave(2, dim=4)
    assert (back >= fine).all()
    assert set(coarse.unique().tolist()) <= set(fine.unique().tolist())


def test_a_core_beyond_the_reach_is_an_error() -> None:
    with pytest.raises(ValueError, match="core"):
        linear_map(torch.zeros(1), 5.0, 5.0)
