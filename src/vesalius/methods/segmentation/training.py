"""Segmentation by MONAI's networks: the quick segmenter with which cohorts are compared."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from monai.losses import DiceCELoss
from torch import Tensor
from torch.nn import functional

from vesalius.geometry.deformation import sample, smooth_noise, voxel_grid, warp
from vesalius.networks.segmenter import Architecture, Segmenter
from vesalius.networks.spade import one_hot
from vesalius.phantoms.mri import random_contrast
from vesalius.scans.case import LabelledScan, Scan
from vesalius.scans.progress import Progress, no_progress
from vesalius.scans.volume import Volume
from vesalius.training.content import content_digest
from vesalius.training.device import fabric_for, placed
from vesalius.training.loop import fit_network
from vesalius.training.objective import Batch, Objective
from vesalius.training.preparation import (
    in_shape,
    normalised,
    prepared,
    resampled,
    working_shape,
)
from vesalius.training.recipe import FitRecipe, Settings
from vesalius.training.store import Arrays, BlankStore, CaseStore, Layout, Store, stored


class SegmenterRecipe(Settings):
    """Settings of a segmenter.

    Attributes:
        architecture, filters: see `Segmenter`.
        fit: steps and batch.
        contrast: `acquired` trains on the images as they are, `random` on images of arbitrary
            contrast generated from the label maps, deformed at random (the manner of SynthSeg).
        mirror: show half of the cases with left and right exchanged, as suits labels that do not
            name a side.
        deform: turn, scale and bend images of acquired contrast anew at each step.
    """

    later: ClassVar[frozenset[str]] = frozenset({"deform"})

    architecture: Architecture = "dynunet"
    filters: tuple[int, ...] = (8, 16, 32, 64)
    fit: FitRecipe = FitRecipe(steps=500, batch_size=1, learning_rate=6e-3, moving_average=0.98)
    contrast: Literal["acquired", "random"] = "acquired"
    mirror: bool = True
    deform: bool = False


PRESETS = {
    "smallest": SegmenterRecipe(filters=(4, 8, 8), fit=FitRecipe(steps=3, batch_size=1)),
    "demo": SegmenterRecipe(),
    "workstation": SegmenterRecipe(
        filters=(32, 64, 128, 256, 320),
        fit=FitRecipe(steps=20_000, batch_size=4, learning_rate=1e-3, moving_average=0.999),
    ),
    "published": SegmenterRecipe(
        filters=(32, 64, 128, 256, 320, 320),
        fit=FitRecipe(steps=100_000, batch_size=2, learning_rate=1e-3, moving_average=0.999),
    ),
}


class TrainingScans:
    """Scans as segmenters see them: RAS, of one spacing, cropped to the body, of one shape.

    Args:
        store: images at unit SD, and labels.
        label_numbers: of the cohort, in rising order.
        spacing_mm: that the segmenter works at.
    """

    def __init__(
        self, store: Store, label_numbers: Sequence[int], spacing_mm: tuple[float, float, float]
    ) -> None:
        self.store, self.spacing_mm = store, spacing_mm
        self.label_numbers = np.array(sorted(label_numbers))

    @classmethod
    def write(
        cls, folder: Path, content: str, layout: Layout, scans: Sequence[LabelledScan],
        label_numbers: Sequence[int], spacing_mm: tuple[float, float, float],
        progress: Progress = no_progress,
    ) -> TrainingScans:  # fmt: skip
        """Keep scans in a folder, read one after the other.

        Args:
            folder: of the store.
            content: digest of the scans.
            layout: that holds the body of each.
            scans: images and label maps.
            label_numbers: of the cohort.
            spacing_mm: that the segmenter works at.
            progress: called after each scan.
        """
        numbers = np.array(sorted(label_numbers))

        def arrays(scan: LabelledScan) -> Arrays:
            image, box = prepared(scan.channels, spacing_mm)
            own = resampled(scan.label_map.oriented("RAS"), spacing_mm, order=0)[box]
            labels = np.searchsorted(numbers, own).astype(np.uint8)
            return in_shape(image, layout.shape), in_shape(labels, layout.shape)

        content = content_digest([content, repr((spacing_mm, layout))])
        store = stored(folder, content, layout, scans, arrays, progress, "preparing scans")
        return cls(store, label_numbers, spacing_mm)

    @classmethod
    def blank(
        cls, layout: Layout, label_numbers: Sequence[int], spacing_mm: tuple[float, float, float]
    ) -> TrainingScans:
        """What stands for them in a plan."""
        return cls(BlankStore(layout), label_numbers, spacing_mm)

    def __len__(self) -> int:
        assert isinstance(self.store, CaseStore)
        return len(self.store)

    def subset(self, rows: Sequence[int]) -> TrainingScans:
        """Some of the scans, in this order."""
        assert isinstance(self.store, CaseStore)
        chosen = copy(self)
        chosen.store = self.store.subset(rows)
        return chosen


class SegmentationObjective(Objective):
    """Dice and cross-entropy against the label maps, on flipped and re-toned images."""

    def __init__(self, network: Segmenter, scans: TrainingScans, recipe: SegmenterRecipe) -> None:
        super().__init__()
        self.network, self.scans = network, scans
        self.contrast, self.mirror = recipe.contrast, recipe.mirror
        self.deform = recipe.deform
        self.agreement = DiceCELoss(softmax=True)

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        generated = [self._draw(row, rng) for row in rows.tolist()]
        return tuple(torch.stack(side) for side in zip(*generated, strict=True))

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        image, labels = batch
        scores = self.network(image)
        loss: Tensor = self.agreement(scores, one_hot(labels, scores.shape[1]))
        return loss

    def _draw(self, row: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """One image `(C, D, H, W)` and its labels, mirrored half of the time."""
        rows = torch.tensor([row])
        labels = self.scans.store.labels(rows)[0].long()
        if self.contrast == "random":
            labels = _deformed(labels, self.scans.spacing_mm[0], rng)
            count = len(self.scans.label_numbers)
            image = random_contrast(labels, count, self.scans.spacing_mm[0], rng)[None]
            image = torch.from_numpy(normalised(image.numpy()))
            image = image.expand(self.scans.store.layout.channels, -1, -1, -1)
        else:
            image = self.scans.store.images(rows)[0]
            if self.deform:
                seen_through = _moved(labels.shape, self.scans.spacing_mm, rng)
                image = sample(image, seen_through)
                labels = sample(labels[None].float(), seen_through, nearest=True)[0].round().long()
            tone, shift, noise = torch.randn(3, generator=rng)
            image = image * torch.exp(0.1 * tone) + 0.1 * shift
            noise_texture = torch.randn(image.shape, generator=rng)
            image = image + 0.05 * noise.abs() * noise_texture
        if float(torch.rand(1, generator=rng)) < 0.5 and self.mirror:
            image, labels = image.flip(1), labels.flip(0)
        return image, labels


def fit_segmenter(
    scans: TrainingScans, recipe: SegmenterRecipe, seed: int, part: str, folder: Path,
    progress: Progress = no_progress, pretrained: Segmenter | None = None,
) -> Segmenter:  # fmt: skip
    """Train a segmenter, or go on with a killed training.

    Args:
        scans: to train on.
        recipe: settings.
        seed: of the training.
        part: its name in log and state.
        folder: where the state of an unfinished training is kept.
        progress: called after each step.
        pretrained: whose weights it begins from, but for its last layer.
    """
    torch.manual_seed(seed)
    network = Segmenter(
        scans.store.layout.channels,
        len(scans.label_numbers),
        recipe.filters,
        recipe.architecture,
    )
    if pretrained is not None:
        network.init_from(pretrained)
    objective = SegmentationObjective(network, scans, recipe)
    fit_network(objective, len(scans), recipe.fit, seed, part, folder, progress)
    return network.eval()


@torch.no_grad()
def segment(
    network: Segmenter, scan: Scan, label_numbers: Sequence[int],
    spacing_mm: tuple[float, float, float], shape: tuple[int, int, int] | None = None,
) -> Volume:  # fmt: skip
    """The label map of a scan in its own geometry, from its images alone.

    A scan smaller than those that were learnt from is filled up as they were: a head that fills its
    volume to the border is something that the network has hardly seen, and there it fails.

    Args:
        network: trained.
        scan: its label map, if it has one, is not looked at.
        label_numbers: of the cohort that the network was trained on.
        spacing_mm: at which it was trained.
        shape: in which it was trained; the scan's own if `None`.
    """
    fabric = fabric_for("bf16-mixed")
    voxels, box = prepared(scan.channels, spacing_mm)
    sides = voxels.shape[1:]
    larger = [max(*pair) for pair in zip(sides, shape or sides, strict=True)]
    filled = torch.from_numpy(np.ascontiguousarray(in_shape(voxels, larger)))
    with fabric.autocast():
        scores = placed(network)(filled[None].to(fabric.device))[0].cpu()
    starts = [(after - side) // 2 for after, side in zip(larger, sides, strict=True)]
    own = (slice(start, start + side) for start, side in zip(starts, sides, strict=True))
    result = scores[:, *own]
    upright = scan.channels[0].oriented("RAS")
    scores = torch.full((len(result), *working_shape(upright, spacing_mm)), -1e4)
    scores[0] = 0
    scores[:, *box] = result
    if scores.shape[1:] != upright.shape:
        scores = functional.interpolate(
            scores[None], size=upright.shape, mode="trilinear", align_corners=False
        )[0]
    numbers = np.array(sorted(label_numbers))[scores.argmax(dim=0).numpy()].astype(np.uint8)
    here = scan.channels[0]
    turned = Volume(numbers, upright.affine).oriented(here.orientation)
    return Volume(turned.voxels, here.affine)


TURN_DEGREES, SCALE, BEND_MM = 15.0, 0.15, 3.0
"""Largest turn about each axis and change of size, and SD of the smooth bend."""


def _moved(
    shape: Sequence[int], spacing_mm: tuple[float, float, float], rng: torch.Generator
) -> Tensor:
    """Where each voxel of a turned, scaled and bent volume is looked up, `(3, X, Y, Z)`."""
    turns = torch.deg2rad(TURN_DEGREES * (2 * torch.rand(3, generator=rng) - 1))
    size = 1 + SCALE * (2 * float(torch.rand(1, generator=rng)) - 1)
    matrix = size * torch.linalg.matrix_exp(
        torch.stack([
            torch.stack([torch.zeros(()), -turns[2], turns[1]]),
            torch.stack([turns[2], torch.zeros(()), -turns[0]]),
            torch.stack([-turns[1], turns[0], torch.zeros(())]),
        ])
    )  # fmt: skip
    middle = (torch.tensor([float(side) for side in shape]) - 1).reshape(3, 1, 1, 1) / 2
    edges = torch.tensor(spacing_mm).reshape(3, 1, 1, 1)
    points_mm = (voxel_grid(tuple(shape)) - middle) * edges
    bend = BEND_MM * smooth_noise(tuple(shape), 40.0, spacing_mm[0], rng)
    return (torch.einsum("ij,jxyz->ixyz", matrix, points_mm) + bend) / edges + middle


def _deformed(labels: Tensor, spacing_mm: float, rng: torch.Generator) -> Tensor:
    """A label map bent smoothly by some millimetres."""
    bend = BEND_MM * smooth_noise(tuple(labels.shape), 40.0, spacing_mm, rng)
    return warp(labels[None].float(), bend, spacing_mm, nearest=True)[0].round().long()
