"""Realism finds what is wrong with images and gives real ones their full mark."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from vesalius.evidence.figure import Figure
from vesalius.evidence.label_shape import label_shape, shape_figures
from vesalius.evidence.realism import ImageSet, realism_figures
from vesalius.evidence.spectrum import detail_power, power_ratios
from vesalius.evidence.two_sample import FIT, _half, linear_judge, network_judge, two_sample_auc
from vesalius.networks.picture_features import lite0_features
from vesalius.phantoms.breast import draw_breast
from vesalius.report.realism_section import realism_table
from vesalius.scans.volume import Volume

COUNT = 16
QUICK = FIT.changed(steps=40, batch_size=8)


@pytest.fixture(scope="module")
def breasts() -> ImageSet:
    """Three times sixteen phantom breasts, with label maps."""
    scans = [draw_breast(row, (32, 32, 32)).scan for row in range(3 * COUNT)]
    images = np.stack([scan.channels[0].voxels for scan in scans]).astype(np.float32)
    return ImageSet(images / np.percentile(images, 99.5), tuple(one.label_map for one in scans))


def _smeared(given: ImageSet) -> ImageSet:
    """The same without fine detail, and with ragged label maps."""
    rng = np.random.default_rng(0)
    blurred = np.stack([ndimage.gaussian_filter(one, 1.0) for one in given.images])
    ragged = [
        Volume(np.where(rng.random(one.shape) < 0.3, 1, one.voxels).astype(np.uint8), one.affine)
        for one in given.label_maps
    ]
    return ImageSet(blurred, tuple(ragged))


def test_smeared_images_are_told_and_real_ones_are_not(breasts: ImageSet) -> None:
    real, rest = breasts.taken(range(2 * COUNT)), breasts.taken(range(2 * COUNT, 3 * COUNT))
    labels = {"tissue": 1}
    found = realism_figures(
        real, _smeared(rest), lite0_features().pooled, labels, seed=0, recipe=QUICK
    )  # fmt: skip
    assert found["two_sample_auc"].value > 0.9 > found["two_sample_auc_real_to_real"].value
    low, _ = found["two_sample_auc_real_to_real"].ci95 or (1.0, 1.0)
    assert low < 0.5
    assert found["two_sample_auc"].n == COUNT
    assert found["power_ratio"].value < 0.3
    assert found["power_ratio_real_to_real"].value == pytest.approx(1, abs=0.3)
    assert found["power_ratio/borders"].value < 0.5
    assert found["frechet_ratio"].value > 1.3
    assert found["frechet_ratio_of_filters"].value > 3
    assert found["coverage"].value < found["coverage_real_to_real"].value
    assert found["labels/tissue/border_cm2/ratio"].value > 1.1
    assert found["labels/two_sample_auc"].value > found["labels/two_sample_auc_real_to_real"].value


def test_a_subject_is_on_one_side_alone() -> None:
    subjects = [f"patient {row // 4}" for row in range(40)]
    first = _half(subjects, 0)
    sides = {who: {bool(first[row]) for row in range(40) if subjects[row] == who}
             for who in subjects}  # fmt: skip
    assert all(len(side) == 1 for side in sides.values()) and first.sum() == 20


def test_cases_that_learn_each_other_by_heart_are_no_evidence() -> None:
    """Four views of each subject are near to each other: told by heart, not by being generated."""
    rng = np.random.default_rng(0)
    own, others = (np.repeat(rng.normal(size=(12, 40)), 4, axis=0) for _ in range(2))
    names = [f"patient {row // 4}" for row in range(48)]
    honest = two_sample_auc(own, others, linear_judge, 0, names, names)
    assert honest.n == 12 and honest.value < 0.6
    assert two_sample_auc(own, others, linear_judge, 0).value > honest.value + 0.2


def test_pictures_are_judged_as_well() -> None:
    rng = np.random.default_rng(0)
    real, other = rng.random((2, 16, 32, 32)).astype(np.float32)
    grey = ndimage.gaussian_filter(other, (0, 1, 1))

    def judge(*given: object) -> np.ndarray:
        return network_judge(*given, recipe=QUICK)  # type: ignore[arg-type]

    assert two_sample_auc(real, grey, judge).value > 0.9


def test_too_few_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="8 subjects of each set"):
        two_sample_auc(np.zeros((7, 3)), np.zeros((9, 3)), linear_judge)


def test_noise_and_borders_are_told_apart() -> None:
    voxels = np.zeros((24, 24, 24), np.uint8)
    voxels[6:18, 6:18, 6:18] = 1
    rng = np.random.default_rng(0)
    sharp = 0.5 * voxels
    rows = {
        "real": sharp + 0.1 * rng.normal(size=voxels.shape),
        "blurred, noise put back": ndimage.gaussian_filter(sharp, 1.5)
        + 0.1 * rng.normal(size=voxels.shape),
        "no noise": sharp,
    }
    power = {name: [detail_power(image, voxels, {"cube": 1})] for name, image in rows.items()}
    softened = power_ratios(power["real"], power["blurred, noise put back"])
    assert softened["cube"].value == pytest.approx(1, abs=0.25)
    assert softened["borders"].value < 0.6
    assert power_ratios(power["real"], power["no noise"])["cube"].value < 0.3


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 3.0), (0.5, 2.0, 1.0)])
def test_the_thickness_of_a_sheet_is_measured(spacing: tuple[float, float, float]) -> None:
    for slices in (2, 4, 8):
        voxels = np.zeros((60, 60, 20), np.uint8)
        voxels[:, :, 6 : 6 + slices] = 1  # the edge of the volume is no border
        found = label_shape(Volume(voxels, np.diag([*spacing, 1.0])), 1)
        assert found["thickness_mm"] == pytest.approx(slices * spacing[2], rel=0.01)
        assert found["border_cm2"] == pytest.approx(2 * 3600 * spacing[0] * spacing[1] / 100)


def test_what_few_real_label_maps_have_gets_no_ratio() -> None:
    whole = np.zeros((9, 9, 9), np.uint8)
    whole[1:8, 1:8, 1:8] = 1
    holed = whole.copy()
    holed[4, 4, 4] = 0
    maps = [Volume(one, np.eye(4)) for one in (*[whole] * 9, holed)]
    found = shape_figures(maps, maps[::-1], {"organ": 1})
    assert found["organ/holes/real"].value == pytest.approx(0.1)
    assert "organ/holes/ratio" not in found and found["organ/border_cm2/ratio"].value == 1


def test_one_image_of_each_subject_is_taken() -> None:
    given = ImageSet(np.zeros((12, 4, 4)), subjects=tuple("aabbccddeeff"))
    rows = given.one_each(0)
    assert sorted(given.subjects[row] for row in rows) == list("abcdef")
    assert rows != given.one_each(1)


def test_the_table_shows_generated_beside_real_ones() -> None:
    figures = {
        "realism/two_sample_auc": Figure(0.9, "AUC", 40),
        "realism/two_sample_auc_real_to_real": Figure(0.52, "AUC", 40),
        "realism/power_ratio/borders": Figure(0.6, "", 40),
        "realism/power_ratio_real_to_real/borders": Figure(1.01, "", 40),
        "realism/frechet_ratio": Figure(2.0, "", 40),
    }
    table = realism_table(figures)
    cells = {name: tuple(str(cell) for cell in row) for name, row in table.rows}
    assert cells["two-sample AUC, network on the images"] == ("0.9 AUC", "0.52 AUC")
    assert cells["the same at borders of tissues"] == ("0.6", "1.01")
    assert "n = 40" in table.note and "real images: 2." in table.note
