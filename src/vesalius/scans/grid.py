"""One grid for a cohort: the space that networks see, and the way back to the cohort's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.scans.case import LabelledScan, Scan
from vesalius.scans.input_error import InputError
from vesalius.scans.volume import Volume

LARGEST_GRID = 2**28
"""Voxels. A body from head to foot at 1 mm has 2 · 10⁸."""


@dataclass(frozen=True)
class Grid:
    """Shape and spacing along right, anterior, superior, and the affine of what comes out.

    Scans go in by flips and swaps to the axes nearest RAS, resampling along their own axes, and a
    crop about the centre of the labels. So the oblique tilt of a scan is neither lost nor blurred.

    Attributes:
        shape: voxels of the grid, each a multiple of what the networks need.
        spacing_mm: edge lengths of a voxel.
        affine: of the grid in the space of the cohort, axes nearest RAS, rows as lists.
        orientation: axis codes in which the cohort stores its scans, such as `LPS`.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    affine: tuple[tuple[float, ...], ...]
    orientation: str = "RAS"

    def place(self, scan: LabelledScan) -> LabelledScan:
        """Bring a scan into this grid: images by linear, labels by nearest interpolation."""
        label_map = scan.label_map.oriented("RAS")
        centre = _label_centre(label_map)
        return LabelledScan(
            tuple(self.sample(image.oriented("RAS"), centre, order=1) for image in scan.channels),
            self.sample(label_map, centre, order=0),
        )

    def place_whole(self, scan: Scan) -> Scan:
        """Bring a scan into this grid, the middle of its field of view in the middle."""
        upright = [image.oriented("RAS") for image in scan.channels]
        centre = (np.array(upright[0].shape) - 1) / 2
        return Scan(tuple(self.sample(image, centre, order=1) for image in upright))

    def start(self, volume: Volume, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Voxel of a RAS-oriented `volume` at the grid's first corner, and its voxels a step.

        Where the spacing is the same but for rounding, the grid is shifted by half a voxel at most
        so that no voxel has to be interpolated.
        """
        own = np.array(volume.spacing_mm)
        return _start(own, centre, np.array(self.spacing_mm), np.array(self.shape))

    def sample(self, volume: Volume, centre: np.ndarray, order: int) -> Volume:
        """A RAS-oriented volume on this grid, its middle at the voxel `centre`."""
        offset, zoom = self.start(volume, centre)
        voxels = volume.voxels
        if order and not np.allclose(zoom, 1) and (zoom > 1).any():
            voxels = ndimage.gaussian_filter(voxels, 0.5 * np.sqrt(np.maximum(zoom**2 - 1, 0)))
        fill = float(volume.voxels.min()) if order else 0.0
        sampled = ndimage.affine_transform(
            voxels, zoom, offset, output_shape=self.shape, order=order, mode="nearest"
        )
        for axis, side in enumerate(volume.shape):  # the outermost voxels reach half a voxel out
            at = offset[axis] + zoom[axis] * np.arange(self.shape[axis])
            np.moveaxis(sampled, axis, 0)[(at < -0.5) | (at > side - 0.5)] = fill
        return Volume(
            sampled.astype(volume.voxels.dtype, copy=False),
            _affine_at(volume.affine, offset, zoom),
        )

    def covers(self, scan: LabelledScan) -> float:
        """Share of the labelled voxels of a scan that lie inside the grid."""
        placed = self.place(LabelledScan((), scan.label_map)).label_map
        before = (scan.label_map.voxels > 0).sum() * scan.label_map.voxel_ml
        return float(min(1.0, (placed.voxels > 0).sum() * placed.voxel_ml / before))

    def volume(self, voxels: np.ndarray) -> Volume:
        """Voxels of this grid as a volume in the cohort's space and axis order."""
        return Volume(voxels, np.array(self.affine)).oriented(self.orientation)


@dataclass(frozen=True)
class Extent:
    """Where the part of a scan lies that a grid must hold; all that a grid needs to know of it.

    Attributes:
        affine: of the scan turned to RAS.
        shape: voxels of the scan turned to RAS.
        centre: of the part, in voxels, halves allowed.
        half_mm: how far it reaches from there along each axis.
        orientation: axis codes in which the scan is stored.
    """

    affine: tuple[tuple[float, ...], ...]
    shape: tuple[int, ...]
    centre: tuple[float, ...]
    half_mm: tuple[float, ...]
    orientation: str

    @classmethod
    def of_labels(cls, scan: LabelledScan) -> Extent:
        """Of the box around all labels."""
        upright = scan.label_map.oriented("RAS")
        centre = _label_centre(upright)
        result = np.argwhere(upright.voxels > 0)
        half = np.maximum(centre - result.min(axis=0), result.max(axis=0) - centre) + 0.5
        return cls._of(upright, centre, half, scan.label_map.orientation)

    @classmethod
    def of_field(cls, scan: Scan) -> Extent:
        """Of the whole field of view."""
        upright = scan.channels[0].oriented("RAS")
        sides = np.array(upright.shape)
        return cls._of(upright, (sides - 1) / 2, sides / 2, scan.channels[0].orientation)

    @classmethod
    def _of(
        cls, upright: Volume, centre: np.ndarray, half: np.ndarray, orientation: str
    ) -> Extent:  # fmt: skip
        reach = half * np.array(upright.spacing_mm)
        rows = tuple(tuple(float(x) for x in row) for row in upright.affine)
        return cls(
            rows, upright.shape, tuple(map(float, centre)), tuple(map(float, reach)), orientation
        )

    @property
    def spacing_mm(self) -> np.ndarray:
        """Edge lengths of a voxel."""
        sizes: np.ndarray = np.round(np.linalg.norm(np.array(self.affine)[:3, :3], axis=0), 6)
        return sizes


def fit_grid(
    scans: Iterable[LabelledScan], spacing_mm: float | None = None, multiple: int = 4
) -> Grid:
    """The smallest grid that holds the labels of all `scans` with a margin of one voxel.

    Args:
        scans: a representative part of the cohort, or all of it, looked at one after the other.
        spacing_mm: edge length to work at; the median of the cohort if not given.
        multiple: of which each side of the grid must be one, as the networks halve it.

    >>> block = np.zeros((20, 20, 20), dtype=np.uint8); block[4:14, 5:12, 6:10] = 1
    >>> scan = LabelledScan((), Volume(block, np.diag([-2.0, -2.0, 2.0, 1.0])))
    >>> grid = fit_grid([scan])
    >>> grid.shape, grid.spacing_mm, grid.orientation
    ((12, 12, 8), (2.0, 2.0, 2.0), 'LPS')
    >>> bool(grid.place(scan).label_map.voxels.sum() == block.sum())
    True
    """
    return grid_around([Extent.of_labels(scan) for scan in scans], spacing_mm, multiple)


def grid_around(
    extents: Sequence[Extent], spacing_mm: float | None = None, multiple: int = 4
) -> Grid:
    """The grid of `fit_grid` for scans whose extents are known."""
    spacing = _spacing(extents, spacing_mm)
    reach = np.max([extent.half_mm for extent in extents], axis=0)
    whole = (2 * reach / spacing + 2) / multiple - 1e-6  # a rounding error is no further voxel
    sides = (np.ceil(whole) * multiple).astype(int)
    return _grid(extents[0], spacing, sides)


def whole_grid(scans: Iterable[Scan], spacing_mm: float | None = None, multiple: int = 4) -> Grid:
    """The grid of the median field of view of all `scans`, each side rounded to a multiple.

    Args:
        scans: a representative part of the cohort, or all of it.
        spacing_mm: edge length to work at; the median of the cohort if not given.
        multiple: of which each side of the grid must be one.

    >>> scan = Scan((Volume(np.zeros((20, 30, 17)), np.diag([-2.0, -2.0, 5.0, 1.0])),))
    >>> whole_grid([scan]).shape, whole_grid([scan]).spacing_mm
    ((20, 32, 16), (2.0, 2.0, 5.0))
    """
    return grid_of_fields([Extent.of_field(scan) for scan in scans], spacing_mm, multiple)


def grid_of_fields(
    extents: Sequence[Extent], spacing_mm: float | None = None, multiple: int = 4
) -> Grid:
    """The grid of `whole_grid` for scans whose extents are known."""
    spacing = _spacing(extents, spacing_mm)
    fields = [2 * np.array(extent.half_mm) for extent in extents]
    rounded = np.round(np.median(fields, axis=0) / spacing / multiple)
    sides = (np.maximum(1, rounded) * multiple).astype(int)
    return _grid(extents[0], spacing, sides)


def _spacing(extents: Sequence[Extent], spacing_mm: float | None) -> np.ndarray:
    """What is asked for, or the median of the scans."""
    if spacing_mm:
        return np.full(3, float(spacing_mm))
    median: np.ndarray = np.median([extent.spacing_mm for extent in extents], axis=0)
    return median


def _grid(reference: Extent, spacing: np.ndarray, sides: np.ndarray) -> Grid:
    """A grid about the middle of the first scan."""
    _require_bounded(sides, spacing)
    return Grid(
        (int(sides[0]), int(sides[1]), int(sides[2])),
        (float(spacing[0]), float(spacing[1]), float(spacing[2])),
        _affine_about(reference, spacing, sides), reference.orientation,
    )  # fmt: skip


def _require_bounded(sides: np.ndarray, spacing: np.ndarray) -> None:
    """Refuse a grid larger than any scan, before a cohort is resampled onto it."""
    if float(np.prod(sides.astype(float))) > LARGEST_GRID:
        shown, size = (" × ".join(f"{n:g}" for n in one) for one in (sides, spacing))
        fault = f"of {shown} voxels is needed at {size} mm"
        raise InputError("grid", fault, "ask for a larger spacing, or check that of the scans")


def _start(
    own: np.ndarray, centre: np.ndarray, spacing: np.ndarray, sides: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Voxel of a scan of spacing `own` at a grid's corner, and voxels a step."""
    zoom = spacing / own
    if np.allclose(zoom, 1):
        return np.round(centre - (sides - 1) / 2), np.ones(3)
    return centre - zoom * (sides - 1) / 2, zoom


def _affine_at(own: np.ndarray, offset: np.ndarray, zoom: np.ndarray) -> np.ndarray:
    """The affine of a grid that starts at the voxel `offset` and steps `zoom` voxels."""
    affine: np.ndarray = own @ np.diag([*zoom, 1.0])
    affine[:3, 3] = (own @ [*offset, 1.0])[:3]
    return affine


def _affine_about(
    reference: Extent, spacing: np.ndarray, sides: np.ndarray
) -> tuple[tuple[float, ...], ...]:
    """The affine of a grid into which a scan goes with the middle of its extent in the middle."""
    start = _start(reference.spacing_mm, np.array(reference.centre), spacing, sides)
    affine = _affine_at(np.array(reference.affine), *start)
    return tuple(tuple(float(x) for x in row) for row in affine)


def _label_centre(label_map: Volume) -> np.ndarray:
    """Centre of the box around all labels, in voxels, halves allowed."""
    result = [
        np.flatnonzero((label_map.voxels > 0).any(axis=other)) for other in ((1, 2), (0, 2), (0, 1))
    ]
    return np.array([(where[0] + where[-1]) / 2 for where in result])
