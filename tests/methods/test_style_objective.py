"""The game of generator and critic: penalties against closed forms, augmentation that adapts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vesalius.methods.progression.augmentation import AdaptiveAugmentation
from vesalius.methods.progression.objectives import StyleObjective
from vesalius.methods.progression.recipe import StyleRecipe
from vesalius.networks.feature_critic import FeatureCritic
from vesalius.networks.style_generator import StyleGenerator
from vesalius.scans.progress import Progress, no_progress
from vesalius.training.loop import fit_network

SMALL = StyleRecipe(
    widths=(8, 8), critic_widths=(8, 8), noise=4, style=6, mapping_layers=2, r1_every=2,
    path_every=2,
    fit=StyleRecipe().fit.changed(steps=6, batch_size=4),
)  # fmt: skip


FEATURES = SMALL.changed(critic="features", widths=(8, 8, 8))


def _objective(recipe: StyleRecipe = SMALL) -> StyleObjective:
    torch.manual_seed(0)
    side = 2 ** (len(recipe.widths) + 1)
    pictures = np.random.default_rng(0).random((12, 1, side, side)).astype(np.float32)
    generator = StyleGenerator(1, recipe.widths, recipe.noise, recipe.style, recipe.mapping_layers)
    return StyleObjective(generator, pictures, recipe)


def test_r1_is_the_squared_gradient_of_a_linear_critic() -> None:
    objective = _objective()
    weights = torch.randn(64)

    class Linear(torch.nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return pictures.flatten(1) @ weights

    objective.critic = Linear()  # type: ignore[assignment]
    found = objective._r1(torch.randn(3, 1, 8, 8), torch.Generator())
    assert float(found) == pytest.approx(SMALL.r1 / 2 * float(weights.square().sum()), rel=1e-4)


def test_the_path_length_moves_towards_what_is_measured() -> None:
    objective = _objective()
    first = float(objective._path(4, torch.Generator().manual_seed(0)).detach())
    assert first > 0 and 0 < float(objective.path_mean) < 1
    assert all(torch.isfinite(w).all() for w in objective.parameters())


def test_augmentation_rises_with_a_sure_critic_and_falls_with_an_unsure_one() -> None:
    augment = AdaptiveAugmentation(100)
    for _ in range(5):
        augment.judged(torch.ones(10))
    risen = float(augment.probability)
    for _ in range(3):
        augment.judged(-torch.ones(10))
    assert risen == pytest.approx(0.5) and float(augment.probability) == pytest.approx(0.2)
    pictures = torch.rand(50, 1, 8, 8)
    seen = augment(pictures, torch.Generator().manual_seed(0))
    kept = [torch.allclose(a, b, atol=1e-4) for a, b in zip(seen, pictures, strict=True)]
    assert 0 < sum(kept) < 50  # each of five changes comes with probability 0.2
    requested = pictures.requires_grad_(True)
    augment(requested, torch.Generator()).sum().backward()
    assert requested.grad is not None and requested.grad.abs().sum() > 0


def test_a_critic_of_features_learns_and_what_it_looks_through_does_not() -> None:
    objective = _objective(FEATURES)
    assert isinstance(objective.critic, FeatureCritic)
    frozen = [one.clone() for one in objective.critic.stages.stages.state_dict().values()]
    before = {name: one.detach().clone() for name, one in objective.named_parameters()}
    assert not any("stages" in name for name in objective.state_dict())
    optimizer = torch.optim.Adam(objective.parameters(), 1e-2)
    for step in range(2):
        rng = torch.Generator().manual_seed(step)
        objective.loss_of(torch.arange(4), rng).backward()
        optimizer.step()
    moved = {name for name, one in objective.named_parameters() if not one.equal(before[name])}
    assert {name.split(".")[0] for name in moved} == {"generator", "critic"}
    kept = objective.critic.stages.stages.state_dict().values()
    assert all(torch.equal(one, own) for one, own in zip(frozen, kept, strict=True))


@pytest.mark.parametrize("recipe", [SMALL, FEATURES], ids=["pixels", "features"])
def test_a_killed_fit_goes_on_to_the_same_weights(
    recipe: StyleRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vesalius.training.loop.SECONDS_BETWEEN_STATES", 0.0)

    class Killed(Exception):
        pass

    def killing(what: str, done: int, total: int) -> None:
        if done == 3:
            raise Killed

    def fitted(place: str, progress: Progress = no_progress) -> torch.nn.Module:
        folder = tmp_path / place
        return fit_network(_objective(recipe), 12, recipe.fit, 0, "style", folder, progress)

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = fitted("a")
    with pytest.raises(Killed):
        fitted("b", killing)
    again = fitted("b")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
