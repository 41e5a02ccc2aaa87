"""A sagittal slice about one level of a phantom spine, with the mask of what is wrong there.

A finding is where the slice differs from that of the same seed, and as worn a disc, without it, by
at least a quarter of the greatest difference. Most discs without a finding are worn too, or a dark
disc would tell all.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.phantoms.elsewhere import Place, taken_elsewhere
from vesalius.phantoms.spine.anatomy import LEVELS
from vesalius.phantoms.spine.drawing import LABELS, draw_spine
from vesalius.phantoms.spine.findings import PATHOLOGIES, draw_finding, draw_severity
from vesalius.scans.description import Description
from vesalius.scans.volume import Volume

DESCRIPTION = Description(("T2",), {"background": 0}, origin="phantom")
PREVALENCE = 0.25
WORN = 0.7
"""Share of the discs without a finding that are as worn as those with one."""

SLICE_MM, FIELD_MM = 8.0, 80.0
WANDER_MM = 14.0
"""How far, each way, the level may lie from the middle: findings are to be searched for."""

DRAWN_MM = (40.0, 112.0, 112.0)
"""Of the spine, about the level."""

MILD_MM = {"herniation": (2.5, 6.5), "stenosis": (9.5, 13.0)}
"""As `SIZES_MM`: so small that a protrusion, or a canal that was always narrow, may be taken for a
finding."""

SHARE, SMOOTH_MM = 0.25, 2.0


@dataclass(frozen=True)
class SpineSlice:
    """A phantom slice with the truth behind it.

    Attributes:
        image: `(1, Y, Z)`.
        level: that lies about its middle, such as `L4-L5`.
        masks: of each pathology that is there, 0 and 1, in the same space.
    """

    image: Volume
    level: str
    masks: dict[str, Volume]

    @property
    def attributes(self) -> dict[str, float]:
        """1 for each pathology that is there, 0 for the others."""
        return {name: float(name in self.masks) for name in PATHOLOGIES}


def draw_slice(
    seed: int, side: int = 64, shown: Collection[str] | None = None, scanner: Place = "home"
) -> SpineSlice:
    """Draw one slice. The same arguments give the same pixels.

    Args:
        seed: of the patient; the level is drawn from it too.
        side: pixels of the square of 80 mm.
        shown: of `PATHOLOGIES`; one with probability `PREVALENCE` for each if `None`. One level
            has one of them at most, and the other is left out.
        scanner: that takes it.

    >>> ill, well = draw_slice(5, 40, ["herniation"]), draw_slice(5, 40, [])
    >>> ill.image.shape, ill.level == well.level, sorted(ill.masks), sorted(well.masks)
    ((1, 40, 40), True, ['herniation'], [])
    """
    chance = np.random.default_rng([seed, 1])
    level = LEVELS[int(chance.integers(len(LEVELS)))]
    there = chance.random() < PREVALENCE * len(PATHOLOGIES)
    drawn = [PATHOLOGIES[int(chance.integers(len(PATHOLOGIES)))]] if there else []
    names = drawn if shown is None else [name for name in PATHOLOGIES if name in shown][:1]
    pixel = FIELD_MM / side
    spacing = (SLICE_MM, pixel, pixel)
    findings = [
        draw_finding(name, level, np.random.default_rng([seed, 2]), MILD_MM) for name in names
    ]
    severity, spared = draw_severity(chance), chance.random() > WORN
    worn = {level: findings[0].severity if findings else severity}
    ill = draw_spine(
        seed,
        spacing,
        findings,
        worn={} if spared and not findings else worn,
        about=(level, DRAWN_MM),
    )
    well = draw_spine(seed, spacing, [], worn=worn, about=(level, DRAWN_MM)) if findings else ill
    disc = np.argwhere(well.scan.label_map.voxels == LABELS[f"disc_{level}"])
    aside = findings[0].side_mm if findings and names[0] == "herniation" else 0.0
    slices = ill.scan.label_map.shape[0]
    row = int(np.clip(round(np.median(disc[:, 0]) + aside / SLICE_MM), 0, slices - 1))
    off = np.rint(chance.uniform(-WANDER_MM, WANDER_MM, 2) / pixel).astype(int)
    middle = (int(disc[:, 1].min() + off[0]), int(disc[:, 2].mean() + off[1]))
    image, other = (_cut(p.scan.channels[0], row, middle, side) for p in (ill, well))
    masks = {}
    if names:
        change = ndimage.gaussian_filter(image.voxels[0] - other.voxels[0], SMOOTH_MM / pixel)
        mask = (np.abs(change) > SHARE * np.abs(change).max()).astype(np.uint8)
        masks[names[0]] = Volume(mask[None], image.affine)
    if scanner == "other":
        seen = taken_elsewhere(image.voxels, np.random.default_rng([seed, 3]), (1, 2))
        image = Volume(np.maximum(seen, 0), image.affine)
    return SpineSlice(image, level, masks)


def _cut(volume: Volume, row: int, middle: tuple[int, int], side: int) -> Volume:
    """A square of one slice about a voxel, moved to lie inside the volume."""
    starts = [
        int(np.clip(at - side // 2, 0, n - side))
        for at, n in zip(middle, volume.shape[1:], strict=True)
    ]
    y, z = starts
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ np.array([row, y, z])
    return Volume(volume.voxels[row : row + 1, y : y + side, z : z + side].copy(), affine)
