"""A volume: voxels with their geometry."""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels `(X, Y, Z)` and the affine `(4, 4)` that takes voxel indices to RAS+ millimetres.

    A radiograph is a volume one voxel thick. Geometry is a value: two volumes lie in the same space
    when `same_geometry` says so, whatever file they came from.

    >>> volume = Volume(np.zeros((4, 5, 6)), np.diag([2.0, 2.0, 3.0, 1.0]))
    >>> volume.spacing_mm, volume.orientation, volume.voxel_ml
    ((2.0, 2.0, 3.0), 'RAS', 0.012)
    """

    voxels: NDArray
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3:
            raise ValueError(f"a volume has three axes, not shape {self.voxels.shape}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each axis."""
        x, y, z = self.voxels.shape
        return x, y, z

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel in mm."""
        x, y, z = (round(float(size), 6) for size in nib.affines.voxel_sizes(self.affine))
        return x, y, z

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in mL, true for oblique and sheared affines as well."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000

    @property
    def orientation(self) -> str:
        """Where each axis points, such as `RAS` or `LPS`."""
        return "".join(nib.orientations.ornt2axcodes(_nearest_axes(self.affine)))

    def same_geometry(self, other: Volume, tolerance_mm: float = 1e-3) -> bool:
        """Whether both volumes cover the same voxels, to within `tolerance_mm` at every corner."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n) for n in self.shape])).reshape(3, -1)
        homogeneous = np.vstack([corners, np.ones(corners.shape[1])])
        return bool(np.abs((self.affine - other.affine) @ homogeneous).max() <= tolerance_mm)

    def oriented(self, orientation: str) -> Volume:
        """The same voxels with axes flipped and swapped, without resampling, to `orientation`.

        >>> left = Volume(np.arange(8.0).reshape(2, 2, 2), np.diag([-1.0, -1.0, 1.0, 1.0]))
        >>> left.orientation, left.oriented("RAS").orientation
        ('LPS', 'RAS')
        >>> bool((left.oriented("RAS").oriented("LPS").voxels == left.voxels).all())
        True
        """
        here = _nearest_axes(self.affine)
        there = nib.orientations.axcodes2ornt(tuple(orientation))
        change = nib.orientations.ornt_transform(here, there)
        voxels = nib.orientations.apply_orientation(self.voxels, change)
        affine = self.affine @ nib.orientations.inv_ornt_aff(change, self.shape)
        return Volume(np.ascontiguousarray(voxels), affine)


def _nearest_axes(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """What `nibabel.io_orientation` says; halfway between two axes the order at hand goes first.

    There rounding would decide, and the way back from an axis order would be another than the way
    to it.
    """
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(directions)
    turn = np.eye(4)
    turn[:3, :3] = left @ right
    nearest: NDArray[np.float64] = nib.io_orientation(turn + 1e-6 * np.diag(np.sign(np.diag(turn))))
    return nearest
