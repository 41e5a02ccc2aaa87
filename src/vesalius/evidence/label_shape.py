"""The shape of label maps: border, thickness, components and holes of each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import ndimage

from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import jackknifed, ratio_of_means
from vesalius.scans.volume import Volume

MEASURES = {"border_cm2": "cm²", "thickness_mm": "mm", "components": "", "holes": ""}


def label_shape(label_map: Volume, number: int) -> dict[str, float]:
    """Measures of one label; NaN of thickness where it is absent.

    `border_cm2` counts the faces of voxels to other labels; the edge of the volume is none.
    `thickness_mm` is four times the mean distance to the border, which is the thickness of a sheet
    such as the cortex. `components` are connected by faces, and `holes` are what it encloses.

    >>> voxels = np.zeros((12, 12, 12), np.uint8)
    >>> voxels[1:11, 1:11, 4:8] = 1; voxels[5, 5, 5] = 0
    >>> found = label_shape(Volume(voxels, np.diag([2.0, 2.0, 2.0, 1.0])), 1)
    >>> found["components"], found["holes"], round(found["border_cm2"], 2)
    (1.0, 1.0, 14.64)
    """
    inside = label_map.voxels == number
    spacing = [float(side) for side in label_map.spacing_mm]
    faces = 0.0
    for axis in range(3):
        across = [side for other, side in enumerate(spacing) if other != axis]
        faces += float(np.count_nonzero(np.diff(inside, axis=axis))) * across[0] * across[1]
    return {
        "border_cm2": faces / 100,
        "thickness_mm": 4 * _mean_depth(inside, spacing),
        "components": float(ndimage.label(inside)[1]),
        "holes": float(ndimage.label(~np.pad(inside, 1))[1] - 1),
    }


def _mean_depth(inside: np.ndarray, spacing: Sequence[float]) -> float:
    """Mean distance to the border in mm, from the middle of each voxel; NaN if there is none."""
    if not inside.any() or inside.all():
        return float("nan")
    far, nearest = ndimage.distance_transform_edt(inside, sampling=spacing, return_indices=True)
    steps = [
        (nearest[axis] - np.arange(side).reshape([-1 if a == axis else 1 for a in range(3)]))[
            inside
        ]
        for axis, side in enumerate(inside.shape)
    ]
    own = far[inside]
    # The border lies half a voxel before the middle of the nearest voxel outside, along the way.
    ahead = np.stack([np.abs(step) * mm / own for step, mm in zip(steps, spacing, strict=True)])
    half = 0.5 * (ahead * np.array(spacing)[:, None]).sum(axis=0)
    return float((own - half).mean())


def shape_figures(
    real: Sequence[Volume], generated: Sequence[Volume], labels: Mapping[str, int]
) -> dict[str, Figure]:
    """Each measure of each label: generated over real, and both means.

    Names are `<label>/<measure>/ratio`, `/real` and `/generated`; where fewer than half of the real
    label maps have some of it, such as holes, there is no ratio.
    """
    result: dict[str, Figure] = {}
    for label, number in labels.items():
        sets = [[label_shape(one, number) for one in maps] for maps in (real, generated)]
        for measure, unit in MEASURES.items():
            columns = [np.array([row[measure] for row in rows]) for rows in sets]
            columns = [own[np.isfinite(own)] for own in columns]
            if not min(len(own) for own in columns):
                continue
            for name, own in zip(("real", "generated"), columns, strict=True):
                result[f"{label}/{measure}/{name}"] = jackknifed(
                    [own], np.mean, unit, "cases", bounds=(0.0, np.inf)
                )
            if (columns[0] > 0).mean() >= 0.5:
                result[f"{label}/{measure}/ratio"] = ratio_of_means(columns[1], columns[0], "cases")
    return result
