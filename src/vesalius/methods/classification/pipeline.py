"""A finished classifier: calibrated probabilities of images it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, FiniteFloat
from scipy.special import expit
from torch import nn

from vesalius.methods.classification.recipe import ClassificationRecipe
from vesalius.methods.classification.training import predicted, untrained
from vesalius.networks.dual_norm import to_dual_bn, to_single_bn
from vesalius.networks.weights import write_tensors
from vesalius.scans.formats.table import write_table
from vesalius.scans.input_error import InputError
from vesalius.scans.writing import make_folder, replacing
from vesalius.training.device import placed
from vesalius.training.images_fingerprint import ImagesFingerprint
from vesalius.training.run import AGAIN, Run

PART, CALIBRATION = "classifier", "calibration"


class _Calibrated(BaseModel):
    """What a run keeps of its calibration."""

    slope_and_offset: list[tuple[FiniteFloat, FiniteFloat]]


class ClassificationPipeline:
    """A classifier of a run, ready for images.

    Args:
        run: of classification.
    """

    def __init__(self, run: Run[ImagesFingerprint]) -> None:
        recipe = run.recipe
        assert isinstance(recipe, ClassificationRecipe)
        self.run, self.labels, own = run, run.fingerprint.labels, recipe.classifier
        network = untrained(
            own, run.fingerprint.channels, len(self.labels), len(run.fingerprint.shape)
        )
        self.network = to_dual_bn(network) if own.training == "dual" else network
        run.load(PART, self.network)
        placed(self.network)
        self.pairs = np.tile([1.0, 0.0], (len(self.labels), 1))
        if run.has_note(CALIBRATION):
            self.pairs = np.array(run.noted(CALIBRATION, _Calibrated).slope_and_offset)
            if len(self.pairs) != len(self.labels):
                fault = f"calibrates {len(self.pairs)} of {len(self.labels)} labels"
                raise InputError(run.folder / f"{CALIBRATION}.json", fault, AGAIN)

    @classmethod
    def open(cls, folder: str | Path) -> ClassificationPipeline:
        """Open a run and load its network."""
        return cls(Run.open(folder, ClassificationRecipe, ImagesFingerprint))

    def initialised(self, outputs: int, seed: int) -> nn.Module:
        """The plain network of the clean path with a fresh last layer, to learn other labels."""
        plain = to_single_bn(self.network)
        torch.manual_seed(seed)
        plain.fc = nn.Linear(plain.get_submodule("fc").in_features, outputs)  # type: ignore[arg-type]
        return plain

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits `(N, K)` of images `(N, C, …)` in [0, 1], through the clean path.

        Raises:
            InputError: for images of another shape than the run has learnt from.
        """
        seen = self.run.fingerprint
        if images.shape[1:] != (seen.channels, *seen.shape):
            fault = f"are of shape {images.shape[1:]}, the run's {(seen.channels, *seen.shape)}"
            raise InputError("images", fault, "bring them to the shape of the run")
        result: np.ndarray = predicted(self.network, images).numpy()
        return result

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Calibrated probabilities `(N, L)` of images `(N, C, ...)` in [0, 1]."""
        return self.probabilities(images)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Calibrated probabilities `(N, K)`."""
        result: np.ndarray = expit(self.pairs[:, 0] * self.logits(images) + self.pairs[:, 1])
        return result


def write_plain(network: nn.Module, images: np.ndarray, folder: Path) -> None:
    """Write the network of the clean path so that it loads without this library."""
    plain = to_single_bn(network).cpu().eval()
    state = {name: value.contiguous() for name, value in plain.state_dict().items()}
    example = torch.from_numpy(images.astype(np.float32))
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(plain, (example,), dynamic_shapes=({0: batch},))
    write_tensors(folder / "plain.safetensors", state)
    with replacing(folder / "plain.pt2") as partial:
        torch.export.save(program, partial)


def write_probabilities(
    trained: ClassificationPipeline, images: np.ndarray, names: Sequence[str], out: Path
) -> Path:
    """Write a CSV of one row an image with the probability of each label."""
    make_folder(out.parent)
    result = trained.probabilities(images)
    records = [
        [name, *(f"{value:.4f}" for value in row)] for name, row in zip(names, result, strict=True)
    ]
    write_table(out, ["image", *trained.labels], records)
    return out
