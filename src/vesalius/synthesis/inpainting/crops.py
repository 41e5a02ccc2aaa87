"""Crops around a landmark: what the networks see of a scan, and their latent grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vesalius.scans.case import LabelledScan
from vesalius.scans.grid import Grid
from vesalius.scans.spine import kind_of
from vesalius.training.fingerprint import Fingerprint

LATENT_FACTORS = (1, 2, 2)
"""A latent voxel holds two by two pixels of a slice: nothing is lost on the way."""

IMAGE_MIDDLE, IMAGE_SPREAD = 0.3, 0.3
LABEL_SPREAD = 0.7


@dataclass(frozen=True)
class Crop:
    """A part of a scan in the grid of a run.

    Attributes:
        scan: image in the cohort's units and labels in its numbers, on the grid of the run.
        landmark: in voxels of the crop, fractions allowed.
        start, zoom: voxel of the RAS-oriented scan at the crop's corner, and its voxels a step.
    """

    scan: LabelledScan
    landmark: np.ndarray
    start: np.ndarray
    zoom: np.ndarray


def cut(scan: LabelledScan, landmark: np.ndarray, grid: Grid) -> Crop:
    """Cut the crop whose middle is `landmark`, a voxel of the RAS-oriented scan."""
    label_map = scan.label_map.oriented("RAS")
    start, zoom = grid.start(label_map, landmark)
    images = tuple(grid.sample(i.oriented("RAS"), landmark, order=1) for i in scan.channels)
    placed = LabelledScan(images, grid.sample(label_map, landmark, order=0))
    return Crop(placed, (landmark - start) / zoom, start, zoom)


def voxel_of(scan: LabelledScan, point_mm: tuple[float, float, float]) -> np.ndarray:
    """The voxel of the RAS-oriented scan at a point in mm."""
    affine = scan.label_map.oriented("RAS").affine
    voxel: np.ndarray = np.linalg.solve(affine, np.array([*point_mm, 1.0]))[:3]
    return voxel


class LabelKinds:
    """Labels by what they show, levels put together: the networks draw kinds, not levels.

    >>> kinds = LabelKinds({"background": 0, "disc_L3-L4": 1, "disc_L4-L5": 2, "canal": 3})
    >>> kinds.names, kinds.of_position.tolist()
    (('background', 'disc', 'canal'), [0, 1, 1, 2])
    """

    def __init__(self, labels: dict[str, int]) -> None:
        ordered = sorted(labels, key=lambda name: labels[name])
        self.names = tuple(dict.fromkeys(kind_of(name) for name in ordered))
        self.of_position = torch.tensor([self.names.index(kind_of(name)) for name in ordered])
        self.numbers = {
            kind: [labels[name] for name in ordered if kind_of(name) == kind]
            for kind in self.names
        }  # fmt: skip

    def __len__(self) -> int:
        return len(self.names)


def to_latent(image: Tensor, kinds: Tensor, count: int) -> Tensor:
    """Image `(B, C, D, H, W)` scaled to about [0, 1] and kinds `(B, D, H, W)` as one latent.

    Returns:
        `(B, 4·(C + count), D, H/2, W/2)`, of about unit spread.

    >>> latent = to_latent(torch.rand(1, 1, 2, 4, 4), torch.zeros(1, 2, 4, 4, dtype=torch.long), 3)
    >>> latent.shape, from_latent(latent, 1)[0].shape
    (torch.Size([1, 16, 2, 2, 2]), torch.Size([1, 1, 2, 4, 4]))
    """
    codes = functional.one_hot(kinds, count).permute(0, 4, 1, 2, 3).float()
    joined = torch.cat(
        [(image - IMAGE_MIDDLE) / IMAGE_SPREAD, LABEL_SPREAD * (2 * codes - 1)], dim=1
    )
    b, c, d, h, w = joined.shape
    folded = functional.pixel_unshuffle(joined.transpose(1, 2).reshape(b * d, c, h, w), 2)
    return folded.reshape(b, d, 4 * c, h // 2, w // 2).transpose(1, 2)


def from_latent(latent: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Image `(B, C, D, H, W)` and the likeliest kinds `(B, D, H, W)` of a latent."""
    b, c, d, h, w = latent.shape
    flat = latent.transpose(1, 2).reshape(b * d, c, h, w)
    joined = functional.pixel_shuffle(flat, 2).reshape(b, d, c // 4, 2 * h, 2 * w).transpose(1, 2)
    image = joined[:, :channels] * IMAGE_SPREAD + IMAGE_MIDDLE
    return image, joined[:, channels:].argmax(dim=1)


def latent_of(crops: list[Crop], fingerprint: Fingerprint, kinds: LabelKinds) -> Tensor:
    """Latents `(B, C, D, H, W)` of crops."""
    images, labels = [], []
    for crop in crops:
        voxels = np.stack([image.voxels for image in crop.scan.channels])
        images.append(torch.from_numpy(fingerprint.scaled(voxels).astype(np.float32)))
        position = np.searchsorted(fingerprint.label_numbers, crop.scan.label_map.voxels)
        labels.append(kinds.of_position[torch.from_numpy(position)])
    return to_latent(torch.stack(images), torch.stack(labels), len(kinds))
