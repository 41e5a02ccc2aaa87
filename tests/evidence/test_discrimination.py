"""Areas under the curve: resampled ones are those of the images generated; ties, unknowns,
seeds.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from vesalius.evidence.discrimination import auc, auc_difference, auc_figure, mean_auc, resampled


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
    figure = auc_figure(scores, targets, resamples=2000)
    assert figure.ci95 is not None and figure.ci95[0] < figure.value < figure.ci95[1]
    nearly = scores + 0.01 * np.random.default_rng(1).normal(size=scores.shape)
    gap = auc_difference(scores, nearly, targets, resamples=2000)
    assert gap.ci95 is not None
    assert gap.ci95[1] - gap.ci95[0] < 0.3 * (figure.ci95[1] - figure.ci95[0])
    twice = auc_figure(np.stack([scores, scores]), targets, resamples=2000)
    assert np.isclose(twice.value, figure.value) and np.allclose(twice.ci95 or (), figure.ci95)
