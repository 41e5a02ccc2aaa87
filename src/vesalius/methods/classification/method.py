"""Classification as a method: images with labels, a first fit, the training proper, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from vesalius.methods.classification.pipeline import (
    CALIBRATION,
    PART,
    ClassificationPipeline,
    write_plain,
)
from vesalius.methods.classification.recipe import ClassificationRecipe
from vesalius.methods.classification.training import (
    PRESETS,
    Training,
    TrainingObjective,
    require_both,
    untrained,
)
from vesalius.networks.dual_norm import to_dual_bn
from vesalius.scans.classified import Classified
from vesalius.scans.classified_layouts import read_classified
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress
from vesalius.training.calibration import platt
from vesalius.training.images_fingerprint import ImagesFingerprint
from vesalius.training.method import Data, Method, Part, Reading
from vesalius.training.run import Run

FEWEST = 16
FIRST = "first_fit"
LARGEST_SIDE = 4096


@dataclass(frozen=True)
class ClassificationData(Data):
    """Images to learn from and those held out; what the first fit gives, where it is known."""

    training: Classified = field(kw_only=True)
    held_out: Classified = field(kw_only=True)
    first: nn.Module | None = field(default=None, kw_only=True)


class Classification(Method[ClassificationData]):
    """Fit a classifier by adversarial training with dual batch normalisation, for clearer maps."""

    name, title, aliases = "classification", "classifier", ("classifier",)
    settings, measured = ClassificationRecipe, ImagesFingerprint

    def recipe(
        self, *, preset: Literal["smallest", "demo", "workstation", "published"] = "demo",
        training: Training = "dual", epsilon: float | None = None,
        norm: Literal["linf", "l2"] | None = None, seed: int = 0,
    ) -> ClassificationRecipe:  # fmt: skip
        """Settings of a run.

        Parameters
        ----------
        preset: str
            Sizes and steps: demo for CPU minutes, workstation for one GPU, published for ResNet-50.
        training: str
            dual learns clean and adversarial images through normalisations of their own; standard
            and adversarial are the baselines.
        epsilon: float
            Largest change of an attack, on intensities in [0, 1].
        norm: str
            Of that change.
        seed: int
            Of the fit.
        """
        base = PRESETS[preset]
        given = {"epsilon": epsilon, "norm": norm}
        attack = base.attack.changed(**{k: v for k, v in given.items() if v is not None})
        own = base.changed(training=training, attack=attack)
        return ClassificationRecipe(preset=preset, seed=seed, classifier=own)

    def read(
        self, source: Any, recipe: ClassificationRecipe, reading: Reading, *,
        label: Sequence[str] | None = None, side: int = 64,
        uncertain: Literal["unknown", "positive", "negative"] = "unknown",
    ) -> ClassificationData:  # fmt: skip
        """Read images; those of split `test` are not touched.

        A cohort whose cases.csv has columns of 0 and 1; a folder with labels.csv (file, subject,
        split, then a column for each label), of CheXpert or of ChestX-ray14; or a MedMNIST .npz.

        Parameters
        ----------
        label: list[str]
            To be learnt; all of them without it. May be repeated.
        side: int
            Pixels of the square that pictures are brought to.
        uncertain: str
            What CheXpert's uncertain labels are taken for.

        Raises:
            InputError: for too few images, or a label that none or all show.
        """
        if not 1 <= side <= LARGEST_SIDE:
            raise InputError("side", f"of {side} pixels is none", f"choose 1 to {LARGEST_SIDE}")
        images = source
        if not isinstance(source, Classified):
            images = read_classified(source, label or (), side, uncertain, reading.progress)
            reading.faults += images.faults
        training, held_out = images.split_by_subject(recipe.held_out, recipe.seed)
        if len(training) < FEWEST:
            fault = f"are {len(training)} to learn from"
            raise InputError("images", fault, f"add some: {FEWEST} is the least")
        require_both(training)
        return ClassificationData(
            recipe, ImagesFingerprint.of(training), training=training, held_out=held_out
        )

    def parts(self, data: ClassificationData) -> list[Part]:
        """A fit on images as they are, which all trainings begin with, then the training proper."""
        own, images = data.recipe.classifier, data.training
        shape = (images.images.shape[1], len(images.labels), images.dimensions)
        first = untrained(own, *shape) if data.first is None else data.first
        network = untrained(own, *shape)
        if own.training == "dual":
            network = to_dual_bn(network, own.momentum)

        def objective(stage: nn.Module, way: Training) -> TrainingObjective:
            return TrainingObjective(stage, images, data.held_out, own, way)

        def begin(run: Run[Any], progress: Progress) -> None:
            initial = to_dual_bn(first, own.momentum) if own.training == "dual" else first
            network.load_state_dict(initial.state_dict())

        parts = [
            Part(
                FIRST, first, own.first, len(images), lambda _: objective(first, "standard"),
                lambda run, progress: None, lambda: None, kept=False,
            ),
            Part(
                PART, network, own.second, len(images),
                lambda _: objective(network, own.training), begin, lambda: None,
            ),
        ]  # fmt: skip
        return parts if data.first is None else parts[1:]

    def finish(self, data: ClassificationData, run: Run[Any], progress: Progress) -> None:
        """Calibrate on the held-out images, and write the network without anything of ours.

        `plain.safetensors` is the state of MONAI's ResNet, `plain.pt2` a program for
        `torch.export.load`.
        """
        trained = self.open(run)
        logits = trained.logits(data.held_out.images)
        targets = data.held_out.targets.T
        pairs = [platt(own, truth) for own, truth in zip(logits.T, targets, strict=True)]
        run.note(CALIBRATION, {"held_out_images": len(data.held_out), "slope_and_offset": pairs})
        write_plain(trained.network, data.training.images[:2], run.folder)

    def card(self, data: ClassificationData, run: Run[Any]) -> list[str]:
        """Labels with their prevalence, images, training, and calibration."""
        seen, own = data.fingerprint, data.recipe.classifier
        attack = own.attack
        against = f", against {attack.norm} attacks of {attack.epsilon:g}"
        return [
            *(
                f"{name}: shown by {share:.1%}"
                for name, share in zip(seen.labels, seen.prevalence, strict=True)
            ),
            f"images: {' × '.join(map(str, seen.shape))}, {seen.channels} channels",
            f"training: {own.training}{against if own.training != 'standard' else ''}",
            f"calibrated on {len(data.held_out)} held-out images",
        ]

    def open(self, run: Run[Any]) -> ClassificationPipeline:
        """The network on its device, ready for images."""
        return ClassificationPipeline(run)
