"""Does pre-training on generated volumes teach? The arms, their controls, and paired seeds."""

from __future__ import annotations

import csv
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import bootstrapped, student_mean
from vesalius.evidence.overlap import dice
from vesalius.experiments.volumes.recipe import (
    MAIN_ARMS,
    Arm,
    OrganRecipe,
    VolumesExperimentRecipe,
)
from vesalius.geometry.deformation import smooth_noise
from vesalius.methods.pretraining.method import prepared_images
from vesalius.methods.pretraining.training import pretrain
from vesalius.methods.segmentation.training import TrainingScans, fit_segmenter
from vesalius.networks.segmenter import Segmenter
from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.progress import Progress
from vesalius.scans.reading import Scans
from vesalius.scans.writing import make_folder, write_text
from vesalius.training.content import content_digest
from vesalius.training.device import fabric_for, placed
from vesalius.training.preparation import body_sides_mm, common_shape
from vesalius.training.store import CaseStore, HeldStore, Layout

STORES = "stores"
"""Folder of what trainings learn from; it is removed when they are done."""

UNIT = "pre-trainings"
"""What n counts; a training from scratch counts with those it is paired with."""

COLUMNS = ("fraction", "arm", "seed", "case", "dice")


class Transfer:
    """Pre-trainings and fine-tunings of one organ, each done once.

    For a seed and a fraction all arms see the same labelled cases, in the same order, for the same
    number of steps; only what the network begins from differs, and for the arm `longer` the number
    of steps, to which those of pre-training are added.

    Args:
        folder: of the organ.
        recipe: of the experiment.
        organ: what differs between organs.
        real: cohort whose label maps are used, the labelled cases first.
        synthetic: generated volumes.
        test: unseen labelled cases.
        progress: called after each step.
    """

    def __init__(
        self, folder: Path, recipe: VolumesExperimentRecipe, organ: OrganRecipe, real: Cohort,
        synthetic: Cohort, test: Cohort, progress: Progress,
    ) -> None:  # fmt: skip
        self.folder, self.recipe, self.organ = make_folder(folder / "transfer"), recipe, organ
        self.real, self.synthetic, self.test, self.progress = real, synthetic, test, progress
        self.labels = real.description.labels
        self.table = self.folder / "dice.csv"
        self._initialised: dict[tuple[Arm, int], Segmenter] = {}

    def run(self) -> None:
        """Fine-tune every arm at every fraction, and write `dice.csv`."""
        labelled = self._scans(self.real, self.recipe.labelled_cases)
        test = self._scans(self.test, self.recipe.test_cases)
        done = {(row["fraction"], row["arm"], row["seed"]) for row in read_dice(self.table)}
        for fraction in self.recipe.fractions:
            primary = fraction == self.recipe.primary
            for seed in range(self.recipe.primary_seeds if primary else self.recipe.seeds):
                rng = np.random.default_rng([self.recipe.seed, seed])
                rows = rng.permutation(len(labelled))[: self.recipe.labelled(fraction)]
                controlled = primary and seed < self.recipe.control_seeds
                for arm in (*MAIN_ARMS, *(self.recipe.controls if controlled else ())):
                    if (f"{fraction:g}", arm, str(seed)) not in done:
                        network = self._fine_tuned(arm, labelled.subset(rows.tolist()), seed)
                        self._keep(fraction, arm, seed, self._scores(network, test))
        shutil.rmtree(self.folder / STORES, ignore_errors=True)

    def _fine_tuned(self, arm: Arm, scans: TrainingScans, seed: int) -> Segmenter:
        """One training of one arm."""
        recipe = self.recipe.segmenter.changed(mirror=self.organ.mirror)
        if arm == "longer":
            steps = recipe.fit.steps + self.longer_by
            recipe = recipe.changed(fit=recipe.fit.changed(steps=steps))
        part = f"{arm}_{len(scans)}_{seed}"
        initialised = self.initialised(arm, seed % self.recipe.pretrainings)
        return fit_segmenter(scans, recipe, seed, part, self.folder, self.progress, initialised)

    @property
    def longer_by(self) -> int:
        """Fine-tuning steps in which as many voxels pass the network as in the pre-training."""
        recipe, tuned = self.recipe.pretraining, self.recipe.segmenter.fit
        one = self.test.read_images(self.test.cases[0])
        sides = common_shape([body_sides_mm(one.channels)], self.organ.working_mm)
        crop = [min(recipe.crop or side, side) for side in sides]
        views = 2 * recipe.fit.batch_size * recipe.fit.steps
        return round(views * math.prod(crop) / (tuned.batch_size * math.prod(sides)))

    def initialised(self, arm: Arm, number: int) -> Segmenter | None:
        """The network that a training of an arm begins from, each pre-trained once."""
        if arm in ("scratch", "longer"):
            return None
        if (arm, number) not in self._initialised:
            recipe = self.recipe.pretraining.changed(seed=self.recipe.seed + number)
            part = f"pretraining_{arm}_{number}"
            store = self._volumes(arm)
            self._initialised[arm, number] = pretrain(
                store, len(store), recipe, part, self.folder, self.progress
            )
        return self._initialised[arm, number]

    def _volumes(self, arm: Arm) -> CaseStore | HeldStore:
        """What an arm is pre-trained on, as many volumes for each."""
        count = self.recipe.synthetic_cases
        cohort = self.real if arm == "real" else self.synthetic
        cases = cohort.cases[:count]
        scans = Scans([(cohort, case) for case in cases], labelled=False)
        store = prepared_images(
            self.folder / STORES / cohort.folder.name, _content(cases), self._layout(scans), scans,
            self.organ.working_mm, self.progress,
        )  # fmt: skip
        if arm not in ("scrambled", "noise"):
            return store
        images = store.images(torch.arange(len(store)))
        changed = scrambled if arm == "scrambled" else noise_like
        return HeldStore(changed(images, self.recipe.seed))

    def _scans(self, cohort: Cohort, count: int) -> TrainingScans:
        cases = cohort.cases[:count]
        scans = Scans([(cohort, case) for case in cases])
        return TrainingScans.write(
            self.folder / STORES / f"labelled_{cohort.folder.name}", _content(cases),
            self._layout(scans, len(self.labels)), scans, list(self.labels.values()),
            self.organ.working_mm, self.progress,
        )  # fmt: skip

    def _layout(self, scans: Scans, labels: int = 0) -> Layout:
        """That holds the body of each scan."""
        sides = [body_sides_mm(scan.channels) for scan in scans]
        shape = common_shape(sides, self.organ.working_mm)
        return Layout(len(scans[0].channels), shape, labels)

    @torch.no_grad()
    def _scores(self, network: Segmenter, test: TrainingScans) -> list[float]:
        """Mean Dice over the target labels of each test case, on the segmenter's own grid."""
        fabric = fabric_for("bf16-mixed")
        placed(network)
        numbers = test.label_numbers.tolist()
        places = [numbers.index(self.labels[name]) for name in self.organ.targets]
        scores = []
        for row in range(len(test)):
            image, truth = (
                read(torch.tensor([row])) for read in (test.store.images, test.store.labels)
            )
            with fabric.autocast():
                result = network(image.to(fabric.device))[0].argmax(dim=0).cpu()
            own = [dice(result.numpy(), truth[0].numpy(), [place]) for place in places]
            scores.append(float(np.mean(own)))
        return scores

    def _keep(self, fraction: float, arm: Arm, seed: int, scores: Sequence[float]) -> None:
        """Add the scores of one training to the table, all of them or none."""
        known = (
            self.table.read_text(encoding="utf-8")
            if self.table.is_file()
            else ",".join(COLUMNS) + "\n"
        )
        rows = [
            f"{fraction:g},{arm},{seed},{case.name},{score:.5f}"
            for case, score in zip(self.test.cases, scores, strict=False)
        ]
        write_text(self.table, known + "\n".join(rows) + "\n")


def transfer_figures(table: Path, recipe: VolumesExperimentRecipe) -> dict[str, Figure]:
    """Dice of each arm at each fraction, and paired gains at the primary one.

    The unit of every interval is a pre-training with the trainings that began from it: its volumes'
    order, its labelled cases, its initial weights differ from those of the next. Its Dice is the
    mean over these trainings and the test cases. Medians stand beside means, since a training from
    scratch fails now and then.
    """
    means: dict[tuple[str, str], dict[int, list[float]]] = {}
    for row in read_dice(table):
        own = means.setdefault((row["fraction"], row["arm"]), {})
        own.setdefault(int(row["seed"]), []).append(float(row["dice"]))
    result: dict[str, Figure] = {}
    for (fraction, arm), seeds in means.items():
        dice = {seed: float(np.mean(cases)) for seed, cases in seeds.items()}
        values = by_pretraining(dice, recipe.pretrainings)
        head = f"pretraining/{fraction}/{arm}"
        result[f"{head}/dice"] = student_mean(values, "Dice", UNIT, bounds=(0.0, 1.0))
        result[f"{head}/median_dice"] = bootstrapped([values], median, "Dice", UNIT)
    primary = f"{recipe.primary:g}"

    def gains(name: str, arm: str, over: str) -> dict[str, Figure]:
        ours, theirs = means[primary, arm], means[primary, over]
        both = sorted(ours.keys() & theirs.keys())
        gaps = {seed: float(np.mean(ours[seed]) - np.mean(theirs[seed])) for seed in both}
        values = by_pretraining(gaps, recipe.pretrainings)
        head = f"pretraining/primary/{name}"
        return {
            head: student_mean(values, "Dice", UNIT, bounds=(-1.0, 1.0)),
            f"{head}/median": bootstrapped([values], median, "Dice", UNIT),
        }

    arms = {arm for fraction, arm in means if fraction == primary}
    if "synthetic" in arms and "scratch" in arms:
        result |= gains("dice_gain", "synthetic", "scratch")
    for arm in sorted(arms - {"scratch", "synthetic"}):
        result |= gains(f"{arm}_gain", arm, "scratch")
        result |= gains(f"synthetic_minus_{arm}", "synthetic", arm)
    return result


def by_pretraining(values: Mapping[int, float], pretrainings: int) -> np.ndarray:
    """The mean of the trainings of each pre-training, which they take in turn, `(P,)`.

    >>> by_pretraining({0: 0.2, 1: 0.5, 2: 0.4, 3: 0.7}, 2).round(2).tolist()
    [0.3, 0.6]
    """
    groups: dict[int, list[float]] = {}
    for seed, value in sorted(values.items()):
        groups.setdefault(seed % pretrainings, []).append(value)
    return np.array([np.mean(own) for own in groups.values()])


def median(values: np.ndarray) -> float:
    """As a number."""
    return float(np.median(values))


def read_dice(table: Path) -> list[dict[str, str]]:
    """Rows of `dice.csv`, none if there is no such file."""
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _content(cases: Sequence[Case]) -> str:
    """A digest of the images of some cases."""
    return content_digest([case.images_digest() for case in cases])


def scrambled(images: Tensor, seed: int) -> Tensor:
    """Volumes `(N, C, D, H, W)` whose eight octants have changed places: tissue without anatomy.

    >>> image = torch.arange(8.0).reshape(1, 1, 2, 2, 2)
    >>> sorted(scrambled(image, 1).flatten().tolist()) == list(range(8))
    True
    """
    rng = torch.Generator().manual_seed(seed)
    sides = [side // 2 * 2 for side in images.shape[2:]]
    out = images.clone()
    halves = [(slice(0, side // 2), slice(side // 2, side)) for side in sides]
    octants = [(a, b, c) for a in halves[0] for b in halves[1] for c in halves[2]]
    for row, image in enumerate(images):
        order = torch.randperm(8, generator=rng).tolist()
        for here, there in enumerate(order):
            out[row][:, *octants[here]] = image[:, *octants[there]]
    return out


def noise_like(images: Tensor, seed: int) -> Tensor:
    """Smooth noise with the histogram of each volume: its values without any shape of it."""
    rng = torch.Generator().manual_seed(seed)
    out = torch.empty_like(images)
    for row, image in enumerate(images):
        for channel, voxels in enumerate(image):
            noise = smooth_noise(tuple(voxels.shape), 6.0, 1.0, rng, channels=1)[0]
            order = noise.flatten().argsort()
            ranked = torch.empty_like(voxels).flatten()
            ranked[order] = voxels.flatten().sort().values
            out[row, channel] = ranked.reshape(voxels.shape)
    return out
