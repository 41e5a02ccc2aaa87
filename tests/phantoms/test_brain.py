"""Phantom brains hold what they promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from vesalius.geometry.deformation import jacobian_determinant
from vesalius.phantoms.brain import LABELS, draw_brain
from vesalius.phantoms.cohorts.organs import write_brains
from vesalius.scans.input_error import InputError


@pytest.mark.parametrize("requested_ml", [12.0, 25.0, 60.0, 120.0, 200.0])
def test_ventricles_have_the_volume_asked_for_and_nothing_folds(requested_ml: float) -> None:
    phantom = draw_brain(seed=int(requested_ml), spacing_mm=4.0, volume_ml=requested_ml)
    voxels = phantom.scan.label_map.voxels
    counted = (voxels == LABELS["lateral_ventricles"]).sum() * 4.0**3 / 1000
    assert counted == pytest.approx(phantom.volume_ml)
    assert counted == pytest.approx(requested_ml, rel=0.02)
    assert float(jacobian_determinant(phantom.displacement, 4.0).min()) > 0


def test_growing_ventricles_stay_solid_and_within_the_skull() -> None:
    small, large = (draw_brain(5, 3.0, ml).scan.label_map for ml in (25.0, 180.0))
    cavity = large.voxels == LABELS["lateral_ventricles"]
    assert (ndimage.binary_fill_holes(cavity) != cavity).sum() <= 2
    sizes = np.sort(np.bincount(ndimage.label(cavity)[0].ravel())[1:])[::-1]
    assert sizes[:2].sum() > 0.97 * cavity.sum()
    brains = [(volume.voxels > 0).sum() for volume in (small, large)]
    assert brains[1] == pytest.approx(brains[0], rel=0.03)


def test_same_seed_gives_the_same_bytes_in_any_number_of_processes(tmp_path: Path) -> None:
    first = write_brains(tmp_path / "a", 5, seed=9, spacing_mm=8.0, workers=1)
    write_brains(tmp_path / "b", 5, seed=9, spacing_mm=8.0, workers=2)
    for path in sorted(first.folder.rglob("*.*")):
        other = tmp_path / "b" / path.relative_to(first.folder)
        assert path.read_bytes() == other.read_bytes(), path


def test_an_interrupted_cohort_is_completed(tmp_path: Path) -> None:
    whole = write_brains(tmp_path / "whole", 4, seed=1, spacing_mm=8.0)
    write_brains(tmp_path / "part", 2, seed=1, spacing_mm=8.0)
    done = write_brains(tmp_path / "part", 4, seed=1, spacing_mm=8.0)
    assert [c.name for c in done.cases] == [c.name for c in whole.cases]
    for a, b in zip(whole.cases, done.cases, strict=True):
        assert a.images[0].read_bytes() == b.images[0].read_bytes()


def test_impossible_volumes_are_refused() -> None:
    with pytest.raises(InputError, match="cannot be built"):
        draw_brain(0, 8.0, 900.0)
