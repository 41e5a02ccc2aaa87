"""The style-based generator: modulation against the paper's equations, no grid, evenness."""

from __future__ import annotations

import torch
from torch.nn import functional

from vesalius.networks.blurred_resampling import downsampled, upsampled
from vesalius.networks.modulated_convolution import ModulatedConvolution
from vesalius.networks.style_critic import StyleCritic, batch_std
from vesalius.networks.style_generator import StyleGenerator


def test_modulation_is_that_of_the_equations() -> None:
    torch.manual_seed(0)
    layer = ModulatedConvolution(5, 7, 6, 3)
    maps, styles = torch.randn(3, 5, 8, 8), torch.randn(3, 6)
    found = layer(maps, styles)
    for image, style, own in zip(maps, styles, found, strict=True):
        scale = layer.style(style[None])[0]
        weight = layer.weight * layer.gain * scale[None, :, None, None]
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        expected = functional.conv2d(image[None], weight, padding=1)[0]
        assert torch.allclose(own, expected, atol=1e-5)


def test_upsampling_shows_no_grid_and_halving_undoes_it() -> None:
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    twice = upsampled(ramp)[0, 0]
    steps = twice[16, 4:-4].diff()
    assert torch.allclose(steps, torch.full_like(steps, 0.5), atol=1e-5)
    assert torch.allclose(downsampled(upsampled(ramp))[..., 2:-2, 2:-2], ramp[..., 2:-2, 2:-2])


def test_a_style_for_each_layer_steers_that_layer() -> None:
    torch.manual_seed(0)
    generator = StyleGenerator(1, (8, 8, 8), 6, 10, 2).eval()
    one, two = generator.mapping(torch.randn(2, 6))
    each = one.expand(1, generator.layers, -1).clone()
    assert torch.allclose(generator(each), generator(one[None]), atol=1e-6)
    each[:, -1] = two
    assert not torch.allclose(generator(each), generator(one[None]), atol=1e-3)


def test_noise_comes_from_the_chance_alone() -> None:
    generator = StyleGenerator(1, (8, 8), 6, 10, 2).eval()
    with torch.no_grad():
        for layer in (*generator.first, *generator.second):
            layer.noise.fill_(1.0)
    styles = generator.mapping(torch.randn(1, 6))
    first, again, other = (
        generator(styles, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.allclose(first, other, atol=1e-3)


def test_a_batch_of_equal_pictures_has_no_spread() -> None:
    same, apart = torch.ones(8, 3, 4, 4), torch.randn(8, 3, 4, 4)
    assert batch_std(same).max() < 1e-3 and batch_std(apart).min() > 0.3
    assert StyleCritic(1, (8, 8))(torch.randn(6, 1, 8, 8)).shape == (6,)
