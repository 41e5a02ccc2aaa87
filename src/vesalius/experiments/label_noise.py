"""Scans without texture in their images: each label filled with noise of its own mean and SD.

What a segmenter learns from them it has from shapes and mean contrast alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from vesalius.scans.case import LabelledScan
from vesalius.scans.volume import Volume


class LabelNoise(Sequence[Any]):
    """Scans whose voxels are replaced by noise as they are read.

    Args:
        scans: with their label maps.
        names: of the scans, from which the noise follows.
    """

    def __init__(self, scans: Sequence[LabelledScan], names: Sequence[str]) -> None:
        self.scans, self.names = scans, tuple(names)

    def __len__(self) -> int:
        return len(self.scans)

    def __getitem__(self, place: Any) -> Any:
        """The scan at a row, or the scans of a slice."""
        if isinstance(place, slice):
            return LabelNoise(self.scans[place], self.names[place])
        return as_label_noise(self.scans[place], zlib.crc32(self.names[place].encode()))


def as_label_noise(scan: LabelledScan, seed: int) -> LabelledScan:
    """A scan of which only the label map, and the mean and SD of each label are kept.

    >>> affine = np.diag([1.0, 1.0, 1.0, 1.0])
    >>> labels = np.zeros((20, 20, 20), np.uint8); labels[10:] = 1
    >>> ramp = np.where(labels, 100.0, 20.0) + np.linspace(-3, 3, 20)
    >>> scan = LabelledScan((Volume(ramp.astype(np.float32), affine),), Volume(labels, affine))
    >>> image = as_label_noise(scan, 0).channels[0].voxels
    >>> [round(float(image[labels == one].mean())) for one in (0, 1)]
    [20, 100]
    """
    rng, labels = np.random.default_rng(seed), scan.label_map.voxels
    channels = []
    for channel in scan.channels:
        voxels = np.zeros(channel.shape, np.float32)
        for number in np.unique(labels):
            inside = labels == number
            own = channel.voxels[inside]
            voxels[inside] = rng.normal(own.mean(), own.std(), own.size)
        channels.append(Volume(voxels, channel.affine))
    return LabelledScan(tuple(channels), scan.label_map)
