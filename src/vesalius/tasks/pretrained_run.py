"""A pre-training as a run: from cohorts, labelled or not, to a segmenter to begin from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.segmenter import Segmenter
from vesalius.scans.case import Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.fault import Fault, Refused
from vesalius.scans.grid import whole_grid
from vesalius.scans.progress import Progress, followed, silent
from vesalius.tasks.preparation import prepared, stacked
from vesalius.tasks.pretraining import PretrainingRecipe, pretrain
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.plan import Plan, planned, step_cost
from vesalius.training.run import AGAIN, Run

PART = "segmenter"
FEWEST_CASES = 4


@dataclass(frozen=True)
class PreparedPretraining:
    """Volumes that were read, and the plan of their use. Nothing is written yet."""

    recipe: PretrainingRecipe
    fingerprint: Fingerprint
    plan: Plan
    images: Tensor


def prepare_pretraining(
    cohort: Cohort, recipe: PretrainingRecipe, progress: Progress = silent,
    faults: list[Fault] | None = None,
) -> PreparedPretraining:  # fmt: skip
    """Read the images of a cohort and plan the pre-training. Cases marked `test` are not touched.

    Raises:
        Refused: for too few cases, or a plan that does not fit this machine.
    """
    cases = [case for case in cohort.cases if case.split not in ("val", "test")]
    sound, found = cohort.read_sound_images(cases, progress)
    if faults is not None:
        faults += found
    if len(sound) < FEWEST_CASES:
        fault = f"has {len(sound)} sound cases to train on"
        raise Refused(cohort.folder, fault, f"add scans: {FEWEST_CASES} is the least")
    scans = [scan for _, scan in sound]
    fingerprint = Fingerprint.of_images(
        cohort, [case for case, _ in sound], scans, whole_grid(scans), ()
    )
    spacing = recipe.spacing_mm or fingerprint.spacing_mm
    recipe = recipe.changed(spacing_mm=spacing)
    images = seen_images(scans, spacing, progress)
    plan = _plan(recipe, images)
    plan.require_room()
    return PreparedPretraining(recipe, fingerprint, plan, images)


def seen_images(
    scans: Sequence[Scan], spacing_mm: tuple[float, float, float], progress: Progress = silent
) -> Tensor:
    """Images `(N, C, D, H, W)` as segmenters see them."""
    listed = followed(scans, "preparing volumes", len(scans), progress)
    return stacked([prepared(scan.channels, spacing_mm)[0] for scan in listed])


def fit_pretraining(
    ready: PreparedPretraining, out: str | Path, progress: Progress = silent
) -> Run:
    """Pre-train, or go on with a pre-training that was killed.

    Raises:
        Refused: if the folder holds another run, or for a loss that is not finite.
    """
    run = Run.create(out, ready.recipe, ready.fingerprint)
    if not run.has(PART):
        run.save(PART, pretrain(ready.images, ready.recipe, PART, run.folder, progress))
    seen, recipe = ready.fingerprint, ready.recipe
    run.write_card([
        f"# Run {run.name}: pre-training of a segmenter",
        "",
        f"Learnt from {seen.cases} volumes of {seen.subjects} subjects without labels"
        + (" (phantoms)." if seen.origin == "phantom" else
           " (synthetic)." if seen.origin == "synthetic" else "."),
        "",
        f"- channels: {', '.join(seen.channels)}",
        f"- spacing: {recipe.spacing_mm} mm",
        f"- network: {recipe.architecture}, filters {recipe.filters}",
        f"- preset {recipe.preset}, seed {recipe.seed}",
    ])  # fmt: skip
    run.finish()
    return run


def pretrained_segmenter(folder: str | Path) -> tuple[Segmenter, PretrainingRecipe]:
    """The network of a pre-training, and how it was made."""
    run = Run.open(folder, PretrainingRecipe)
    recipe = run.recipe
    assert isinstance(recipe, PretrainingRecipe)
    network = Segmenter(len(run.fingerprint.channels), 2, recipe.filters, recipe.architecture)
    run.load(PART, network)
    return network.eval(), recipe


class Embedding:
    """What a pre-trained network sees in a scan, as one vector.

    The deepest maps, averaged into 4³ blocks: what they see, and roughly where.

    Args:
        folder: run of a pre-training.
        channels: of the scans.

    Raises:
        Refused: if it was learnt from scans of other channels.
    """

    def __init__(self, folder: str | Path, channels: int) -> None:
        self.network, recipe = pretrained_segmenter(folder)
        learnt = len(Run.open(folder, PretrainingRecipe).fingerprint.channels)
        if learnt != channels:
            fault = f"was learnt from scans of {learnt} channels, these have {channels}"
            raise Refused(folder, fault, "pre-train on the cohort itself")
        if recipe.spacing_mm is None:
            raise Refused(Path(folder) / "recipe.json", "tells no spacing", AGAIN)
        self.spacing_mm = recipe.spacing_mm

    @torch.no_grad()
    def of(self, scan: Scan) -> np.ndarray:
        """The vector `(F,)` of a scan."""
        image = torch.from_numpy(prepared(scan.channels, self.spacing_mm)[0])[None]
        deepest = self.network.features(image)[1].float()
        vector: np.ndarray = functional.adaptive_avg_pool3d(deepest, 4).flatten().numpy()
        return vector


def _plan(recipe: PretrainingRecipe, images: Tensor) -> Plan:
    sides = [min(recipe.crop or side, side) for side in images.shape[2:]]
    batch = recipe.fit.batch_size

    def build() -> nn.Module:
        return Segmenter(images.shape[1], 2, recipe.filters, recipe.architecture)

    def step(network: nn.Module) -> Tensor:
        assert isinstance(network, Segmenter)
        fine, deep = network.features(torch.rand(2 * batch, images.shape[1], *sides))
        return fine.float().square().mean() + deep.float().square().mean()

    cost = step_cost(build, step, recipe.fit.precision)
    fits = (planned("segmenter", recipe.fit.steps, cost, recipe.fit.precision),)
    return Plan(fits, float(images.element_size() * images.numel()))
