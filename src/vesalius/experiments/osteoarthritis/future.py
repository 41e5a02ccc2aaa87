"""Predicted pictures against the true ones: joint space, similarity in the joint, identity."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import ndimage
from skimage.metrics import structural_similarity

from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import bootstrapped, mean_figure, proportion
from vesalius.experiments.osteoarthritis.cohort import Outcomes, joint_spaces
from vesalius.experiments.osteoarthritis.methods import Prediction

JOINT = (0.36, 0.62)
"""Rows of the joint, as shares of the picture's height."""
BAND = (1.0, 6.0)
"""Widths in pixels between which identity is looked for: bone, not exposure."""
SHIFT = 3
"""Pixels by which a picture may be shifted before it is compared: no knee lies alike twice."""


def space_errors(readings: np.ndarray, own: Outcomes, names: tuple[str, ...]) -> np.ndarray:
    """Absolute error of each patient's joint spaces in mm, the mean of both sides, `(P,)`."""
    gap = np.abs(readings - joint_spaces(own.last, names))
    each: np.ndarray = gap.mean(axis=1)
    return each


def future_figures(
    method: str, reported: Prediction, own: Outcomes, names: tuple[str, ...],
    against: dict[str, np.ndarray], unchanged: np.ndarray | None = None,
) -> dict[str, Figure]:  # fmt: skip
    """Error, similarity and identity of one method.

    Args:
        method: its name.
        reported: what it says.
        own: patients.
        names: of the joint spaces.
        against: errors of other methods by name, `(P,)`; the difference to each is reported.
        unchanged: whether each patient is recognised by the real first picture, `(P,)`: the mark
            that a perfect picture without any change would get.
    """
    result: dict[str, Figure] = {}
    if reported.readings is not None:
        errors = space_errors(reported.readings, own, names)
        result[f"future/{method}/joint_space_mae_mm"] = mean_figure(errors, "mm", "patients")
        for other, theirs in against.items():
            if other != method:
                result[f"future/{method}_minus_{other}/joint_space_mae_mm"] = bootstrapped(
                    [errors - theirs], np.mean, "mm", "patients"
                )
    if reported.pictures is not None:
        true = own.last.images[:, 0].astype(float)
        result[f"future/{method}/ssim"] = mean_figure(
            ssim_in_joint(reported.pictures[:, 0], true), "", "patients"
        )
        first = recognised(reported.pictures[:, 0], true)
        result[f"future/{method}/identity_rank1"] = proportion(first.sum(), len(first), "patients")
        if unchanged is not None and unchanged.any():
            result[f"future/{method}/identity_share_of_true"] = bootstrapped(
                [first, unchanged], _share, "", "patients"
            )
    return result


def ssim_in_joint(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Structural similarity in the rows of the joint of pictures `(P, S, S)`, `(P,)`."""
    rows = slice(*(round(share * first.shape[1]) for share in JOINT))
    window = min(7, (rows.stop - rows.start) // 2 * 2 - 1)
    return np.array([
        structural_similarity(a[rows].astype(float), b[rows], data_range=1.0, win_size=window)
        for a, b in zip(first, second, strict=True)
    ])  # fmt: skip


def _share(first: np.ndarray, unchanged: np.ndarray) -> float:
    return float(first.mean() / unchanged.mean()) if unchanged.any() else float("nan")


def recognised(predicted: np.ndarray, true: np.ndarray, shift: int = SHIFT) -> np.ndarray:
    """Whether each predicted picture is nearest to the true one of its own patient, `(P,)`.

    By correlation of detail at the best of all small shifts, all patients being candidates.

    >>> pictures = np.random.default_rng(0).random((5, 16, 16))
    >>> recognised(pictures, pictures).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    one, two = _detail(predicted), _detail(true).reshape(len(true), -1)
    alike = np.full((len(one), len(two)), -np.inf)
    for moved in product(range(-shift, shift + 1), repeat=2):
        rolled = np.roll(one, moved, axis=(1, 2)).reshape(len(one), -1)
        np.maximum(alike, rolled @ two.T, out=alike)
    nearest = alike.argmax(axis=1)
    result: np.ndarray = (nearest == np.arange(len(true))).astype(float)
    return result


def _detail(pictures: np.ndarray) -> np.ndarray:
    """A band of frequencies at zero mean and unit length, `(P, S, S)`."""
    fine, coarse = (
        np.stack([ndimage.gaussian_filter(one, width) for one in pictures.astype(float)])
        for width in BAND
    )
    band = fine - coarse
    band = band - band.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt(np.square(band).sum(axis=(1, 2), keepdims=True))
    scaled: np.ndarray = (band / np.maximum(length, 1e-12)).astype(np.float32)
    return scaled
