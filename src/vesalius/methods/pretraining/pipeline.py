"""A finished pre-training: a network to begin from, and an embedding of scans."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from vesalius.methods.pretraining.training import PretrainingRecipe
from vesalius.networks.segmenter import Segmenter
from vesalius.scans.case import Scan
from vesalius.scans.input_error import InputError
from vesalius.training.device import fabric_for, placed
from vesalius.training.preparation import prepared
from vesalius.training.run import AGAIN, Run

PART = "segmenter"


def pretrained_segmenter(folder: str | Path) -> tuple[Segmenter, PretrainingRecipe, str]:
    """The network of a pre-training, how it was made, and the name of its run."""
    run = Run.open(folder, PretrainingRecipe)
    recipe = run.recipe
    assert isinstance(recipe, PretrainingRecipe)
    network = Segmenter(len(run.fingerprint.channels), 2, recipe.filters, recipe.architecture)
    run.load(PART, network)
    return network.eval(), recipe, run.name


class Embedding:
    """What a pre-trained network sees in a scan, as one vector.

    The deepest maps, averaged into 4³ blocks: what they see, and roughly where.

    Args:
        folder: run of a pre-training.
        channels: of the scans.

    Raises:
        InputError: if it was learnt from scans of other channels.
    """

    def __init__(self, folder: str | Path, channels: int) -> None:
        network, recipe, _ = pretrained_segmenter(folder)
        self.network = placed(network)
        learnt = len(Run.open(folder, PretrainingRecipe).fingerprint.channels)
        if learnt != channels:
            fault = f"was learnt from scans of {learnt} channels, these have {channels}"
            raise InputError(folder, fault, "pre-train on the cohort itself")
        if recipe.spacing_mm is None:
            raise InputError(Path(folder) / "recipe.json", "says no spacing", AGAIN)
        self.spacing_mm = recipe.spacing_mm

    @torch.no_grad()
    def of(self, scan: Scan) -> np.ndarray:
        """The vector `(F,)` of a scan."""
        image = torch.from_numpy(prepared(scan.channels, self.spacing_mm)[0])[None]
        image = image.to(fabric_for().device)
        deepest = self.network.features(image)[1].float()
        vector: np.ndarray = functional.adaptive_avg_pool3d(deepest, 4).flatten().cpu().numpy()
        return vector
