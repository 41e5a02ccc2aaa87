"""Pre-training as a method: cohorts, labelled or not, and a segmenter to begin from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torch import Tensor

from vesalius.methods.pretraining.pipeline import PART, pretrained_segmenter
from vesalius.methods.pretraining.training import PRESETS, PretrainingObjective, PretrainingRecipe
from vesalius.networks.segmenter import Segmenter
from vesalius.scans.case import Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.grid import whole_grid
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.method import Data, Method, Part, Reading
from vesalius.training.preparation import prepared, stacked
from vesalius.training.reading import cohort_of
from vesalius.training.run import Run

FEWEST_CASES = 4


@dataclass(frozen=True)
class PretrainingData(Data):
    """Images `(N, C, D, H, W)` as segmenters see them."""

    images: Tensor = field(kw_only=True)


class Pretraining(Method[PretrainingData]):
    """Pre-train a segmenter on volumes without labels, real or synthetic.

    It learns to fill in what was cut out and to place each voxel in the body; a Swin UNETR also
    learns to recognise turns and to distinguish volumes. Begin from it with vesalius fit segmenter
    --pretrained.
    """

    name, title = "pretraining", "pre-training of a segmenter"
    settings, measured = PretrainingRecipe, Fingerprint

    def recipe(
        self, *, preset: Literal["smallest", "demo", "workstation"] = "demo", seed: int = 0
    ) -> PretrainingRecipe:
        """Settings of a run.

        Parameters
        ----------
        preset: str
            Sizes and steps: demo for CPU minutes, workstation is a Swin UNETR for one GPU.
        seed: int
            Of the fit.
        """
        return PRESETS[preset].changed(seed=seed)

    def read(
        self, source: str | Path | Cohort, recipe: PretrainingRecipe, reading: Reading
    ) -> PretrainingData:
        """Read the images of a cohort. Cases marked `val` or `test` are not touched."""
        cohort = cohort_of(source, False, reading)
        cases = [case for case in cohort.cases if case.split not in ("val", "test")]
        sound, faults = cohort.read_sound_images(cases, reading.progress)
        reading.faults += faults
        if len(sound) < FEWEST_CASES:
            fault = f"has {len(sound)} sound cases to train on"
            raise InputError(cohort.folder, fault, f"add scans: {FEWEST_CASES} is the least")
        cases, scans = [case for case, _ in sound], [scan for _, scan in sound]
        fingerprint = Fingerprint.of_images(cohort, cases, scans, whole_grid(scans), ())
        spacing = recipe.spacing_mm or fingerprint.spacing_mm
        images = seen_images(scans, spacing, reading.progress)
        return PretrainingData(
            recipe.changed(spacing_mm=spacing), fingerprint, float(images.nbytes), images=images
        )

    def parts(self, data: PretrainingData) -> list[Part]:
        """One network; the heads of the tasks are left behind."""
        recipe, images = data.recipe, data.images
        network = Segmenter(images.shape[1], 2, recipe.filters, recipe.architecture)
        return [
            Part(
                PART, network, recipe.fit, len(images),
                lambda given: PretrainingObjective(network, given, recipe),
                lambda run, progress: images, lambda: images,
            )
        ]  # fmt: skip

    def card(self, data: PretrainingData, run: Run) -> list[str]:
        """Origin, channels, spacing and network."""
        recipe, fingerprint = data.recipe, data.fingerprint
        return [
            f"origin of the volumes: {fingerprint.origin or 'scans'}, without labels",
            f"channels: {', '.join(fingerprint.channels)}",
            f"spacing: {recipe.spacing_mm} mm",
            f"network: {recipe.architecture}, filters {recipe.filters}",
        ]

    def open(self, run: Run) -> Segmenter:
        """The network, to begin from."""
        return pretrained_segmenter(run.folder)[0]


def seen_images(
    scans: Sequence[Scan], spacing_mm: tuple[float, float, float], progress: Progress = no_progress
) -> Tensor:
    """Images `(N, C, D, H, W)` as segmenters see them."""
    listed = track(scans, "preparing volumes", len(scans), progress)
    return stacked([prepared(scan.channels, spacing_mm)[0] for scan in listed])
