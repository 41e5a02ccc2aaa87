"""A classifier as a run: from classified images to calibrated probabilities of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, FiniteFloat
from scipy.special import expit
from torch import Tensor, nn

from vesalius.networks.classifier import residual_classifier
from vesalius.networks.dual_norm import doubled, single
from vesalius.networks.weights import write_tensors
from vesalius.scans.classified import Classified
from vesalius.scans.fault import Refused
from vesalius.scans.formats.table import write_table
from vesalius.scans.progress import Progress, silent
from vesalius.scans.writing import make_folder, replacing
from vesalius.tasks.adversarial_training import (
    PRESETS,
    ClassifierTraining,
    predicted,
    require_both,
    train_classifier,
)
from vesalius.training.calibration import platt
from vesalius.training.images_fingerprint import ImagesFingerprint
from vesalius.training.plan import Plan, planned, step_cost
from vesalius.training.recipe import Settings
from vesalius.training.run import AGAIN, Run

PART = "classifier"
CALIBRATION = "calibration"
FEWEST = 16


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


@dataclass(frozen=True)
class PreparedClassification:
    """Images that were read, and the plan. Nothing is written yet."""

    recipe: ClassificationRecipe
    fingerprint: ImagesFingerprint
    plan: Plan
    training: Classified
    held_out: Classified


def prepare_classification(
    images: Classified, recipe: ClassificationRecipe
) -> PreparedClassification:
    """Split images by subject and plan the fit; those of split `test` are not touched.

    Raises:
        Refused: for too few images, a label that none or all show, or too little memory.
    """
    training, held_out = images.split_by_subject(recipe.held_out, recipe.seed)
    if len(training) < FEWEST:
        fault = f"are {len(training)} to learn from"
        raise Refused("images", fault, f"add some: {FEWEST} is the least")
    require_both(training)
    plan = _plan(recipe.classifier, training, held_out)
    plan.require_room()
    seen = ImagesFingerprint.of(training)
    return PreparedClassification(recipe, seen, plan, training, held_out)


def fit_classification(
    ready: PreparedClassification, out: str | Path, progress: Progress = silent,
    begun: nn.Module | None = None,
) -> Run[ImagesFingerprint]:  # fmt: skip
    """Fit a classifier, or go on with a fit that was killed, and calibrate it.

    Beside the weights of the run stands the network without anything of ours: `plain.safetensors`,
    the state of MONAI's ResNet, and `plain.pt2`, a program for `torch.export.load`.

    Args:
        ready: see `prepare_classification`.
        out: folder of the run.
        progress: told after each step.
        begun: see `train_classifier`.

    Raises:
        Refused: if the folder holds another run, or for a loss that is not finite.
    """
    recipe, seen = ready.recipe, ready.fingerprint
    run = Run.create(out, recipe, seen)
    if not run.has(PART):
        network = train_classifier(
            ready.training, ready.held_out, recipe.classifier, recipe.seed, run.folder, progress,
            begun,
        )  # fmt: skip
        run.save(PART, network)
    trained = TrainedClassifier(run)
    logits = trained.logits(ready.held_out.images)
    pairs = [platt(own, told) for own, told in zip(logits.T, ready.held_out.targets.T, strict=True)]
    run.note(CALIBRATION, {"held_out_images": len(ready.held_out), "slope_and_offset": pairs})
    write_plain(trained.network, ready.training.images[:2], run.folder)
    phantom = "**Fitted on phantoms, not on patients.** " if seen.origin == "phantom" else ""
    way, attack = recipe.classifier.training, recipe.classifier.attack
    against = f", against {attack.norm} attacks of {attack.epsilon:g}" if way != "standard" else ""
    run.write_card([
        f"# Run {run.name}: classifier",
        "",
        f"{phantom}Fitted on {seen.images} images of {seen.subjects} subjects.",
        "",
        *(f"- {name}: shown by {share:.1%}"
          for name, share in zip(seen.labels, seen.prevalence, strict=True)),
        f"- images: {' × '.join(map(str, seen.shape))}, {seen.channels} channels",
        f"- training: {way}{against}",
        f"- calibrated on {len(ready.held_out)} held-out images",
        f"- preset {recipe.preset}, seed {recipe.seed}",
        "",
        "Not for diagnosis.",
    ])  # fmt: skip
    run.finish()
    return run


class _Calibrated(BaseModel):
    """What a run keeps of its calibration."""

    slope_and_offset: list[tuple[FiniteFloat, FiniteFloat]]


class TrainedClassifier:
    """A classifier of a run, ready for images.

    Args:
        run: of `fit_classification`.
    """

    def __init__(self, run: Run[ImagesFingerprint]) -> None:
        recipe = run.recipe
        assert isinstance(recipe, ClassificationRecipe)
        self.run, self.labels, own = run, run.fingerprint.labels, recipe.classifier
        network = residual_classifier(
            run.fingerprint.channels, len(self.labels), len(run.fingerprint.shape), own.depth,
            own.width, own.stem,
        )  # fmt: skip
        self.network = doubled(network) if own.training == "dual" else network
        run.load(PART, self.network)
        self.network.eval()
        self.pairs = np.tile([1.0, 0.0], (len(self.labels), 1))
        if run.has_note(CALIBRATION):
            self.pairs = np.array(run.noted(CALIBRATION, _Calibrated).slope_and_offset)
            if len(self.pairs) != len(self.labels):
                fault = f"calibrates {len(self.pairs)} of {len(self.labels)} labels"
                raise Refused(run.folder / f"{CALIBRATION}.json", fault, AGAIN)

    @classmethod
    def open(cls, folder: str | Path) -> TrainedClassifier:
        """Open a run and load its network."""
        return cls(Run.open(folder, ClassificationRecipe, ImagesFingerprint))

    def begun(self, outputs: int, seed: int) -> nn.Module:
        """The plain network of the clean path with a fresh last layer, to learn other labels."""
        plain = single(self.network)
        torch.manual_seed(seed)
        plain.fc = nn.Linear(plain.get_submodule("fc").in_features, outputs)  # type: ignore[arg-type]
        return plain

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits `(N, K)` of images `(N, C, …)` in [0, 1], through the clean path.

        Raises:
            Refused: for images of another shape than the run has learnt from.
        """
        seen = self.run.fingerprint
        if images.shape[1:] != (seen.channels, *seen.shape):
            fault = f"are of shape {images.shape[1:]}, the run's {(seen.channels, *seen.shape)}"
            raise Refused("images", fault, "bring them to the shape of the run")
        found: np.ndarray = predicted(self.network, images).numpy()
        return found

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Calibrated probabilities `(N, K)`."""
        found: np.ndarray = expit(self.pairs[:, 0] * self.logits(images) + self.pairs[:, 1])
        return found


def write_plain(network: nn.Module, images: np.ndarray, folder: Path) -> None:
    """Write the network of the clean path so that it loads without this library."""
    plain = single(network).cpu().eval()
    state = {name: value.contiguous() for name, value in plain.state_dict().items()}
    example = torch.from_numpy(images.astype(np.float32))
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(plain, (example,), dynamic_shapes=({0: batch},))
    write_tensors(folder / "plain.safetensors", state)
    with replacing(folder / "plain.pt2") as partial:
        torch.export.save(program, partial)


def write_probabilities(
    trained: TrainedClassifier, images: np.ndarray, names: Sequence[str], out: Path
) -> Path:
    """Write a CSV of one row an image with the probability of each label."""
    make_folder(out.parent)
    found = trained.probabilities(images)
    records = [
        [name, *(f"{value:.4f}" for value in row)] for name, row in zip(names, found, strict=True)
    ]
    write_table(out, ["image", *trained.labels], records)
    return out


def _plan(recipe: ClassifierTraining, training: Classified, held_out: Classified) -> Plan:
    images = training.images
    batch = recipe.second.batch_size

    def build() -> nn.Module:
        return residual_classifier(
            images.shape[1], len(training.labels), training.dimensions, recipe.depth, recipe.width,
            recipe.stem,
        )  # fmt: skip

    def step(network: nn.Module) -> Tensor:
        out: Tensor = network(torch.rand(batch, *images.shape[1:]))
        return out.square().mean()

    cost = step_cost(build, step, recipe.second.precision)
    ascents = recipe.attack.steps * recipe.attack.restarts
    times = {"standard": 1, "adversarial": 1 + ascents, "dual": 2 + ascents}[recipe.training]
    fits = (
        planned("first fit", recipe.first.steps, cost, recipe.first.precision),
        planned(PART, times * recipe.second.steps, cost, recipe.second.precision),
    )
    return Plan(fits, float(images.nbytes + held_out.images.nbytes))
