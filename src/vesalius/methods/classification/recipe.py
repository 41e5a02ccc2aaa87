"""Settings of a classifier that is kept."""

from __future__ import annotations

from vesalius.methods.classification.training import PRESETS, ClassifierTraining
from vesalius.training.recipe import Settings


class ClassificationRecipe(Settings):
    """Settings of a classifier that is kept.

    Attributes:
        method: what this run is.
        preset: the name this recipe started from.
        seed: of weights, order and split.
        held_out: share of the subjects kept for choosing weights and calibration, where the data
            names no validation set.
        classifier: network and training.
    """

    method: str = "classification"
    preset: str = "demo"
    seed: int = 0
    held_out: float = 0.15
    classifier: ClassifierTraining = PRESETS["demo"]
