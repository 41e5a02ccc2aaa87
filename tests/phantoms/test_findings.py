"""Spine slices and nodules to be classified: masks, other scanners, the same bytes again."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from vesalius.phantoms.chest.nodule_crops import draw_nodule_crop
from vesalius.phantoms.cohorts.findings import write_findings
from vesalius.phantoms.spine.slices import draw_slice
from vesalius.scans.classified_layouts import read_classified


@pytest.mark.parametrize("pathology", ["herniation", "stenosis"])
def test_a_slice_differs_from_the_healthy_one_where_its_mask_is(pathology: str) -> None:
    positive, negative = draw_slice(3, 32, [pathology]), draw_slice(3, 32, [])
    inside = positive.masks[pathology].voxels > 0
    change = np.abs(positive.image.voxels - negative.image.voxels)
    assert 0.005 < inside.mean() < 0.3
    assert change[inside].mean() > 5 * change[~inside].mean()
    assert positive.image.same_geometry(negative.image) and positive.level == negative.level
    assert sum(positive.attributes.values()) == 1 and sum(negative.attributes.values()) == 0


def test_a_crop_holds_its_nodule_at_its_true_volume() -> None:
    crop = draw_nodule_crop(11, 48, malignant=True)
    voxels = crop.mask.voxels.sum() * crop.mask.voxel_ml * 1000
    assert voxels == pytest.approx(crop.nodule.volume_mm3, rel=0.15)
    assert crop.image.voxels[crop.mask.voxels > 0].mean() > -200
    other = draw_nodule_crop(11, 48, malignant=True, scanner="external")
    assert np.array_equal(other.mask.voxels, crop.mask.voxels)
    assert not np.array_equal(other.image.voxels, crop.image.voxels)


@pytest.mark.parametrize(("kind", "side"), [("spine_slice", 32), ("nodule", 16)])
def test_cohorts_of_one_seed_are_the_same_and_are_read_with_masks(
    kind: Literal["spine_slice", "nodule"], side: int, tmp_path: Path
) -> None:
    one, two = (write_findings(kind, tmp_path / name, 8, 3, side) for name in ("one", "two"))
    for first, second in zip(one.cases, two.cases, strict=True):
        assert first.images[0].read_bytes() == second.images[0].read_bytes()
    found = read_classified(one.folder, side=side)
    assert found.masks is not None
    shown = found.targets == 1
    assert shown.any() and np.array_equal(found.masks.reshape(8, shown.shape[1], -1).any(2), shown)
    assert found.images.shape == (
        (8, 1, side, side) if kind == "spine_slice" else (8, 1, *[16] * 3)
    )
