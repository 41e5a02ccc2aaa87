"""Segmentation as a method: a labelled cohort, one network, and its Dice on what was held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel

from vesalius.evidence.overlap import dice
from vesalius.methods.pretraining.pipeline import pretrained_segmenter
from vesalius.methods.segmentation.pipeline import PART, SegmentationPipeline
from vesalius.methods.segmentation.recipe import SegmentationRecipe
from vesalius.methods.segmentation.training import PRESETS, SegmentationObjective, TrainingScans
from vesalius.networks.segmenter import Segmenter
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.grid import grid_around
from vesalius.scans.progress import Progress
from vesalius.scans.volume import Volume
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.measures import Measuring
from vesalius.training.method import Data, Method, Part, Reading
from vesalius.training.preparation import common_shape, sides_of_body
from vesalius.training.reading import cohort_of, read_split
from vesalius.training.run import Run
from vesalius.training.store import Layout

FEWEST_CASES = 2
SCORES = "held_out_dice"


@dataclass(frozen=True)
class SegmentationData(Data):
    """Scans on disk, of which the first `fitted` are learnt from; a network to begin as.

    Attributes:
        layout: that holds the body of each scan that is learnt from.
    """

    scans: Sequence[LabelledScan] = field(kw_only=True)
    fitted: int = field(kw_only=True)
    layout: Layout = field(kw_only=True)
    pretrained: Segmenter | None = field(kw_only=True)


class _Scores(BaseModel):
    cases: int
    dice: dict[str, float]


class Segmentation(Method[SegmentationData]):
    """Fit a segmenter to a labelled cohort, from scratch or from a pre-training."""

    name, title, aliases = "segmentation", "segmenter", ("segmenter",)
    settings, measured = SegmentationRecipe, Fingerprint

    def recipe(
        self,
        *,
        preset: Literal["smallest", "demo", "workstation", "published"] = "demo",
        seed: int = 0,
    ) -> SegmentationRecipe:
        """Settings of a run.

        Parameters
        ----------
        preset: str
            Sizes and steps: demo for CPU minutes, workstation and published for GPUs.
        seed: int
            Of the fit.
        """
        return SegmentationRecipe(preset=preset, seed=seed, segmenter=PRESETS[preset])

    def read(
        self, source: str | Path | Cohort, recipe: SegmentationRecipe, reading: Reading, *,
        pretrained: Path | None = None,
    ) -> SegmentationData:  # fmt: skip
        """Read a labelled cohort in nnU-Net v2 raw format; synthetic cases are learnt from, too.

        Parameters
        ----------
        pretrained: Path
            A run of vesalius pretrain to begin from; it decides on network and spacing.
        """
        network: Segmenter | None = None
        if pretrained is not None:
            network, own, name = pretrained_segmenter(pretrained)
            chosen = recipe.segmenter.changed(architecture=own.architecture, filters=own.filters)
            recipe = recipe.changed(pretrained=name, spacing_mm=own.spacing_mm, segmenter=chosen)
        cohort = cohort_of(source, True, reading)
        generated = tuple(c for c in cohort.cases if c.synthetic and c.split in ("", "train"))
        measuring = Measuring(cohort, further=sides_of_body)
        sound = read_split(measuring, recipe, reading, fewest=FEWEST_CASES, more=generated)
        learnt = sound.measures[: sound.fitted]
        grid = grid_around([one.labels for one in learnt if one.labels])
        fingerprint = sound.fingerprint(grid)
        spacing = recipe.spacing_mm or grid.spacing_mm
        shape = common_shape([one.further for one in learnt], spacing)
        layout = Layout(len(fingerprint.channels), shape, len(fingerprint.labels))
        return SegmentationData(
            recipe.changed(spacing_mm=spacing, shape=shape), fingerprint, scans=sound.scans,
            fitted=sound.fitted, layout=layout, pretrained=network,
            disk_bytes=sound.fitted * layout.bytes_a_case,
        )  # fmt: skip

    def parts(self, data: SegmentationData) -> list[Part]:
        """One network."""
        recipe, spacing = data.recipe.segmenter, data.recipe.spacing_mm
        numbers = list(data.fingerprint.labels.values())
        layout = data.layout
        network = Segmenter(
            layout.channels, layout.label_count, recipe.filters, recipe.architecture
        )
        if data.pretrained is not None:
            network.init_from(data.pretrained)

        def scans(run: Run, progress: Progress) -> TrainingScans:
            return TrainingScans.write(
                run.state / "scans", data.fingerprint.digest, layout, data.scans[: data.fitted],
                numbers, spacing, progress,
            )  # fmt: skip

        return [
            Part(
                PART, network, recipe.fit, data.fitted,
                lambda given: SegmentationObjective(network, given, recipe),
                scans, lambda: TrainingScans.blank(layout, numbers, spacing),
            )
        ]  # fmt: skip

    def finish(self, data: SegmentationData, run: Run, progress: Progress) -> None:
        """Score the segmenter on what was held out."""
        if run.has_note(SCORES):
            return
        trained = self.open(run)
        scores = [
            label_dice(trained.segment(scan), scan.label_map, data.fingerprint.labels)
            for scan in data.scans[data.fitted :]
        ]
        names = scores[0] if scores else ()
        dice = {name: float(np.mean([one[name] for one in scores])) for name in names}
        run.note(SCORES, {"cases": len(scores), "dice": dice})

    def card(self, data: SegmentationData, run: Run) -> list[str]:
        """Channels, spacing, where it began, and Dice on held-out cases."""
        scores = run.noted(SCORES, _Scores)
        return [
            f"channels: {', '.join(data.fingerprint.channels)}",
            f"spacing: {data.recipe.spacing_mm} mm",
            f"initialised from: {data.recipe.pretrained or 'nothing'}",
            *(
                f"Dice of {name} on {scores.cases} held-out cases: {value:.3f}"
                for name, value in scores.dice.items()
            ),
        ]

    def open(self, run: Run) -> SegmentationPipeline:
        """The network on its device, ready to segment scans."""
        return SegmentationPipeline(run)


def label_dice(found: Volume, truth: Volume, labels: dict[str, int]) -> dict[str, float]:
    """Dice of each label that either map has; 1 where neither has it."""
    return {
        name: dice(found.voxels, truth.voxels, [number])
        for name, number in labels.items() if number
    }  # fmt: skip
