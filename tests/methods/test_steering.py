"""Styles move until the generated picture has changed as much as was asked."""

from __future__ import annotations

import numpy as np
import torch

from vesalius.methods.progression.evaluator import AttributeEvaluator, read_attributes
from vesalius.methods.progression.projection import draw_styles
from vesalius.methods.progression.recipe import EvaluatorRecipe
from vesalius.methods.progression.steering import Steering
from vesalius.methods.progression.trajectories import Baseline, Trajectories
from vesalius.networks.style_generator import StyleGenerator

NAMES = ("medial", "lateral")


def _readings(steering: Steering, styles: np.ndarray) -> np.ndarray:
    return read_attributes(steering.evaluator, draw_styles(steering.generator, styles))


def _steering(seen: tuple[float, float]) -> tuple[Steering, np.ndarray]:
    """Untrained networks, trajectories in every direction of W, and some styles of today."""
    torch.manual_seed(0)
    generator = StyleGenerator(1, (8, 8, 8), 8, 8, 2)
    evaluator = AttributeEvaluator(1, NAMES, EvaluatorRecipe(width=4))
    rng = np.random.default_rng(0)
    annual_change = 0.3 * rng.standard_normal((60, 8))
    start = rng.standard_normal((60, 8))
    read = [
        read_attributes(evaluator, draw_styles(generator, one))
        for one in (start, start + annual_change)
    ]
    evaluator.std.copy_(torch.from_numpy(1 / (read[1] - read[0]).std(axis=0)))
    ends = np.array([[seen[0]] * 2, [seen[1]] * 2])
    trajectories = Trajectories(
        tuple(map(str, range(60))), Baseline(start, start), annual_change,
        (read[1] - read[0]) / (read[1] - read[0]).std(axis=0), np.ones(60), ends,
    )  # fmt: skip
    return Steering.of(trajectories, generator, evaluator), rng.standard_normal((6, 8))


def test_the_picture_changes_as_much_as_was_asked() -> None:
    steering, styles = _steering((-1e6, 1e6))
    requested = np.random.default_rng(1).uniform(-0.5, 0.5, (6, 5, 2))
    then = steering.moved(styles, requested)
    assert then.shape == (6, 5, 8)
    now = _readings(steering, styles)
    came = _readings(steering, then.reshape(30, 8)).reshape(6, 5, 2) - now[:, None]
    assert np.abs(came - requested).mean() < 0.25 * np.abs(requested).mean()
    assert np.allclose(steering.moved(styles, np.zeros((6, 1, 2)))[:, 0], styles, atol=1e-3)


def test_nothing_is_asked_for_that_no_course_has_shown() -> None:
    steering, styles = _steering((-1e6, 1e6))
    now = _readings(steering, styles)
    bounded = Steering(
        steering.generator, steering.evaluator, steering.std, steering.slack, now.min(axis=0),
        now.max(axis=0) + 0.1,
    )  # fmt: skip
    far = bounded.moved(styles, np.full((6, 1, 2), 50.0))[:, 0]
    near = steering.moved(styles, (now.max(axis=0) + 0.1 - now)[:, None])[:, 0]
    assert np.allclose(far, near, atol=1e-4)
