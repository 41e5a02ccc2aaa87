"""Geometry is kept on the way into a grid and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import blobs
from vesalius.scans.case import LabelledScan, Scan
from vesalius.scans.grid import fit_grid, whole_grid
from vesalius.scans.input_error import InputError
from vesalius.scans.split import split_by_subject
from vesalius.scans.volume import Volume
from vesalius.training.preparation import working_shape


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "PIR"])
@pytest.mark.parametrize("tilt", [0.0, 20.0])
def test_a_synthetic_case_lies_where_its_cohort_lies(
    tmp_path: Path, orientation: str, tilt: float
) -> None:
    cohort = blobs(tmp_path / "c", 3, orientation, tilt)
    scans = [cohort.read(case) for case in cohort.cases]
    grid = fit_grid(scans)
    placed = grid.place(scans[0])
    back = grid.volume(placed.label_map.voxels)
    assert back.orientation == scans[0].label_map.orientation
    assert np.allclose(sorted(back.spacing_mm), sorted(scans[0].label_map.spacing_mm))

    def centre(volume) -> np.ndarray:  # type: ignore[no-untyped-def]
        where = np.argwhere(volume.voxels > 0).mean(axis=0)
        return (volume.affine @ [*where, 1])[:3]

    assert np.linalg.norm(centre(back) - centre(scans[0].label_map)) < 5.0


def test_placing_at_the_same_spacing_loses_no_labelled_voxel(tmp_path: Path) -> None:
    cohort = blobs(tmp_path / "c", 4)
    scans = [cohort.read(case) for case in cohort.cases]
    grid = fit_grid(scans)
    for scan in scans:
        placed = grid.place(scan)
        for value in (3, 7):
            assert (placed.label_map.voxels == value).sum() == (
                scan.label_map.voxels == value
            ).sum()
        assert grid.covers(scan) == 1.0


def test_split_puts_all_visits_of_a_subject_on_one_side(brains) -> None:  # type: ignore[no-untyped-def]
    from dataclasses import replace

    visits = [replace(c, subject=f"s{i // 3}") for i, c in enumerate(brains.cases)]
    placed = split_by_subject(visits, {"train": 0.5, "val": 0.25, "test": 0.25}, seed=1)
    sides: dict[str, set[str]] = {}
    for case in placed:
        sides.setdefault(case.subject, set()).add(case.split)
    assert all(len(side) == 1 for side in sides.values())
    assert {case.split for case in placed} == {"train", "val", "test"}


def test_a_grid_larger_than_any_scan_is_refused_before_it_is_made() -> None:
    labels = np.zeros((40, 40, 40), np.uint8)
    labels[2:-2, 2:-2, 2:-2] = 1
    scan = LabelledScan((), Volume(labels, np.diag([5.0, 5.0, 5.0, 1.0])))
    with pytest.raises(InputError, match=r"is needed at 0\.1 × 0\.1 × 0\.1 mm; ask for a larger"):
        fit_grid([scan], spacing_mm=0.1)
    far = Volume(np.zeros((400, 400, 400), np.float32), np.diag([9.0, 9.0, 9.0, 1.0]))
    with pytest.raises(InputError, match="grid"):
        whole_grid([Scan((far,))], spacing_mm=1.0)
    with pytest.raises(InputError, match="check its spacing, or crop it"):
        working_shape(far, (1.0, 1.0, 1.0))
