"""A linear shape space: principal components of signed distances to the labels.

Label maps cannot be averaged, their signed distances can (Leventon et al. 2000, "Statistical shape
influence in geodesic active contours"; Pohl et al. 2006 for several labels). Clipping keeps what is
far from a border from counting. A few minutes and a few dozen cases suffice.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from vesalius.networks.linear_codes import LinearCodes
from vesalius.scans.arrays import ScratchRows


def signed_distances(label_map: np.ndarray, labels: int, clip_voxels: float) -> np.ndarray:
    """Distance of every voxel to the border of each label, positive inside.

    Args:
        label_map: whole numbers `(D, H, W)`.
        labels: how many labels there are, the background included.
        clip_voxels: distances beyond are cut off.

    Returns:
        float16 `(labels, D, H, W)` in units of `clip_voxels`, so within [-1, 1].

    >>> row = np.array([0, 0, 0, 1, 1, 0]).reshape(6, 1, 1)
    >>> signed_distances(row, 2, clip_voxels=2.0)[1].ravel().tolist()
    [-1.0, -0.75, -0.25, 0.25, 0.25, -0.25]
    """
    out = np.empty((labels, *label_map.shape), dtype=np.float16)
    reach = int(np.ceil(clip_voxels)) + 1
    for label in range(labels):
        inside = label_map == label
        if not inside.any():
            out[label] = -1
            continue
        extent = ndimage.find_objects(inside.astype(np.uint8))[0]
        box = tuple(slice(max(0, side.start - reach), side.stop + reach) for side in extent)
        within = ndimage.distance_transform_edt(np.pad(inside[box], 1, mode="edge"))
        outside = ndimage.distance_transform_edt(~inside[box])
        distance = np.where(inside[box], within[1:-1, 1:-1, 1:-1] - 0.5, 0.5 - outside)
        out[label] = -1
        out[label][box] = np.clip(distance / clip_voxels, -1, 1)
    return out


class ShapeSpace(LinearCodes):
    """Principal components of clipped signed distances, with codes whitened to unit SD.

    Args:
        labels: how many labels, the background included.
        shape: of the label maps.
        components: K.
        clip_voxels: see `signed_distances`.

    >>> maps = np.zeros((6, 8, 8, 8), dtype=np.uint8)
    >>> for size, one in enumerate(maps, start=1): one[1 : 1 + size, 2:6, 2:6] = 1
    >>> space = ShapeSpace(labels=2, shape=(8, 8, 8), components=4)
    >>> _ = space.fit(maps)
    >>> code, _ = space.encode(torch.from_numpy(maps))
    >>> float((space.decode(code).argmax(dim=1) == torch.from_numpy(maps)).float().mean()) > 0.99
    True
    """

    def __init__(
        self, labels: int, shape: tuple[int, int, int], components: int, clip_voxels: float = 4.0
    ) -> None:
        super().__init__(labels * int(np.prod(shape)), components)
        self.labels, self.shape, self.clip_voxels = labels, shape, clip_voxels
        self.code_shape: tuple[int, ...] = (components,)

    def fit(self, label_maps: Iterable[np.ndarray], folder: Path | None = None) -> Tensor:
        """Find the components from N label maps, whose distances lie on disk meanwhile.

        Args:
            label_maps: whole numbers `(D, H, W)`, looked at one after the other.
            folder: on whose disk the distances lie; the temporary one if `None`.

        Returns:
            the codes `(N, K)` of these label maps, as `encode` would give them.
        """
        rows = ScratchRows(folder)
        for label_map in label_maps:
            rows.add(signed_distances(label_map, self.labels, self.clip_voxels).ravel())
        return self.fit_rows(rows.array())

    def encode(self, label_map: Tensor) -> tuple[Tensor, Tensor]:
        """Codes `(B, K)` of label maps; a projection, so their standard deviation is zero."""
        rows = [
            signed_distances(one.cpu().numpy(), self.labels, self.clip_voxels).ravel()
            for one in label_map
        ]
        code = self.project(torch.from_numpy(np.stack(rows)))
        return code, torch.zeros_like(code)

    def decode(self, code: Tensor) -> Tensor:
        """Scores `(B, labels, D, H, W)`: the signed distances that the codes stand for."""
        return self.expand(code).reshape(len(code), self.labels, *self.shape)
