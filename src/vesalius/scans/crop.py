"""Crops around a landmark: a part of a scan on a grid, and where it lies in the scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.scans.case import LabelledScan
from vesalius.scans.grid import Grid


@dataclass(frozen=True)
class Crop:
    """A part of a scan on a grid.

    Attributes:
        scan: image in the cohort's units and labels in its numbers, on the grid.
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
