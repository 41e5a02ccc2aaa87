"""A segmenter as a run: from a labelled cohort to label maps of scans it never saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.networks.segmenter import Segmenter
from vesalius.scans.attributes import volume_ml
from vesalius.scans.case import LabelledScan, Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.fault import Fault, Refused
from vesalius.scans.formats.nifti import read_nifti, write_nifti
from vesalius.scans.formats.table import write_table
from vesalius.scans.grid import fit_grid
from vesalius.scans.output import digest_of, output_folder
from vesalius.scans.progress import Progress, followed, silent
from vesalius.scans.split import fitting_split
from vesalius.scans.volume import Volume
from vesalius.tasks.pretrained_run import pretrained_segmenter
from vesalius.tasks.segmentation import (
    PRESETS,
    SegmenterRecipe,
    TrainingScans,
    fit_segmenter,
    segment,
)
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.plan import Plan, planned, step_cost
from vesalius.training.recipe import Settings
from vesalius.training.run import AGAIN, Run

PART = "segmenter"
FEWEST_CASES = 2


class SegmentationRecipe(Settings):
    """Settings of a segmenter that is kept.

    Attributes:
        method: what this run is.
        preset: the name this recipe started from.
        seed: of the fit.
        spacing_mm: that it works at; the cohort's own if `None`.
        segmenter: network, steps and batch.
        pretrained: name of the pre-training it began from, if any.
        held_out: share of the subjects kept for validation when the cohort names none.
    """

    method: str = "segmentation"
    preset: str = "demo"
    seed: int = 0
    spacing_mm: tuple[float, float, float] | None = None
    segmenter: SegmenterRecipe = PRESETS["demo"]
    pretrained: str = ""
    held_out: float = 0.1


@dataclass(frozen=True)
class PreparedSegmentation:
    """Labelled scans that were read, and the plan. Nothing is written yet."""

    recipe: SegmentationRecipe
    fingerprint: Fingerprint
    plan: Plan
    training: TrainingScans
    held_out: tuple[LabelledScan, ...]
    pretrained: Segmenter | None


def prepare_segmentation(
    cohort: Cohort, recipe: SegmentationRecipe, pretrained: str | Path | None = None,
    progress: Progress = silent, faults: list[Fault] | None = None,
) -> PreparedSegmentation:  # fmt: skip
    """Read a labelled cohort and plan the fit.

    Cases marked `val` are held out; without any, a share of the subjects is. Cases marked `test`
    are not touched; synthetic ones are trained on.

    Args:
        cohort: labelled scans.
        recipe: settings. A pre-training decides on network and spacing.
        pretrained: folder of a pre-training to begin from.
        progress: told after each case.
        faults: those of cases that were left out are added.

    Raises:
        Refused: for too few cases, other channels than the pre-training's, or too little memory.
    """
    begun: Segmenter | None = None
    if pretrained is not None:
        begun, own = pretrained_segmenter(pretrained)
        name = Run.open(pretrained, type(own)).name
        chosen = {"architecture": own.architecture, "filters": own.filters}
        recipe = recipe.changed(
            pretrained=name, spacing_mm=own.spacing_mm, segmenter=recipe.segmenter.changed(**chosen)
        )
    fitted, held = fitting_split(cohort.cases, recipe.held_out, 8, recipe.seed)
    fitted += [case for case in cohort.cases if case.synthetic and case.split in ("", "train")]
    sound, found = cohort.read_sound(fitted, progress)
    unseen, others = cohort.read_sound(held, progress)
    if faults is not None:
        faults += [*found, *others]
    if len(sound) < FEWEST_CASES:
        fault = f"has {len(sound)} sound training cases"
        raise Refused(cohort.folder, fault, f"add labelled scans: {FEWEST_CASES} is the least")
    scans = [scan for _, scan in sound]
    grid = fit_grid(scans)
    fingerprint = Fingerprint.of(cohort, [case for case, _ in sound], scans, grid, ())
    spacing = recipe.spacing_mm or grid.spacing_mm
    recipe = recipe.changed(spacing_mm=spacing)
    training = TrainingScans(scans, list(fingerprint.labels.values()), spacing)
    plan = _plan(recipe, training)
    plan.require_room()
    return PreparedSegmentation(
        recipe, fingerprint, plan, training, tuple(scan for _, scan in unseen), begun
    )


def fit_segmentation(
    ready: PreparedSegmentation, out: str | Path, progress: Progress = silent
) -> Run:
    """Fit a segmenter, or go on with a fit that was killed, and score it on what was held out.

    Raises:
        Refused: if the folder holds another run, or for a loss that is not finite.
    """
    recipe, seen = ready.recipe, ready.fingerprint
    run = Run.create(out, recipe, seen)
    if not run.has(PART):
        network = fit_segmenter(
            ready.training, recipe.segmenter, recipe.seed, PART, run.folder, progress,
            ready.pretrained,
        )  # fmt: skip
        run.save(PART, network)
    trained = TrainedSegmenter.open(run.folder)
    scores = [label_dice(trained.segment(s), s.label_map, seen.labels) for s in ready.held_out]
    held = {
        name: float(np.mean([one[name] for one in scores]))
        for name in (scores[0] if scores else ())
    }
    run.note("held_out_dice", {"cases": len(scores), "dice": held})
    phantom = "**Fitted on phantoms, not on patients.** " if seen.origin == "phantom" else ""
    run.write_card([
        f"# Run {run.name}: segmenter",
        "",
        f"{phantom}Fitted on {seen.cases} cases of {seen.subjects} subjects.",
        "",
        f"- channels: {', '.join(seen.channels)}",
        f"- spacing: {recipe.spacing_mm} mm",
        f"- begun from: {recipe.pretrained or 'nothing'}",
        f"- preset {recipe.preset}, seed {recipe.seed}",
        *(f"- Dice of {name} on {len(scores)} held-out cases: {value:.3f}"
          for name, value in held.items()),
        "",
        "Not for diagnosis.",
    ])  # fmt: skip
    run.finish()
    return run


class TrainedSegmenter:
    """A segmenter of a run, ready for scans of any geometry.

    Args:
        run: a finished run of `fit_segmentation`.
    """

    def __init__(self, run: Run) -> None:
        recipe = run.recipe
        assert isinstance(recipe, SegmentationRecipe)
        if recipe.spacing_mm is None:
            raise Refused(run.folder / "recipe.json", "tells no spacing", AGAIN)
        self.run, self.labels = run, run.fingerprint.labels
        self.spacing_mm = recipe.spacing_mm
        network = recipe.segmenter
        self.network = Segmenter(
            len(run.fingerprint.channels), len(self.labels), network.filters, network.architecture
        )
        run.load(PART, self.network)
        self.network.eval()

    @property
    def name(self) -> str:
        """Of its run."""
        return self.run.name

    @classmethod
    def open(cls, folder: str | Path) -> TrainedSegmenter:
        """Open a run and load its network."""
        return cls(Run.open(folder, SegmentationRecipe))

    def segment(self, scan: Scan) -> Volume:
        """The label map of a scan in its own geometry."""
        known = self.run.fingerprint.channels
        if len(scan.channels) != len(known):
            fault = f"has {len(scan.channels)} channels, the run {len(known)} ({', '.join(known)})"
            raise Refused("scan", fault, "give the channels of the run, in their order")
        return segment(self.network, scan, list(self.labels.values()), self.spacing_mm)


def segment_scans(
    trained: TrainedSegmenter, scans: Sequence[GivenScan], out: str | Path,
    progress: Progress = silent, inputs: tuple[Path, ...] = (),
) -> Segmented:  # fmt: skip
    """Write a label map for each scan, and `volumes.csv` with the mL of every label.

    Scans are read one by one; those that cannot be labelled end up in the faults.

    Args:
        trained: the segmenter.
        scans: see `scans_at`.
        out: folder, new or of the same run and scans. Label maps that are there are kept, corrected
            ones too, and measured for the table.
        progress: told after each scan.
        inputs: that must not be touched.

    Raises:
        Refused: for an output that is an input or another's, or if no scan could be labelled.
    """
    names = [name for name, value in trained.labels.items() if value != 0]
    records: list[list[str]] = []
    faults: list[Fault] = []
    made = {
        "command": "segment", "run": trained.name,
        "scans": digest_of(inputs[-1]) if inputs else "",
    }  # fmt: skip
    with output_folder(out, made, inputs) as folder:
        for scan in followed(scans, "segmenting", len(scans), progress):
            path = folder / f"{scan.name}.nii.gz"
            try:
                found = read_nifti(path) if path.exists() else trained.segment(scan.read())
            except Refused as refusal:
                faults.append(refusal.fault)
                continue
            if not path.exists():
                write_nifti(found, path, found.voxels.dtype.type, "")
            measured = [volume_ml(found, [trained.labels[name]]) for name in names]
            records.append([scan.name, *(f"{ml:.6g}" for ml in measured)])
        if not records:
            raise Refused(out, f"has no sound scan to label ({faults[0]})", "mend the scans")
        table = folder / "volumes.csv"
        write_table(table, ["case", *(f"{name}_volume_ml" for name in names)], records)
    return Segmented(table, len(records), tuple(faults))


@dataclass(frozen=True)
class Segmented:
    """What was labelled: the table of volumes, how many scans, and what is wrong with others."""

    table: Path
    count: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class GivenScan:
    """A scan that is read when its turn comes."""

    name: str
    read: Callable[[], Scan]


def scans_at(place: Path) -> tuple[list[GivenScan], list[Fault]]:
    """Scans to segment: one NIfTI file, a folder of them, or a cohort's; and its faulty cases.

    Raises:
        Refused: where there is none, or two have the same name.
    """
    if (place / "dataset.json").exists():
        cohort = Cohort.open(place, labelled=False)
        scans = [GivenScan(case.name, partial(cohort.read_images, case)) for case in cohort.cases]
        return scans, list(cohort.faults)
    files = [place] if place.is_file() else sorted(place.glob("*.nii*"))
    if not files:
        raise Refused(place, "holds no scan", "give a NIfTI file, a folder of them, or a cohort")
    found = [GivenScan(path.name.split(".nii")[0], partial(_single, path)) for path in files]
    counts = Counter(scan.name for scan in found)
    double = next((name for name, count in counts.items() if count > 1), None)
    if double is not None:
        raise Refused(place, f"holds two scans named {double}", "rename one of them")
    return found, []


def _single(path: Path) -> Scan:
    return Scan((read_nifti(path),))


def label_dice(found: Volume, truth: Volume, labels: dict[str, int]) -> dict[str, float]:
    """Dice of each label that either map has; 1 where neither has it."""
    scores = {}
    for name, number in labels.items():
        if number:
            a, b = found.voxels == number, truth.voxels == number
            both = int(a.sum() + b.sum())
            scores[name] = 2 * int((a & b).sum()) / both if both else 1.0
    return scores


def _plan(recipe: SegmentationRecipe, training: TrainingScans) -> Plan:
    chosen = recipe.segmenter
    channels, *sides = training.images.shape[1:]

    def build() -> nn.Module:
        count = len(training.label_numbers)
        return Segmenter(channels, count, chosen.filters, chosen.architecture)

    def step(network: nn.Module) -> Tensor:
        out: Tensor = network(torch.rand(chosen.fit.batch_size, channels, *sides))
        return out.square().mean()

    cost = step_cost(build, step, chosen.fit.precision)
    fits = (planned("segmenter", chosen.fit.steps, cost, chosen.fit.precision),)
    return Plan(fits, 4.0 * training.images.numel())
