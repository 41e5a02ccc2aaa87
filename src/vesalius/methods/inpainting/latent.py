"""The latent grid: image and kinds of labels of a crop, two by two pixels a voxel, no loss."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vesalius.anatomy.spine import CANAL, kind_of
from vesalius.scans.crop import Crop
from vesalius.training.fingerprint import Fingerprint

LATENT_FACTORS = (1, 2, 2)
"""A latent voxel holds two by two pixels of a slice: nothing is lost on the way."""

IMAGE_MEAN, IMAGE_STD = 0.3, 0.3
LABEL_STD = 0.7


class LabelKinds:
    """Labels by what they show: levels put together, and all that lies in the canal.

    The networks draw kinds. Which level, and which of the canal's contents, follows from the labels
    nearby.

    >>> kinds = LabelKinds({"background": 0, "disc_L3-L4": 1, "disc_L4-L5": 2, "cord": 3})
    >>> kinds.names, kinds.of_position.tolist()
    (('background', 'disc', 'canal'), [0, 1, 1, 2])
    """

    def __init__(self, labels: dict[str, int]) -> None:
        ordered = sorted(labels, key=lambda name: labels[name])
        kinds = {name: "canal" if name in CANAL else kind_of(name) for name in ordered}
        self.names = tuple(dict.fromkeys(kinds.values()))
        self.of_position = torch.tensor([self.names.index(kinds[name]) for name in ordered])
        self.numbers = {
            kind: [labels[name] for name in ordered if kinds[name] == kind] for kind in self.names
        }

    def __len__(self) -> int:
        return len(self.names)


def to_latent(image: Tensor, kinds: Tensor, count: int) -> Tensor:
    """Image `(B, C, D, H, W)` scaled to about [0, 1] and kinds `(B, D, H, W)` as one latent.

    Returns:
        `(B, 4·(C + count), D, H/2, W/2)`, of about unit SD.

    >>> latent = to_latent(torch.rand(1, 1, 2, 4, 4), torch.zeros(1, 2, 4, 4, dtype=torch.long), 3)
    >>> latent.shape, from_latent(latent, 1)[0].shape
    (torch.Size([1, 16, 2, 2, 2]), torch.Size([1, 1, 2, 4, 4]))
    """
    codes = functional.one_hot(kinds, count).permute(0, 4, 1, 2, 3).float()
    joined = torch.cat([(image - IMAGE_MEAN) / IMAGE_STD, LABEL_STD * (2 * codes - 1)], dim=1)
    return folded(joined)


def folded(voxels: Tensor) -> Tensor:
    """Two by two pixels of each slice as channels: `(B, C, D, H, W)` to `(B, 4·C, D, H/2, W/2)`."""
    b, c, d, h, w = voxels.shape
    small = functional.pixel_unshuffle(voxels.transpose(1, 2).reshape(b * d, c, h, w), 2)
    return small.reshape(b, d, 4 * c, h // 2, w // 2).transpose(1, 2)


def from_latent(latent: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Image `(B, C, D, H, W)` and the likeliest kinds `(B, D, H, W)` of a latent."""
    b, c, d, h, w = latent.shape
    flat = latent.transpose(1, 2).reshape(b * d, c, h, w)
    joined = functional.pixel_shuffle(flat, 2).reshape(b, d, c // 4, 2 * h, 2 * w).transpose(1, 2)
    image = joined[:, :channels] * IMAGE_STD + IMAGE_MEAN
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
