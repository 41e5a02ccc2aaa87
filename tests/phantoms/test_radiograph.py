"""Phantom radiographs: Beer and Lambert's law, findings where their masks are, two scanners."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from vesalius.phantoms.chest.findings import FINDINGS
from vesalius.phantoms.chest.radiograph import ENLARGED, LABELS, draw_radiograph
from vesalius.phantoms.cohorts.findings import write_findings
from vesalius.phantoms.hounsfield import WATER_PER_MM
from vesalius.phantoms.xray import SCANNERS, Scanner, expose, water_mm
from vesalius.scans.input_error import InputError
from vesalius.scans.masks import read_mask

PLAIN = Scanner(1e9, 0.0, 1e-3, 0.0, 1.0, 320.0, 0.0)


def test_a_scanner_without_noise_blur_and_scatter_shows_path_lengths() -> None:
    body = np.full((36, 24, 36), -1000.0)
    for first, thick in ((2, 12), (14, 18), (26, 24)):
        body[first : first + 8, :thick, first : first + 8] = 0.0
    water = water_mm(body, 5.0)
    assert [water[at, at] for at in (6, 18, 30)] == pytest.approx([60, 90, 120])
    seen = expose(water, 5.0, PLAIN, np.random.default_rng(0))
    found = [seen[at, at] for at in (0, 6, 18, 30)]  # the open field counts for nothing
    assert found == pytest.approx([0.0, 0.0, 0.5, 1.0], abs=0.01)
    assert np.exp(-WATER_PER_MM * 60) == pytest.approx(0.314, abs=0.001)


def test_ribs_show_before_the_lungs_and_shoulders_beside_them() -> None:
    image = draw_radiograph(0, 96, [], PLAIN).image
    x, z = (image.affine[axis, axis] * np.arange(96) + image.affine[axis, 3] for axis in (0, 2))
    lung = image.voxels[np.abs(x - 80) < 4, 0][:, (z > -40) & (z < 60)].mean(axis=0)
    ribs = lung - ndimage.gaussian_filter1d(lung, 30 / image.affine[2, 2])
    assert ribs.std() > 0.025  # 0.013 as a beam of CT sees them, without processing
    beside = image.voxels[np.abs(np.abs(x) - 150) < 8, 0][:, (z > 85) & (z < 105)]
    assert beside.mean() > 0.25


@pytest.mark.parametrize("finding", LABELS)
def test_a_finding_is_seen_where_its_mask_is(finding: str) -> None:
    positive, negative = (draw_radiograph(4, 48, found, PLAIN) for found in ([finding], []))
    inside = positive.masks[finding].voxels > 0
    assert 0.001 < inside.mean() < 0.3
    change = np.abs(positive.image.voxels - negative.image.voxels)
    assert change[inside].mean() > 3 * change[~inside].mean()
    brighter = (positive.image.voxels - negative.image.voxels)[inside].mean() > 0
    assert brighter == (finding != "pneumothorax")
    assert positive.masks[finding].same_geometry(positive.image)
    assert positive.attributes == {name: float(name == finding) for name in LABELS}
    assert set(LABELS) == {*FINDINGS, ENLARGED}


def test_the_same_patients_come_back_from_another_scanner(tmp_path: Path) -> None:
    home = write_findings("radiograph", tmp_path / "home", 12, seed=3, side=32)
    other = write_findings(
        "radiograph", tmp_path / "other", 12, seed=3, side=32, scanner="external", workers=2
    )
    again = write_findings("radiograph", tmp_path / "again", 12, seed=3, side=32)
    seen = []
    for cohort in (home, other):
        image = cohort.read_images(cohort.cases[0]).channels[0]
        assert image.shape == (32, 1, 32)
        assert 0 <= image.voxels.min() < image.voxels.max() <= 1
        seen.append(image.voxels)
    assert home.cases[0].attributes == other.cases[0].attributes
    for one, two in zip(home.cases, again.cases, strict=True):
        assert one.images[0].read_bytes() == two.images[0].read_bytes()
    assert np.abs(seen[0] - seen[1]).mean() > 0.02
    shown = [
        (case, name) for case in home.cases for name, there in case.attributes.items() if there
    ]
    assert shown
    for case, name in shown:
        image = home.read_images(case).channels[0]
        mask = read_mask(home.folder, name, case.name, image)
        assert mask is not None and mask.voxels.any()
    assert read_mask(home.folder, "no such", home.cases[0].name, image) is None


def test_a_scanner_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="source or external"):
        write_findings("radiograph", tmp_path, 2, scanner="pocket")  # type: ignore[arg-type]
    assert SCANNERS["external"].photons_per_mm2 < SCANNERS["source"].photons_per_mm2
