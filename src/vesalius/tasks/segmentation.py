"""Segmentation by MONAI's DynUNet: the quick segmenter with which cohorts are compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import DynUNet
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.spade import one_hot
from vesalius.phantoms.deformation import smooth_noise, warp
from vesalius.phantoms.mri import random_contrast
from vesalius.scans.case import LabelledScan
from vesalius.scans.progress import Progress, silent
from vesalius.scans.volume import Volume
from vesalius.training.device import fabric_for
from vesalius.training.loop import fit
from vesalius.training.recipe import FitRecipe, Settings

Box = tuple[slice, slice, slice]


class SegmenterRecipe(Settings):
    """Settings of a segmenter.

    Attributes:
        filters: channels of each of three or more levels, finest first; each halves the volume.
        fit: steps and batch.
        contrast: `acquired` trains on the images as they are, `random` on images of arbitrary
            contrast drawn from the label maps, deformed at random (the manner of SynthSeg).
    """

    filters: tuple[int, ...] = (8, 16, 32, 64)
    fit: FitRecipe = FitRecipe(steps=500, batch_size=1, learning_rate=6e-3, moving_average=0.98)
    contrast: Literal["acquired", "random"] = "acquired"


PRESETS = {
    "smallest": SegmenterRecipe(filters=(4, 8, 8), fit=FitRecipe(steps=3, batch_size=1)),
    "demo": SegmenterRecipe(),
    "workstation": SegmenterRecipe(
        filters=(32, 64, 128, 256, 320),
        fit=FitRecipe(steps=20_000, batch_size=4, learning_rate=1e-3, moving_average=0.999),
    ),
    "paper": SegmenterRecipe(
        filters=(32, 64, 128, 256, 320, 320),
        fit=FitRecipe(steps=100_000, batch_size=2, learning_rate=1e-3, moving_average=0.999),
    ),
}


class Segmenter(nn.Module):
    """Scores `(B, labels, D, H, W)` for images `(B, C, D, H, W)` of any size and unit spread.

    >>> net = Segmenter(channels=1, labels=3, filters=(4, 8, 8))
    >>> net(torch.rand(1, 1, 9, 10, 11)).shape
    torch.Size([1, 3, 9, 10, 11])
    """

    def __init__(self, channels: int, labels: int, filters: tuple[int, ...]) -> None:
        super().__init__()
        levels = len(filters)
        self.multiple = 2 ** (levels - 1)
        self.network = DynUNet(
            spatial_dims=3, in_channels=channels, out_channels=labels, filters=list(filters),
            kernel_size=[3] * levels, strides=[1] + [2] * (levels - 1),
            upsample_kernel_size=[2] * (levels - 1), res_block=False,
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        sides = image.shape[2:]
        missing = [-side % self.multiple for side in reversed(sides)]
        padded = functional.pad(image, [p for m in missing for p in (0, m)], mode="replicate")
        scores: Tensor = self.network(padded)
        return scores[:, :, : sides[0], : sides[1], : sides[2]].float()


def normalised(image: np.ndarray) -> np.ndarray:
    """An image `(C, D, H, W)` with each channel at zero mean and unit spread above its background.

    >>> done = normalised(np.arange(16.0).reshape(1, 1, 4, 4))
    >>> bool(abs(done.mean()) < 1)
    True
    """
    out = np.empty(image.shape, dtype=np.float32)
    for channel, voxels in enumerate(image):
        low, high = np.percentile(voxels, [1, 99])
        body = voxels[voxels > low + 0.1 * (high - low)]
        body = body if body.size else voxels
        out[channel] = (voxels - body.mean()) / max(float(body.std()), 1e-6)
    return np.clip(out, -6, 6)


class TrainingScans:
    """Scans in memory: oriented to RAS, of one spacing, cropped to the body, padded to one shape.

    Args:
        scans: images and label maps.
        label_numbers: of the cohort, in rising order.
        spacing_mm: that the segmenter works at.
    """

    def __init__(
        self, scans: Sequence[LabelledScan], label_numbers: Sequence[int],
        spacing_mm: tuple[float, float, float],
    ) -> None:  # fmt: skip
        self.label_numbers = np.array(sorted(label_numbers))
        self.spacing_mm = spacing_mm
        images, labels = [], []
        for scan in scans:
            image, box = prepared(scan.channels, spacing_mm)
            images.append(image)
            numbers = resampled(scan.label_map.oriented("RAS"), spacing_mm, order=0)[box]
            labels.append(np.searchsorted(self.label_numbers, numbers).astype(np.uint8))
        shape = np.max([label.shape for label in labels], axis=0)
        self.images = torch.stack([torch.from_numpy(_padded(i, shape)) for i in images])
        self.labels = torch.stack([torch.from_numpy(_padded(one, shape)) for one in labels])

    def __len__(self) -> int:
        return len(self.labels)


class SegmentationObjective(nn.Module):
    """Dice and cross-entropy against the label maps, on flipped and re-toned images."""

    def __init__(
        self, network: Segmenter, scans: TrainingScans, contrast: Literal["acquired", "random"]
    ) -> None:
        super().__init__()
        self.network, self.scans, self.contrast = network, scans, contrast
        self.agreement = DiceCELoss(softmax=True)

    def forward(self, rows: Tensor, chance: torch.Generator) -> Tensor:
        device = next(self.network.parameters()).device
        drawn = [self._draw(row, chance) for row in rows.tolist()]
        image = torch.stack([pair[0] for pair in drawn]).to(device)
        labels = torch.stack([pair[1] for pair in drawn]).to(device)
        scores = self.network(image)
        loss: Tensor = self.agreement(scores, one_hot(labels, scores.shape[1]))
        return loss

    def _draw(self, row: int, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        """One image `(C, D, H, W)` and its labels, mirrored half of the time."""
        labels = self.scans.labels[row].long()
        if self.contrast == "random":
            labels = _deformed(labels, self.scans.spacing_mm[0], chance)
            count = len(self.scans.label_numbers)
            image = random_contrast(labels, count, self.scans.spacing_mm[0], chance)[None]
            image = torch.from_numpy(normalised(image.numpy()))
            image = image.expand(self.scans.images.shape[1], -1, -1, -1)
        else:
            image = self.scans.images[row].float()
            tone, shift, noise = torch.randn(3, generator=chance)
            image = image * torch.exp(0.1 * tone) + 0.1 * shift
            grain = torch.randn(image.shape, generator=chance)
            image = image + 0.05 * noise.abs() * grain
        if float(torch.rand(1, generator=chance)) < 0.5:
            image, labels = image.flip(1), labels.flip(0)
        return image, labels


def fit_segmenter(
    scans: TrainingScans, recipe: SegmenterRecipe, seed: int, part: str, folder: Path,
    progress: Progress = silent,
) -> Segmenter:  # fmt: skip
    """Train a segmenter, or go on with a killed training.

    Args:
        scans: to train on.
        recipe: settings.
        seed: of the training.
        part: its name in log and state.
        folder: where the state of an unfinished training is kept.
        progress: told after each step.
    """
    torch.manual_seed(seed)
    network = Segmenter(scans.images.shape[1], len(scans.label_numbers), recipe.filters)
    objective = SegmentationObjective(network, scans, recipe.contrast)
    fabric = fabric_for(recipe.fit.precision)
    fit(objective, len(scans), recipe.fit, seed, part, folder, fabric, progress)
    return network.eval()


@torch.no_grad()
def segment(network: Segmenter, scan: LabelledScan, scans: TrainingScans) -> Volume:
    """The label map of a scan in its own geometry, from its images alone.

    Args:
        network: trained.
        scan: its label map is not looked at.
        scans: what the network was trained on, for its labels and spacing.
    """
    fabric = fabric_for("bf16-mixed")
    voxels, box = prepared(scan.channels, scans.spacing_mm)
    with fabric.autocast():
        found = network.to(fabric.device)(torch.from_numpy(voxels)[None].to(fabric.device))[0]
    upright = scan.channels[0].oriented("RAS")
    scores = torch.full((len(found), *working_shape(upright, scans.spacing_mm)), -1e4)
    scores[0] = 0
    scores[:, *box] = found.cpu()
    if scores.shape[1:] != upright.shape:
        scores = functional.interpolate(
            scores[None], size=upright.shape, mode="trilinear", align_corners=False
        )[0]
    numbers = scans.label_numbers[scores.argmax(dim=0).numpy()].astype(np.uint8)
    here = scan.channels[0]
    placed = Volume(numbers, upright.affine).oriented(here.orientation)
    return Volume(placed.voxels, here.affine)


def prepared(
    channels: Sequence[Volume], spacing_mm: tuple[float, float, float]
) -> tuple[np.ndarray, Box]:
    """Images as the segmenter sees them, RAS, one spacing, unit spread, `(C, D, H, W)`.

    Returns:
        the part of them that holds the body, and where that part lies.
    """
    image = np.stack([resampled(one.oriented("RAS"), spacing_mm, order=1) for one in channels])
    box = body_box(image)
    return normalised(image[:, *box]), box


def body_box(image: np.ndarray) -> Box:
    """The box around what stands out from the background of `(C, D, H, W)`, with a margin.

    >>> image = np.zeros((1, 10, 10, 10)); image[0, 3:7, 3:7, 3:7] = 1
    >>> body_box(image)[0]
    slice(1, 9, None)
    """
    smooth = ndimage.uniform_filter(image[0].astype(np.float32), 3, mode="nearest")
    low, high = np.percentile(smooth, [1, 99])
    parts = ndimage.find_objects((smooth > low + 0.2 * (high - low)).astype(np.uint8))
    if not parts or parts[0] is None:
        return slice(0, image.shape[1]), slice(0, image.shape[2]), slice(0, image.shape[3])
    x, y, z = (
        slice(max(0, side.start - 1), min(full, side.stop + 1))
        for side, full in zip(parts[0], image.shape[1:], strict=True)
    )
    return x, y, z


def working_shape(
    volume: Volume, spacing_mm: tuple[float, float, float]
) -> tuple[int, ...]:  # fmt: skip
    """Shape of a volume once it is resampled to another spacing."""
    zoom = np.array(volume.spacing_mm) / np.array(spacing_mm)
    return tuple(int(n) for n in np.maximum(1, np.round(np.array(volume.shape) * zoom)))


def resampled(volume: Volume, spacing_mm: tuple[float, float, float], order: int) -> np.ndarray:
    """Voxels of a volume at another spacing, covering the same field of view."""
    shape = working_shape(volume, spacing_mm)
    if shape == volume.shape:
        return volume.voxels
    step = np.array(volume.shape) / shape
    out: np.ndarray = ndimage.affine_transform(
        volume.voxels, step, 0.5 * step - 0.5, output_shape=shape, order=order, mode="nearest"
    )
    return out


def _padded(voxels: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """The last three axes centred in a larger shape, filled with the least value."""
    missing = shape - np.array(voxels.shape[-3:])
    sides = [(0, 0)] * (voxels.ndim - 3) + [(int(m // 2), int(m - m // 2)) for m in missing]
    return np.pad(voxels, sides, constant_values=voxels.min())


def _deformed(labels: Tensor, spacing_mm: float, chance: torch.Generator) -> Tensor:
    """A label map bent smoothly by some millimetres."""
    bend = 3.0 * smooth_noise(tuple(labels.shape), 40.0, spacing_mm, chance)
    return warp(labels[None].float(), bend, spacing_mm, nearest=True)[0].round().long()
