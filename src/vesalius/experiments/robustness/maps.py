"""Saliency maps of every training beside images and masks, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Canvas

from vesalius.methods.classification.pipeline import ClassificationPipeline
from vesalius.methods.classification.saliency import saliency, shown
from vesalius.networks.dual_norm import Path as NormPath
from vesalius.scans.classified import Classified
from vesalius.scans.writing import replacing

EXAMPLES = 6


def write_maps(
    path: Path, trained: Mapping[str, ClassificationPipeline], test: Classified,
    headline: Sequence[str], norm_path: NormPath,
) -> None:  # fmt: skip
    """The first images that show a headline label, its mask, and the map of every training.

    Args:
        path: of the PNG.
        trained: one classifier an arm.
        test: images with masks.
        headline: labels to be shown.
        norm_path: that images take in a network with two.
    """
    assert test.masks is not None
    picked = _examples(test, headline)
    canvas = Canvas(figsize=(1.6 * len(picked), 1.6 * (1 + len(trained))), facecolor="black")
    axes = canvas.subplots(1 + len(trained), max(1, len(picked)), squeeze=False)
    for column, (row, label) in enumerate(picked):
        image, mask = test.images[row, 0].astype(float), test.masks[row, label]
        images = test.images[[row]]
        maps = [saliency(one.network, images, label, path=norm_path)[0] for one in trained.values()]
        if image.ndim == 3:
            middle = int(mask.sum(axis=(0, 1)).argmax())
            image, mask = image[..., middle], mask[..., middle]
            maps = [one[..., middle] for one in maps]
        axes[0, column].imshow(image, cmap="gray", vmin=0, vmax=1)
        axes[0, column].set_title(test.labels[label], color="white", fontsize=8)
        for place, (arm, one) in enumerate(zip(trained, maps, strict=True), 1):
            axes[place, column].imshow(shown(one), cmap="inferno", vmin=0, vmax=1)
            if column == 0:
                axes[place, 0].set_title(arm, color="white", fontsize=8, loc="left")
        for ax in axes[:, column]:
            ax.contour(mask.astype(float), [0.5], colors="#58a6ff", linewidths=0.7)
    for ax in axes.flat:
        ax.axis("off")
    canvas.subplots_adjust(0.002, 0.002, 0.998, 0.96, wspace=0.03, hspace=0.12)
    with replacing(path) as partial:
        canvas.savefig(partial, format="png", dpi=110, facecolor="black")


def _examples(test: Classified, headline: Sequence[str]) -> list[tuple[int, int]]:
    """The first images of each headline label, as many of each: nothing is picked."""
    each = max(1, EXAMPLES // len(headline))
    result = []
    for name in headline:
        label = test.labels.index(name)
        rows = np.flatnonzero(test.targets[:, label] == 1)[:each]
        result += [(int(row), label) for row in rows]
    return result
