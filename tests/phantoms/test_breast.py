"""Phantom breasts: asked density, contrast by relaxation, the same from any worker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vesalius.phantoms.breast import LABELS, draw_breast
from vesalius.phantoms.cohorts.organs import write_gridded
from vesalius.phantoms.mri import spoiled_echo


@pytest.mark.parametrize("density", [0.08, 0.2, 0.4])
def test_density_comes_out_as_asked_for(density: float) -> None:
    for seed in range(3):
        reported = draw_breast(seed, (64, 64, 32), density).attributes
        share = reported["fibroglandular_volume_ml"] / reported["breast_volume_ml"]
        assert share == pytest.approx(density, abs=0.07)


def test_without_fat_suppression_fat_is_brightest() -> None:
    breast = draw_breast(2, (64, 64, 64), 0.3)
    image, labels = breast.scan.channels[0].voxels, breast.scan.label_map.voxels
    fat, gland, air = (np.median(image[labels == LABELS[name]]) for name in
                       ("breast_fat", "fibroglandular", "background"))  # fmt: skip
    assert fat > 1.4 * gland
    assert gland > 3 * air


def test_a_spoiled_echo_is_strongest_at_the_ernst_angle() -> None:
    angle = np.degrees(np.arccos(np.exp(-8.0 / 300.0)))
    signals = [spoiled_echo(1.0, 300.0, 50.0, 8.0, 4.0, flip) for flip in np.arange(2, 60, 0.25)]
    assert np.arange(2, 60, 0.25)[int(np.argmax(signals))] == pytest.approx(angle, abs=0.25)


def test_breasts_are_the_same_from_any_worker(tmp_path: Path) -> None:
    files = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        cohort = write_gridded("breast", folder, 4, 2, (32, 32, 16), workers=workers)
        files.append({p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.*")})
    assert files[0] == files[1]
    assert len(cohort.cases) == 4
