"""A finished segmenter, ready for scans of any geometry."""

from __future__ import annotations

from pathlib import Path

from vesalius.methods.segmentation.recipe import SegmentationRecipe
from vesalius.methods.segmentation.training import segment
from vesalius.networks.segmenter import Segmenter
from vesalius.sampling.travelling import Travelling
from vesalius.scans.case import Scan
from vesalius.scans.input_error import InputError
from vesalius.scans.volume import Volume
from vesalius.training.device import placed
from vesalius.training.run import AGAIN, Run

PART = "segmenter"


class SegmentationPipeline(Travelling):
    """A segmenter of a run, ready for scans of any geometry.

    Args:
        run: a finished run of segmentation.
    """

    def __init__(self, run: Run) -> None:
        recipe = run.recipe
        assert isinstance(recipe, SegmentationRecipe)
        if recipe.spacing_mm is None:
            raise InputError(run.folder / "recipe.json", "says no spacing", AGAIN)
        self.run, self.labels = run, run.fingerprint.labels
        self.spacing_mm, self.shape = recipe.spacing_mm, recipe.shape
        network = recipe.segmenter
        self.network = Segmenter(
            len(run.fingerprint.channels), len(self.labels), network.filters, network.architecture
        )
        run.load(PART, self.network)
        placed(self.network)

    @property
    def name(self) -> str:
        """Of its run."""
        return self.run.name

    @classmethod
    def open(cls, folder: str | Path) -> SegmentationPipeline:
        """Open a run and load its network."""
        return cls(Run.open(folder, SegmentationRecipe))

    def __call__(self, scan: Scan) -> Volume:
        """The label map of a scan in its own geometry."""
        return self.segment(scan)

    def segment(self, scan: Scan) -> Volume:
        """The label map of a scan in its own geometry."""
        known = self.run.fingerprint.channels
        if len(scan.channels) != len(known):
            fault = f"has {len(scan.channels)} channels, the run {len(known)} ({', '.join(known)})"
            raise InputError("scan", fault, "give the channels of the run, in their order")
        numbers = list(self.labels.values())
        return segment(self.network, scan, numbers, self.spacing_mm, self.shape)
