"""The crop classifier: it learns what can be learnt, and refuses what cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vesalius.methods.classification.crops import (
    ClassifierRecipe,
    LabelledCrops,
    classify,
    fit_classifier,
)
from vesalius.scans.input_error import InputError
from vesalius.training.recipe import FitRecipe

RECIPE = ClassifierRecipe(
    widths=(8, 8, 16, 16),
    fit=FitRecipe(steps=60, batch_size=16, learning_rate=5e-3, moving_average=0.9,
                  precision="32-true"),
)  # fmt: skip


def crops(count: int, seed: int) -> LabelledCrops:
    """Noise with a bright spot for the first pathology, a dark one for the second; both rare."""
    rng = np.random.default_rng(seed)
    images = 0.5 + 0.05 * rng.standard_normal((count, 4, 16, 16)).astype(np.float32)
    targets = (rng.random((count, 2)) < 0.15).astype(float)
    targets[0], targets[1] = (1, 0), (0, 1)
    images[targets[:, 0] > 0, :, 4:8, 4:8] += 0.5
    images[targets[:, 1] > 0, :, 9:13, 9:13] -= 0.5
    return LabelledCrops(images, targets, ("herniation", "stenosis"))


def test_rare_findings_are_learnt(tmp_path: Path) -> None:
    network = fit_classifier(crops(60, 0), RECIPE, 0, tmp_path)
    unseen = crops(80, 1)
    scores = classify(network, unseen.images)
    for column in range(2):
        positive = unseen.targets[:, column] > 0
        assert scores[positive, column].mean() > scores[~positive, column].mean() + 0.3


def test_sets_without_a_pathology_are_refused(tmp_path: Path) -> None:
    empty = crops(20, 0)
    with pytest.raises(InputError, match="stenosis"):
        fit_classifier(
            LabelledCrops(empty.images, empty.targets * [1, 0], empty.names), RECIPE, 0, tmp_path
        )
