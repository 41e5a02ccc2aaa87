"""Label autoencoders and what is known of their codes."""

from __future__ import annotations

import numpy as np
import torch

from vesalius.networks.gaussian_prior import GaussianPrior
from vesalius.networks.image_autoencoder import ImageAutoencoder
from vesalius.networks.shape_space import ShapeSpace
from vesalius.networks.spade import LabelEncoder, one_hot


def spheres(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*[np.arange(16)] * 3, indexing="ij")
    maps = []
    for _ in range(count):
        radius = rng.uniform(2.5, 6.5)
        middle = 7.5 + rng.normal(0, 0.5, 3)
        distance = np.sqrt((x - middle[0]) ** 2 + (y - middle[1]) ** 2 + (z - middle[2]) ** 2)
        maps.append((distance < radius).astype(np.uint8) + (distance < radius / 2))
    return np.stack(maps)


def test_a_shape_space_gives_back_unseen_shapes_of_its_kind() -> None:
    space = ShapeSpace(labels=3, shape=(16, 16, 16), components=20)
    space.fit(spheres(80))
    unseen = torch.from_numpy(spheres(8, seed=1))
    back = space.decode(space.encode(unseen)[0]).argmax(dim=1)
    for label in (1, 2):
        both = ((back == label) & (unseen == label)).sum()
        dice = 2 * both / ((back == label).sum() + (unseen == label).sum())
        assert dice > 0.9


def test_codes_from_the_fit_are_those_of_the_encoder_and_have_unit_spread() -> None:
    maps = spheres(30)
    space = ShapeSpace(labels=3, shape=(16, 16, 16), components=6)
    codes = space.fit(maps)
    again, _ = space.encode(torch.from_numpy(maps))
    assert torch.allclose(codes, again, atol=0.05)
    assert torch.allclose(codes.std(dim=0), torch.ones(6), atol=0.02)


def test_the_prior_is_the_posterior_mean_of_its_normal_distribution() -> None:
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(4000, 1, generator=rng)
    mixing = torch.tensor([[1.0, 0.6], [0.0, 0.8]])
    rest = 0.5 * torch.randn(4000, 2, generator=rng) @ mixing
    codes = torch.cat([2 * z, -z], dim=1) + rest
    prior = GaussianPrior(2, 1)
    prior.fit(codes, torch.cat([z, torch.ones_like(z)], dim=1))
    covariance = 0.25 * mixing.T @ mixing
    x, alpha, sigma = torch.tensor([[0.3, -1.0]]), torch.tensor(0.8), torch.tensor(0.6)
    mean = torch.tensor([[1.0, -0.5]])
    gain = alpha * covariance @ torch.linalg.inv(alpha**2 * covariance + sigma**2 * torch.eye(2))
    expected = mean + (x - alpha * mean) @ gain.T
    found = prior.denoise(x, alpha, sigma, torch.tensor([[0.5, 1.0]]))
    assert torch.allclose(found, expected, atol=0.05)


def test_few_extreme_cases_do_not_bend_the_mean_through_themselves() -> None:
    rng = torch.Generator().manual_seed(0)
    z = torch.cat([torch.randn(150, 1, generator=rng), torch.tensor([[3.5], [4.5], [5.5]])])
    codes = z * torch.tensor([[1.0] + 31 * [0.0]]) + torch.randn(153, 32, generator=rng)
    prior = GaussianPrior(32, 1)
    prior.fit(codes, torch.cat([z, torch.ones_like(z)], dim=1))
    assert not prior.weights[2].any()
    prior.fit(codes + z**2, torch.cat([z, torch.ones_like(z)], dim=1))
    assert float(prior.weights[2].mean()) > 0.9


def test_label_features_may_be_kept_through_all_steps() -> None:
    reader = LabelEncoder(labels=3, factors=(2, 4), width=8)
    maps = one_hot(torch.randint(0, 3, (2, 8, 8, 8)), 3)
    first, second = reader(maps), reader(maps)
    assert all(torch.equal(first[factor], second[factor]) for factor in (2, 4))


def test_the_image_decoder_works_on_parts_as_on_the_whole() -> None:
    torch.manual_seed(0)
    net = ImageAutoencoder(1, 3, code_channels=2, widths=(8, 8), blocks=1).eval()
    labels = one_hot(torch.randint(0, 3, (1, 64, 8, 8)), 3)
    code = torch.randn(1, 2, 16, 2, 2)
    with torch.no_grad():
        whole, _ = net.decode(code, labels)
        part, _ = net.decode(code[:, :, :12], labels[:, :, :48])
    assert torch.allclose(whole[:, :, :16], part[:, :, :16], atol=1e-5)
