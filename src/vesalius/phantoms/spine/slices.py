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

from vesalius.phantoms.external_site import Place, from_external_site
from vesalius.phantoms.spine.anatomy import LEVELS
from vesalius.phantoms.spine.findings import PATHOLOGIES, draw_finding, draw_severity
from vesalius.phantoms.spine.phantom import LABELS, draw_spine
from vesalius.scans.description import Description
from vesalius.scans.volume import Volume

DESCRIPTION = Description(("T2",), {"background": 0}, origin="phantom")
PREVALENCE = 0.25
WORN = 0.7
"""Share of the discs without a finding that are as worn as those with one."""

SLICE_MM, FIELD_MM = 8.0, 80.0
WANDER_MM = 14.0
"""How far, each way, the level may lie from the middle: findings are to be searched for."""

GENERATED_MM = (40.0, 112.0, 112.0)
"""Of the spine, about the level."""

FOUND_MM = {"herniation": (2.0, 6.0), "stenosis": (12.5, 8.5)}
DOUBTFUL_MM = {"herniation": (0.8, 3.5), "stenosis": (14.5, 10.5)}
"""From the mildest to the worst, as `SIZES_MM`: of findings, and of changes that are none. The two
overlap, as do what readers call a protrusion and a herniation."""

DOUBTFUL = 0.7
"""Share of the slices without a finding that show a doubtful change."""

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
    seed: int, side: int = 64, shown: Collection[str] | None = None, scanner: Place = "source"
) -> SpineSlice:
    """Draw one slice. The same arguments give the same pixels.

    Args:
        seed: of the patient; the level is drawn from it too.
        side: pixels of the square of 80 mm.
        shown: of `PATHOLOGIES`; one with probability `PREVALENCE` for each if `None`. One level
            has one of them at most, and the other is left out.
        scanner: that takes it.

    >>> positive, negative = draw_slice(5, 40, ["herniation"]), draw_slice(5, 40, [])
    >>> positive.image.shape, positive.level == negative.level
    ((1, 40, 40), True)
    >>> sorted(positive.masks), sorted(negative.masks)
    (['herniation'], [])
    """
    rng = np.random.default_rng([seed, 1])
    level = LEVELS[int(rng.integers(len(LEVELS)))]
    there = rng.random() < PREVALENCE * len(PATHOLOGIES)
    kind = PATHOLOGIES[int(rng.integers(len(PATHOLOGIES)))]
    doubtful, spared = rng.random() < DOUBTFUL, rng.random() > WORN
    severity, own = draw_severity(rng), np.random.default_rng([seed, 2])
    if shown is not None:
        kind = next((name for name in PATHOLOGIES if name in shown), "")
        there, doubtful = bool(kind), False
    findings = []
    if there or doubtful:
        findings = [draw_finding(kind, level, own, FOUND_MM if there else DOUBTFUL_MM)]
    pixel = FIELD_MM / side
    spacing, about = (SLICE_MM, pixel, pixel), (level, GENERATED_MM)
    worn = {} if spared and not findings else {level: severity}
    positive = draw_spine(seed, spacing, findings, worn=worn, about=about)
    negative = draw_spine(seed, spacing, [], worn=positive.wear, about=about) if there else positive
    disc = np.argwhere(negative.scan.label_map.voxels == LABELS[f"disc_{level}"])
    aside = findings[0].side_mm if findings and kind == "herniation" else 0.0
    slices = positive.scan.label_map.shape[0]
    row = int(np.clip(round(np.median(disc[:, 0]) + aside / SLICE_MM), 0, slices - 1))
    off = np.rint(rng.uniform(-WANDER_MM, WANDER_MM, 2) / pixel).astype(int)
    middle = (int(disc[:, 1].min() + off[0]), int(disc[:, 2].mean() + off[1]))
    image, other = (_cut(p.scan.channels[0], row, middle, side) for p in (positive, negative))
    masks = {}
    if there:
        change = ndimage.gaussian_filter(image.voxels[0] - other.voxels[0], SMOOTH_MM / pixel)
        mask = (np.abs(change) > SHARE * np.abs(change).max()).astype(np.uint8)
        masks[kind] = Volume(mask[None], image.affine)
    if scanner == "external":
        observed = from_external_site(image.voxels, np.random.default_rng([seed, 3]), (1, 2))
        image = Volume(np.maximum(observed, 0), image.affine)
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
