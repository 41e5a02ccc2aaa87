"""Lesions on label maps: where each lies, in which organ, how large it is, and where one could lie.

A lesion is a connected part of its labels, its size the diameter of a ball of the same volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.scans.volume import Volume

FEWEST_VOXELS = 5
"""Parts of fewer voxels are no lesions; an edit would take them for specks."""
SHELL_VOXELS = 2
"""How far around a lesion its organ is looked for."""
CONNECTED = np.ones((3, 3, 3))


@dataclass(frozen=True)
class Lesion:
    """One lesion.

    Attributes:
        host: number of the label around it, 0 where nothing is labelled there.
        centre: in voxels of the RAS-oriented map `(3,)`.
        diameter_mm: of a ball of its volume.
        room: distance of its centre from all that is neither host nor lesion, in its radii: above
            1 where it lies within its organ, below where it touches the organ's border.
    """

    host: int
    centre: np.ndarray
    diameter_mm: float
    room: float


def diameter_mm(volume_ml: float) -> float:
    """Diameter in mm of a ball of some mL.

    >>> round(diameter_mm(4.18879), 3), round(ball_ml(20.0), 5)
    (20.0, 4.18879)
    """
    return float(2 * (3000 * volume_ml / (4 * np.pi)) ** (1 / 3))


def ball_ml(diameter: float) -> float:
    """Volume in mL of a ball of some mm."""
    return float(np.pi * diameter**3 / 6000)


def find_lesions(label_map: Volume, values: Sequence[int], hosts: Sequence[int]) -> list[Lesion]:
    """All lesions of a label map, from foot to head.

    Args:
        label_map: of any orientation.
        values: labels that one lesion is made of.
        hosts: labels that it may lie in.

    >>> voxels = np.full((16, 16, 16), 2, dtype=np.uint8); voxels[4:8, 4:8, 4:8] = 1
    >>> voxels[12, 12, 12] = 1
    >>> found = find_lesions(Volume(voxels, np.diag([2.0, 2.0, 2.0, 1.0])), [1], [2])
    >>> len(found), found[0].host, found[0].centre.tolist(), round(found[0].diameter_mm, 1)
    (1, 2, [5.5, 5.5, 5.5], 9.9)
    """
    upright = label_map.oriented("RAS")
    voxels, spacing = upright.voxels, upright.spacing_mm
    parts, count = ndimage.label(np.isin(voxels, values), structure=CONNECTED)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    result = []
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        if sizes[number] < FEWEST_VOXELS:
            continue
        around = tuple(
            slice(max(0, own.start - SHELL_VOXELS), own.stop + SHELL_VOXELS) for own in box
        )
        inside = parts[around] == number
        shell = ndimage.binary_dilation(inside, CONNECTED, SHELL_VOXELS) & ~inside
        beside = voxels[around][shell]
        beside = beside[np.isin(beside, hosts)]
        host = int(np.bincount(beside).argmax()) if len(beside) else 0
        centre = np.argwhere(inside).mean(axis=0) + [own.start for own in around]
        diameter = diameter_mm(float(sizes[number] * upright.voxel_ml))
        reach = [int(np.ceil(1.5 * diameter / size)) for size in spacing]
        wide = tuple(
            slice(max(0, int(at) - n), int(at) + n + 1) for at, n in zip(centre, reach, strict=True)
        )
        own_place = (voxels[wide] == host) | (parts[wide] == number)
        depth = depth_mm(own_place, spacing)
        at = np.round(centre).astype(int) - [part.start for part in wide]
        result.append(Lesion(host, centre, diameter, float(depth[tuple(at)] / (diameter / 2))))
    return sorted(result, key=lambda lesion: float(lesion.centre[2]))


def depth_mm(region: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    """Distance in mm of each voxel of a region from what is outside it; the field ends outside.

    >>> depth_mm(np.ones((1, 1, 5), dtype=bool), (9.0, 9.0, 2.0)).ravel().tolist()
    [2.0, 4.0, 6.0, 4.0, 2.0]
    """
    return np.asarray(
        ndimage.distance_transform_edt(np.pad(region, 1), sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    )


class HostRoom:
    """Where in a host the centre of a lesion could lie; distances are taken once for all sizes.

    Args:
        label_map: of the scan.
        host: label that it is to lie in.
        others: labels of lesions that are there already.
        reach_mm: farthest that distances from others matter.

    >>> voxels = np.zeros((11, 11, 11), dtype=np.uint8); voxels[1:10, 1:10, 1:10] = 2
    >>> room = HostRoom(Volume(voxels, np.eye(4)), 2, [1], 20.0)
    >>> places = room.places(4.0, 8.0)
    >>> places.min(axis=0).tolist(), places.max(axis=0).tolist()
    ([4, 4, 4], [6, 6, 6])
    >>> room.holds(np.array([5, 5, 5]), 4.0, 8.0), room.holds(np.array([1, 5, 5]), 4.0, 8.0)
    (True, False)
    """

    def __init__(
        self, label_map: Volume, host: int, others: Sequence[int], reach_mm: float
    ) -> None:
        upright = label_map.oriented("RAS")
        self.depth = np.empty((0, 0, 0))
        self.away: np.ndarray | None = None
        self.first = np.zeros(3, dtype=int)
        inside = upright.voxels == host
        if not inside.any():
            return
        spacing = upright.spacing_mm
        box = ndimage.find_objects(inside.astype(np.int8))[0]
        self.first = np.array([own.start for own in box])
        self.depth = depth_mm(inside[box], spacing)
        pads = [int(np.ceil(reach_mm / size)) for size in spacing]
        wide = tuple(
            slice(max(0, own.start - pad), own.stop + pad)
            for own, pad in zip(box, pads, strict=True)
        )
        lesions = np.isin(upright.voxels[wide], others)
        if lesions.any():
            inner = tuple(
                slice(own.start - out.start, own.stop - out.start)
                for own, out in zip(box, wide, strict=True)
            )
            self.away = ndimage.distance_transform_edt(~lesions, sampling=spacing)[inner]

    def _free(self, deep_mm: float, apart_mm: float) -> np.ndarray:
        free: np.ndarray = self.depth >= max(deep_mm, 1e-6)
        if self.away is not None:
            free &= self.away >= apart_mm
        return free

    def places(self, deep_mm: float, apart_mm: float) -> np.ndarray:
        """Voxels `(N, 3)` of the RAS-oriented map.

        Args:
            deep_mm: least distance from the host's border.
            apart_mm: least distance from other lesions.
        """
        return np.argwhere(self._free(deep_mm, apart_mm)) + self.first

    def holds(self, voxel: np.ndarray, deep_mm: float, apart_mm: float) -> bool:
        """Whether one voxel is such a place."""
        at = np.asarray(voxel) - self.first
        if (at < 0).any() or (at >= self.depth.shape).any():
            return False
        return bool(self._free(deep_mm, apart_mm)[tuple(at)])


def new_parts_ml(before: Volume, after: Volume, values: Sequence[int]) -> list[float]:
    """Volumes in mL of the connected parts of lesion labels that were not there before.

    Parts of less than `FEWEST_VOXELS` are left out; the largest comes first.
    """
    new = np.isin(after.voxels, values) & ~np.isin(before.voxels, values)
    parts, _ = ndimage.label(new, structure=CONNECTED)
    sizes = np.bincount(parts.ravel())[1:]
    return sorted((float(n * after.voxel_ml) for n in sizes if n >= FEWEST_VOXELS), reverse=True)
