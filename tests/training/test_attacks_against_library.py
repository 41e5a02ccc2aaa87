"""Attacks beside those of the Adversarial Robustness Toolbox, on one label as two classes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.training.attacks import Attack, Norm, pgd
from vesalius.training.strong_attacks import apgd, square_attack

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from art.attacks.evasion import (
        AutoProjectedGradientDescent,
        ProjectedGradientDescent,
        SquareAttack,
    )
    from art.estimators.classification import PyTorchClassifier

SIZES: dict[Norm, float] = {"linf": 0.03, "l2": 0.3}


class _TwoClasses(nn.Module):
    """A classifier of one label as the library takes it: logits of its absence and presence."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, padding=1),
            nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 1),
        ).requires_grad_(False)  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        logit = 20 * self.network(images)
        return torch.cat([torch.zeros_like(logit), logit], dim=1)


class _Setting:
    """One network and 24 images, as both attack them."""

    def __init__(self) -> None:
        self.network = _TwoClasses().eval()
        self.images = torch.rand(24, 1, 16, 16, generator=torch.Generator().manual_seed(1))
        self.truth = (torch.arange(24) % 2).long()
        self.known = np.eye(2, dtype=np.float32)[self.truth.numpy()]
        self.library = PyTorchClassifier(
            self.network, nn.CrossEntropyLoss(), (1, 16, 16), 2, clip_values=(0.0, 1.0),
            device_type="cpu",
        )  # fmt: skip

    def losses(self, images: Tensor) -> Tensor:
        """Of each image."""
        return functional.cross_entropy(self.network(images), self.truth, reduction="none")

    def theirs(self, attack: object) -> Tensor:
        """What the library finds."""
        found = attack.generate(self.images.numpy(), y=self.known)  # type: ignore[attr-defined]
        return torch.from_numpy(found)


@pytest.fixture(scope="module")
def setting() -> _Setting:
    return _Setting()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_projected_gradient_descent_reaches_the_same(setting: _Setting, norm: Norm) -> None:
    size = SIZES[norm]
    theirs = setting.theirs(
        ProjectedGradientDescent(
            setting.library, np.inf if norm == "linf" else 2, size, 0.25 * size, max_iter=10,
            num_random_init=0, verbose=False,
        )
    )  # fmt: skip
    attack = Attack(norm=norm, epsilon=size, step=0.25, steps=10, random_start=False)
    ours = pgd(setting.losses, setting.images, attack, torch.Generator().manual_seed(0))
    before = setting.losses(setting.images).mean()
    rises = [float(setting.losses(found).mean() - before) for found in (theirs, ours)]
    assert rises[0] > 0.05 and rises[1] == pytest.approx(rises[0], rel=0.01)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_adaptive_steps_are_as_strong(setting: _Setting, norm: Norm) -> None:
    size = SIZES[norm]
    theirs = setting.theirs(
        AutoProjectedGradientDescent(
            setting.library, np.inf if norm == "linf" else 2, size, 2 * size, max_iter=30,
            nb_random_init=1, batch_size=24, loss_type="cross_entropy", verbose=False,
        )
    )  # fmt: skip
    attack = Attack(norm=norm, epsilon=size, steps=30)
    ours = apgd(setting.losses, setting.images, attack, torch.Generator().manual_seed(0))
    reached = [float(setting.losses(found).mean()) for found in (theirs, ours)]
    assert reached[1] > 0.99 * reached[0]


def test_squares_without_gradients_are_as_strong(setting: _Setting) -> None:
    np.random.seed(0)  # the library draws from it
    theirs = setting.theirs(
        SquareAttack(
            setting.library, norm=np.inf, eps=SIZES["linf"], max_iter=200, nb_restarts=1,
            batch_size=24, verbose=False,
        )
    )  # fmt: skip
    attack = Attack(epsilon=SIZES["linf"], steps=200)
    ours = square_attack(setting.losses, setting.images, attack, torch.Generator().manual_seed(0))
    reached = [float(setting.losses(found).mean()) for found in (theirs, ours)]
    assert reached[1] > 0.99 * reached[0]
