"""Evidence finds what was planted, and its intervals cover."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from vesalius.evidence.agreement import alpha_figure
from vesalius.evidence.diversity import pair_similarity
from vesalius.evidence.fidelity import (
    fidelity_figures,
    frechet_radiomics_distance,
    radiomics,
    radiomics_available,
    radiomics_features,
)
from vesalius.evidence.intervals import (
    bootstrapped,
    clustered_mean,
    jackknifed,
    mean_figure,
    proportion,
    student_mean,
)
from vesalius.evidence.multireader import jackknifed_auc, jackknifed_gap, jackknifed_means
from vesalius.evidence.utility import CaseScore, paired_difference
from vesalius.scans.cohort import Cohort
from vesalius.scans.volume import Volume


def test_the_interval_of_a_mean_covers_it_at_about_the_nominal_rate() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        figure = mean_figure(rng.normal(5, 2, 40), "mL", "cases")
        assert figure.ci95 is not None
        covered += figure.ci95[0] <= 5 <= figure.ci95[1]
    assert covered >= 88


def test_paired_differences_are_sharper_than_unpaired_ones() -> None:
    rng = np.random.default_rng(1)
    hard = rng.exponential(10, 40)
    first = [CaseScore(str(i), 0.9, 0.0, h) for i, h in enumerate(hard)]
    second = [CaseScore(str(i), 0.9, 0.0, h + 1 + 0.2 * rng.normal()) for i, h in enumerate(hard)]
    figure = paired_difference([first], [second], "mL")["volume_mae_ml"]
    assert figure.value == pytest.approx(-1, abs=0.1)
    assert figure.ci95 is not None and figure.ci95[1] < -0.8
    with pytest.raises(ValueError, match="different cases"):
        paired_difference([first], [second[1:]], "mL")


def test_identical_images_are_less_diverse_than_different_ones() -> None:
    rng = np.random.default_rng(0)
    images = rng.random((6, 24, 24, 24)).astype(np.float32)
    alike = np.repeat(images[:1], 6, axis=0) + 0.01 * images
    assert pair_similarity(alike, 6).value > pair_similarity(images, 6).value + 0.5


@pytest.mark.skipif(bool(radiomics_available()), reason=radiomics_available())
def test_radiomics_distance_rises_above_its_floor_when_images_change(brains: Cohort) -> None:
    scans = [brains.read(case) for case in brains.cases]
    real = [(scan.channels[0], scan.label_map) for scan in scans]
    rng = np.random.default_rng(0)
    noisy = [
        (Volume(v.voxels + rng.normal(0, 150, v.shape).astype(np.float32), v.affine), label)
        for v, label in real
    ]
    first, second = radiomics_features(real), radiomics_features(noisy)
    assert frechet_radiomics_distance(first, first) == pytest.approx(0, abs=0.1)
    figures = fidelity_figures(first, second)
    assert figures["frd"].value > 2 * figures["frd_real_vs_real"].value


@pytest.mark.skipif(bool(radiomics_available()), reason=radiomics_available())
def test_radiomics_are_those_that_pyradiomics_measured() -> None:
    rng, shape = np.random.default_rng(7), (20, 24, 18)
    image = ndimage.gaussian_filter(rng.normal(size=shape), 1.5) * 400 + 200
    image = (image + rng.normal(size=shape) * 15).astype(np.float32)
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, side) for side in shape], indexing="ij")
    labels = ((x**2 + y**2 + z**2) < 0.8).astype(np.uint8)
    affine = np.diag([1.0, 1.5, 2.0, 1.0])
    found = radiomics((Volume(image, affine), Volume(labels, affine)))
    kept = json.loads((Path(__file__).parent / "pyradiomics.json").read_text(encoding="utf-8"))
    assert found == pytest.approx(kept, rel=1e-4)


def test_a_statistic_without_spread_has_no_interval() -> None:
    figure = bootstrapped([np.ones(10)], np.mean, "", "cases")
    assert figure.ci95 is None and figure.interval == "none: all values are alike"


def test_intervals_stay_within_what_can_be() -> None:
    share = proportion(10, 10, "cases")
    assert share.ci95 is not None and 0.6 < share.ci95[0] < share.ci95[1] == 1.0
    values = np.array([0.01, 0.9, 0.02, 0.01])
    assert (student_mean(values, "Dice", "trainings", (0.0, 1.0)).ci95 or (1,))[0] == 0.0
    near = jackknifed([values], lambda x: float(np.mean(x)), "", "cases", bounds=(0.0, 1.0))
    assert near.ci95 is not None and near.ci95[0] == 0.0


def test_values_of_one_patient_count_once() -> None:
    values = np.random.default_rng(0).normal(size=60)
    alone = mean_figure(values, "mm", "patients")
    owners = [str(row // 5) for row in range(300)]
    five = clustered_mean(np.repeat(values, 5), owners, "mm", "patients")
    assert five.n == 60 and five.value == pytest.approx(alone.value)
    assert five.ci95 == pytest.approx(alone.ci95, abs=0.02)


def test_subjects_are_left_out_with_all_their_cases() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.normal(size=(2, 3, 12)).round(1), np.array([0, 1] * 6)
    subjects = np.array(list("aabbbcdefghi"))
    kept = [subjects != one for one in dict.fromkeys(subjects)]
    for found, figure in (
        (
            jackknifed_auc(scores, truth, subjects),
            lambda k: jackknifed_auc(scores[:, :, k], truth[k]),
        ),
        (jackknifed_means(scores, subjects), lambda k: jackknifed_means(scores[:, :, k])),
        (
            jackknifed_gap(scores, truth == 1, subjects),
            lambda k: jackknifed_gap(scores[:, :, k], truth[k] == 1),
        ),
    ):
        assert np.allclose(found.without, [figure(k).values for k in kept])
    alone = jackknifed_means(scores, [str(n) for n in range(12)])
    assert np.allclose(alone.covariances(), jackknifed_means(scores).covariances())


def test_cases_of_one_subject_widen_the_interval_of_an_agreement() -> None:
    rng = np.random.default_rng(1)
    patients = rng.integers(1, 4, 12)
    ratings = np.repeat(np.where(rng.random((3, 12)) < 0.7, patients, 2), 6, axis=1).astype(float)
    apart = alpha_figure(ratings, "ordinal").ci95
    owners = np.repeat([str(n) for n in range(12)], 6)
    together = alpha_figure(ratings, "ordinal", subjects=owners.tolist()).ci95
    assert apart and together and together[1] - together[0] > 1.5 * (apart[1] - apart[0])
