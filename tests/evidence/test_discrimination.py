"""Areas under the curve: resampled ones are those of the images generated; ties, unknowns,
seeds.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from vesalius.evidence.discrimination import (
    Resampling,
    auc,
    auc_difference,
    auc_figure,
    mean_auc,
    resampled,
)

BRIEF = Resampling(resamples=2000)


def _generated(images: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    targets = (rng.random((images, 2)) < 0.4).astype(float)
    targets[::7, 1] = np.nan
    scores = np.round(np.nan_to_num(targets) + rng.normal(size=(images, 2)), 1)  # with ties
    return scores, targets


def test_the_area_is_that_of_an_independent_implementation() -> None:
    scores, targets = _generated()
    for column in range(2):
        known = ~np.isnan(targets[:, column])
        expected = roc_auc_score(targets[known, column], scores[known, column])
        assert np.isclose(auc(scores[:, column], targets[:, column]), expected)
    assert np.isnan(auc(scores[:, 0], np.ones(len(scores))))


def test_a_resample_has_the_area_of_the_images_that_were_drawn() -> None:
    scores, targets = _generated()
    rng = np.random.default_rng(0)
    rows = rng.integers(len(scores), size=(20, len(scores)))
    counts = np.stack([np.bincount(r, minlength=len(scores)) for r in rows]).astype(np.float32)
    expected = [mean_auc(scores[r], targets[r]) for r in rows]
    assert np.allclose(resampled(scores, targets, counts), expected, atol=1e-5)


def test_intervals_hold_the_value_and_those_of_a_difference_are_paired() -> None:
    scores, targets = _generated(200)
    figure = auc_figure(scores, targets, BRIEF)
    assert figure.ci95 is not None and figure.ci95[0] < figure.value < figure.ci95[1]
    nearly = scores + 0.01 * np.random.default_rng(1).normal(size=scores.shape)
    gap = auc_difference(scores, nearly, targets, BRIEF)
    assert gap.ci95 is not None
    assert gap.ci95[1] - gap.ci95[0] < 0.3 * (figure.ci95[1] - figure.ci95[0])
    twice = auc_figure(np.stack([scores, scores]), targets, BRIEF)
    assert np.isclose(twice.value, figure.value) and np.allclose(twice.ci95 or (), figure.ci95)


def test_images_of_a_patient_are_taken_together() -> None:
    scores, targets = _generated(200)
    four = [np.repeat(own, 4, axis=0) for own in (scores, targets)]
    alone = auc_figure(scores, targets, BRIEF)
    subjects = tuple(f"patient {row // 4}" for row in range(800))
    together = auc_figure(*four, Resampling(subjects, resamples=2000))
    apart = auc_figure(*four, BRIEF)
    assert together.n == 200 and together.ci95 is not None and apart.ci95 is not None
    assert np.allclose(together.ci95, alone.ci95 or (), atol=0.01)
    assert apart.ci95[1] - apart.ci95[0] < 0.6 * (together.ci95[1] - together.ci95[0])


def test_trainings_that_differ_widen_the_interval() -> None:
    scores, targets = _generated(200)
    noise = np.random.default_rng(4).normal(size=(3, *scores.shape))
    alike, apart = scores + 0.01 * noise, scores + np.array([0.0, 1.0, 3.0])[:, None, None] * noise
    widths = []
    for own in (alike, apart):
        ends = auc_figure(own, targets, BRIEF).ci95
        assert ends is not None
        widths.append(ends[1] - ends[0])
    assert widths[1] > 1.3 * widths[0]
