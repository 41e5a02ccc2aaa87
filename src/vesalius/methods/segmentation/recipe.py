"""Settings of a segmenter that is kept."""

from __future__ import annotations

from typing import ClassVar

from vesalius.methods.segmentation.training import PRESETS, SegmenterRecipe
from vesalius.training.recipe import Settings


class SegmentationRecipe(Settings):
    """Settings of a segmenter that is kept.

    Attributes:
        method: what this run is.
        preset: the name this recipe started from.
        seed: of the fit.
        spacing_mm: that it works at; the cohort's own if `None`.
        shape: into which all scans that it learns from fit; found from the cohort.
        segmenter: network, steps and batch.
        pretrained: name of the pre-training it began from, if any.
        held_out: share of the subjects kept for validation when the cohort names none.
    """

    later: ClassVar[frozenset[str]] = frozenset({"shape"})

    method: str = "segmentation"
    preset: str = "demo"
    seed: int = 0
    spacing_mm: tuple[float, float, float] | None = None
    shape: tuple[int, int, int] | None = None
    segmenter: SegmenterRecipe = PRESETS["demo"]
    pretrained: str = ""
    held_out: float = 0.1
