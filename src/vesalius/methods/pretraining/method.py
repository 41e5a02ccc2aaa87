"""Pre-training as a method: cohorts, labelled or not, and a segmenter to begin from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vesalius.methods.pretraining.pipeline import PART, pretrained_segmenter
from vesalius.methods.pretraining.training import PRESETS, PretrainingObjective, PretrainingRecipe
from vesalius.networks.segmenter import Segmenter
from vesalius.scans.case import Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress
from vesalius.training.content import content_digest
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.measures import Measuring
from vesalius.training.method import Data, Method, Part, Reading
from vesalius.training.preparation import common_shape, in_shape, prepared, sides_of_body
from vesalius.training.reading import cohort_of, read_sound
from vesalius.training.run import Run
from vesalius.training.store import Arrays, BlankStore, CaseStore, Layout, stored

FEWEST_CASES = 4


@dataclass(frozen=True)
class PretrainingData(Data):
    """Scans on disk, and the layout that holds the body of each."""

    scans: Sequence[Scan] = field(kw_only=True)
    layout: Layout = field(kw_only=True)


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
        measuring = Measuring(cohort, labelled=False, further=sides_of_body)
        sound = read_sound(measuring, cases, {case.name for case in cases}, reading)
        if sound.fitted < FEWEST_CASES:
            fault = f"has {sound.fitted} sound cases to train on"
            raise InputError(cohort.folder, fault, f"add scans: {FEWEST_CASES} is the least")
        fingerprint = sound.fingerprint(sound.grid())
        spacing = recipe.spacing_mm or fingerprint.spacing_mm
        shape = common_shape([one.further for one in sound.measures], spacing)
        layout = Layout(len(fingerprint.channels), shape)
        return PretrainingData(
            recipe.changed(spacing_mm=spacing), fingerprint, scans=sound.scans, layout=layout,
            disk_bytes=len(sound.cases) * layout.bytes_a_case,
        )  # fmt: skip

    def parts(self, data: PretrainingData) -> list[Part]:
        """One network; the heads of the tasks are left behind."""
        recipe, layout = data.recipe, data.layout
        network = Segmenter(layout.channels, 2, recipe.filters, recipe.architecture)

        def images(run: Run, progress: Progress) -> CaseStore:
            return prepared_images(
                run.state / "volumes", data.fingerprint.digest, layout, data.scans,
                recipe.spacing_mm, progress,
            )  # fmt: skip

        return [
            Part(
                PART, network, recipe.fit, len(data.scans),
                lambda given: PretrainingObjective(network, given, recipe),
                images, lambda: BlankStore(layout),
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


def prepared_images(
    folder: Path, content: str, layout: Layout, scans: Sequence[Scan],
    spacing_mm: tuple[float, float, float], progress: Progress = no_progress,
) -> CaseStore:  # fmt: skip
    """Images as segmenters see them, in a folder.

    Args:
        folder: of the store.
        content: digest of the scans.
        layout: that holds the body of each.
        scans: read one after the other.
        spacing_mm: that the segmenter works at.
        progress: called after each scan.
    """

    def arrays(scan: Scan) -> Arrays:
        return in_shape(prepared(scan.channels, spacing_mm)[0], layout.shape), None

    content = content_digest([content, repr((spacing_mm, layout))])
    return stored(folder, content, layout, scans, arrays, progress, "preparing volumes")
