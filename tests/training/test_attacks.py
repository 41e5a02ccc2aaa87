"""Attacks against closed forms, their balls, and what they must leave as it was."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vesalius.training.attacks import Attack, Norm, frozen, pgd, projected, start
from vesalius.training.strong_attacks import apgd, square_attack, strongest


def _chance() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_on_a_linear_loss_the_worst_change_is_found_from_any_start(norm: Norm) -> None:
    weights = torch.randn(3, 6, 6, generator=_chance())
    images = torch.full((4, 3, 6, 6), 0.5)
    attack = Attack(norm=norm, epsilon=0.03, steps=40, step=0.25)
    found = pgd(lambda images: (images * weights).flatten(1).sum(1), images, attack, _chance())
    best = 0.03 * (weights.sign() if norm == "linf" else weights / weights.norm())
    reached = ((found - images) * weights).flatten(1).sum(1)
    assert torch.allclose(reached, (best * weights).sum().expand(4), rtol=0.01)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_starts_and_steps_stay_in_the_ball_and_in_the_range(norm: Norm) -> None:
    attack = Attack(norm=norm, epsilon=0.2)
    images = torch.rand(64, 1, 5, 5, generator=_chance())
    noise = start(images, attack, _chance())
    size = noise.flatten(1).norm(dim=1) if norm == "l2" else noise.abs().flatten(1).amax(1)
    assert size.max() <= 0.2 + 1e-6
    assert size.median() > 0.15
    far = projected(images + 10 * torch.randn(images.shape, generator=_chance()), images, attack)
    change = (far - images).flatten(1)
    assert (change.norm(dim=1) if norm == "l2" else change.abs().amax(1)).max() <= 0.2 + 1e-6
    assert far.min() >= 0 and far.max() <= 1


def test_an_attack_never_ends_with_a_lower_loss_than_the_image_has() -> None:
    def losses(images: Tensor) -> Tensor:
        return -(images - 0.5).flatten(1).square().sum(1)  # highest at the image itself

    images = torch.full((3, 1, 4, 4), 0.5)
    found = pgd(losses, images, Attack(epsilon=0.1, restarts=2), _chance())
    assert torch.equal(found, images)


def test_more_restarts_find_no_weaker_change() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 1))
    images = torch.rand(8, 1, 4, 4)

    def losses(images: Tensor) -> Tensor:
        out: Tensor = network(images)[:, 0].sin()
        return out

    one, many = (
        losses(pgd(losses, images, Attack(epsilon=0.3, steps=3, restarts=count), _chance()))
        for count in (1, 6)
    )
    assert (many >= one - 1e-6).all() and many.sum() > one.sum()


def test_a_network_is_left_as_it_was_flags_statistics_and_gradients() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.Flatten())
    network[2].eval()
    network[0].bias.requires_grad_(False)  # type: ignore[union-attr]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with frozen(network):
        assert not any(weight.requires_grad for weight in network.parameters())
        pgd(lambda images: network(images).sum(1), torch.rand(2, 1, 6, 6), Attack(), _chance())
    assert [part.training for part in network] == [True, True, False, True]
    assert [w.requires_grad for w in network.parameters()] == [True, False, True, True]
    assert all(weight.grad is None for weight in network.parameters())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def _wavy() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 1), nn.Tanh())


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_adaptive_steps_find_no_less_than_plain_ones_and_stay_in_the_ball(norm: Norm) -> None:
    network, images = _wavy(), torch.rand(16, 1, 8, 8, generator=_chance())

    def losses(images: Tensor) -> Tensor:
        out: Tensor = network(images)[:, 0]
        return out

    attack = Attack(norm=norm, epsilon=0.1 if norm == "linf" else 0.8, steps=20)
    plain, adaptive = (
        losses(kind(losses, images, attack, _chance())).detach() for kind in (pgd, apgd)
    )
    assert adaptive.mean() >= plain.mean() - 1e-3
    change = (apgd(losses, images, attack, _chance()) - images).flatten(1)
    size = change.norm(dim=1) if norm == "l2" else change.abs().amax(1)
    assert size.max() <= attack.epsilon + 1e-6


def test_squares_climb_where_a_rounded_network_has_no_gradient() -> None:
    network, images = _wavy(), torch.rand(8, 1, 8, 8, generator=_chance())

    def losses(images: Tensor) -> Tensor:
        masked: Tensor = (100 * network(images)[:, 0]).round() / 100
        return masked

    attack = Attack(epsilon=0.1, steps=150)
    by_gradient = losses(apgd(losses, images, attack.changed(steps=10), _chance()))
    found = square_attack(losses, images, attack, _chance())
    assert losses(found).mean() > by_gradient.mean() + 0.05
    assert (found - images).abs().max() <= 0.1 + 1e-6 and 0 <= found.min() <= found.max() <= 1
    both = strongest(losses, [losses], images, attack, _chance())
    assert (losses(both) >= losses(images)).all()
    assert losses(both).mean() > by_gradient.mean() + 0.05


def test_squares_are_cubes_in_volumes() -> None:
    images = torch.full((2, 1, 6, 6, 6), 0.5)
    found = square_attack(lambda x: x.flatten(1).sum(1), images, Attack(epsilon=0.1, steps=60),
                          _chance())  # fmt: skip
    assert (found - images).mean() > 0.05
