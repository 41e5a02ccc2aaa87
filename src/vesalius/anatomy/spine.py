"""Measures of the spine on label maps: herniated discs and the width of the canal at each disc.

Labels are named by what they show and, where there are several, by their level: `vertebra_L4`,
`disc_L4-L5`, `canal`, `cord`, `cauda_equina`, `herniation`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from vesalius.scans.attributes import Attribute
from vesalius.scans.volume import Volume

_LEVEL = re.compile(r"^(?P<kind>.+?)_(?P<level>[CTLS]\d{1,2}(-[CTLS]\d{1,2})?)$")

CANAL = ("canal", "cord", "cauda_equina")


@dataclass(frozen=True)
class Pathology:
    """What is measured of a pathology at a level, and whether larger or smaller is worse."""

    measure: str
    worse: Literal["larger", "smaller"]

    def attribute(self, level: str) -> str:
        """Name of the attribute that tells its size at a level."""
        return f"{self.measure}_{level}"


PATHOLOGIES = {
    "herniation": Pathology("herniation_mm", "larger"),
    "stenosis": Pathology("canal_diameter_mm", "smaller"),
}
"""Pathologies by name: how far a disc herniates, and what diameter is left of the canal."""


def kind_of(label: str) -> str:
    """What a label shows, without its level.

    >>> kind_of("disc_L4-L5"), kind_of("vertebra_S1"), kind_of("cauda_equina")
    ('disc', 'vertebra', 'cauda_equina')
    """
    result = _LEVEL.match(label)
    return result["kind"] if result else label


def levels_of(labels: Iterable[str]) -> tuple[str, ...]:
    """The levels whose discs are labelled.

    >>> levels_of(["background", "disc_L3-L4", "disc_L4-L5", "canal"])
    ('L3-L4', 'L4-L5')
    """
    return tuple(
        name.removeprefix("disc_") for name in labels if name != "disc" and kind_of(name) == "disc"
    )


def spine_attributes(labels: Iterable[str]) -> tuple[Attribute, ...]:
    """`herniation_mm_<level>` and `canal_diameter_mm_<level>` of each labelled disc.

    >>> [a.name for a in spine_attributes(["disc_L4-L5", "canal", "herniation"])]
    ['herniation_mm_L4-L5', 'canal_diameter_mm_L4-L5']
    """
    names = tuple(labels)
    discs = tuple(f"disc_{level}" for level in levels_of(names))
    canal = tuple(name for name in CANAL if name in names)
    result = []
    for disc in discs:
        level = disc.removeprefix("disc_")
        others = tuple(other for other in discs if other != disc)
        if "herniation" in names:
            labelled = ("herniation", disc, *others)
            result.append(Attribute(f"herniation_mm_{level}", "protrusion_mm", labelled))
        if canal:
            result.append(Attribute(f"canal_diameter_mm_{level}", "narrowest_mm", (disc, *canal)))
    return tuple(result)


def protrusion_mm(label_map: Volume, values: Sequence[int]) -> float:
    """How far herniated material reaches beyond one disc, in mm within its sagittal slice.

    Args:
        label_map: with sagittal slices along its left-right axis.
        values: the herniation, the disc, then the other discs. Material counts for the disc that
            it is nearest to.

    >>> voxels = np.zeros((3, 20, 5), dtype=np.uint8); voxels[1, 10:, 2] = 2; voxels[1, 6:10, 2] = 1
    >>> protrusion_mm(Volume(voxels, np.diag([4.0, 1.5, 1.5, 1.0])), [1, 2])
    6.0
    """
    upright = label_map.oriented("RAS")
    herniation, own, *others = values
    size = np.array(upright.spacing_mm)
    material = np.argwhere(upright.voxels == herniation) * size
    disc = np.argwhere(upright.voxels == own) * size
    if not len(material) or not len(disc):
        return 0.0
    rest = np.argwhere(np.isin(upright.voxels, others)) * size
    if len(rest):
        nearer = cKDTree(rest).query(material)[0] < cKDTree(disc).query(material)[0]
        material = material[~nearer]
    far = 0.0
    for slice_mm in np.unique(material[:, 0]):
        within = disc[disc[:, 0] == slice_mm]
        if len(within):
            inside = material[material[:, 0] == slice_mm]
            far = max(far, float(cKDTree(within).query(inside)[0].max()))
    return far


def narrowest_mm(label_map: Volume, values: Sequence[int]) -> float:
    """Smallest diameter of the canal, front to back, at one disc in mm.

    Taken in the slice through the middle of the canal, across its own trajectory, as the mean over
    4 mm along it.

    Args:
        label_map: with sagittal slices along its left-right axis.
        values: the disc, then everything that lies in the canal.

    >>> voxels = np.zeros((3, 30, 30), dtype=np.uint8)
    >>> voxels[:, 16:28, 12:18] = 1; voxels[:, 4:15, :] = 2
    >>> round(narrowest_mm(Volume(voxels, np.diag([4.0, 1.0, 1.0, 1.0])), [1, 2]), 1)
    11.0
    """
    upright = label_map.oriented("RAS")
    _, size_y, size_z = upright.spacing_mm
    sheet = middle_slice(upright, values[0], values[1:])
    if sheet is None:
        return 0.0
    canal = np.isin(upright.voxels[sheet], values[1:])
    scale = np.array([size_y, size_z])
    disc = np.argwhere(upright.voxels[sheet] == values[0]) * scale
    inside = np.argwhere(canal) * scale
    if not len(disc):
        return 0.0
    apart = cKDTree(inside).query(disc)[0]
    rim = disc[apart <= apart.min() + 2.5].mean(axis=0)
    near = inside[np.abs(inside[:, 1] - rim[1]) < 22]
    if len(near) < 20:
        return 0.0
    tilt_angle, start = np.polyfit(near[:, 1], near[:, 0], 1)
    along = np.array([tilt_angle, 1.0]) / np.hypot(tilt_angle, 1)
    across = np.array([along[1], -along[0]])
    foot = np.array([start, 0.0]) + along * ((rim - [start, 0.0]) @ along)
    steps, reach = np.arange(-9, 9.01, 0.5), np.arange(-22, 22.01, 0.25)
    points = foot + steps[:, None, None] * along + reach[:, None] * across
    covered = ndimage.map_coordinates(
        canal.astype(np.float32), (points / scale).transpose(2, 0, 1), order=1
    )
    extent = covered.sum(axis=1) * 0.25
    mean = ndimage.uniform_filter1d(extent, 9, mode="nearest")
    return float(mean[4:-4].min())


def middle_slice(upright: Volume, disc: int, canal: Sequence[int]) -> int | None:
    """The sagittal slice through the middle of the canal beside a disc; `None` without both."""
    result = np.flatnonzero((upright.voxels == disc).any(axis=(0, 1)))
    if not len(result):
        return None
    beside = np.isin(upright.voxels[:, :, result[0] : result[-1] + 1], canal)
    area = beside.sum(axis=(1, 2)).astype(float)
    if not area.any():
        return None
    return round(float((np.arange(len(area)) * area).sum() / area.sum()))


def landmark_voxel(
    label_map: Volume, disc: int, canal: Sequence[int], pathology: str
) -> np.ndarray | None:  # fmt: skip
    """Where a finding would be marked, as a voxel `(3,)` of the RAS-oriented map.

    A herniation where disc meets canal in the middle slice of the canal, a stenosis in the middle
    of the canal beside the disc. `None` where either is missing.
    """
    upright = label_map.oriented("RAS")
    sheet = middle_slice(upright, disc, canal)
    if sheet is None:
        return None
    scale = np.array(upright.spacing_mm[1:])
    own = np.argwhere(upright.voxels[sheet] == disc)
    inside = np.argwhere(np.isin(upright.voxels[sheet], canal))
    if not len(own) or not len(inside):
        return None
    apart, nearest = cKDTree(inside * scale).query(own * scale)
    edge = apart <= apart.min() + 1.5
    rim = own[edge].mean(axis=0)
    if pathology == "herniation":
        return np.array([sheet, *rim])
    behind = inside[nearest[edge]].mean(axis=0) - rim
    behind = behind * scale / max(float(np.linalg.norm(behind * scale)), 1e-6)
    reach = np.arange(0, 30, 0.5)
    points = np.round(rim + reach[:, None] * behind / scale).astype(int)
    points = np.clip(points, 0, np.array(upright.shape[1:]) - 1)
    within = np.isin(upright.voxels[sheet][points[:, 0], points[:, 1]], canal)
    middle = float(reach[within].mean()) if within.any() else 0.0
    return np.array([sheet, *(rim + middle * behind / scale)])
