"""Fast progression: how well each method ranks patients, and what it decides at a stated point."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vesalius.evidence.discrimination import Resampling, auc_difference, auc_figure
from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import proportion

OURS = "extrapolation"


def youden_point(scores: np.ndarray, fast: np.ndarray) -> float:
    """The score from which on sensitivity plus specificity is highest (Youden 1950).

    The median where all patients fared alike.

    >>> youden_point(np.array([0.1, 0.2, 0.7, 0.9]), np.array([False, False, True, True]))
    0.7
    """
    if fast.all() or not fast.any():
        return float(np.median(scores))
    points = np.unique(scores)
    reported = scores[None] >= points[:, None]
    gain = reported[:, fast].mean(axis=1) - reported[:, ~fast].mean(axis=1)
    return float(points[gain.argmax()])


def risk_figures(
    test: Mapping[str, np.ndarray], held_out: Mapping[str, np.ndarray], fast: np.ndarray,
    fast_held_out: np.ndarray, resampling: Resampling,
) -> dict[str, Figure]:  # fmt: skip
    """AUC, sensitivity and specificity of each method, and differences of AUC.

    These are of `OURS` to each other method.

    Decisions are taken at the point that was best on held-out patients.

    Args:
        test: scores of unseen patients by method, `(P,)`.
        held_out: scores of held-out patients, for the points.
        fast, fast_held_out: what became of both.
        resampling: of areas.
    """
    result: dict[str, Figure] = {}
    targets = fast.astype(np.float32)[:, None]
    for method, scores in test.items():
        result[f"risk/{method}/auc"] = auc_figure(scores[:, None], targets, resampling)
        point = youden_point(held_out[method], fast_held_out)
        reported = scores >= point
        for name, own, right in (
            ("sensitivity", fast, reported[fast]), ("specificity", ~fast, ~reported[~fast])
        ):  # fmt: skip
            result[f"risk/{method}/{name}"] = proportion(right.sum(), int(own.sum()), "patients")
        if OURS in test and method != OURS:
            result[f"risk/{OURS}_minus_{method}/auc"] = auc_difference(
                test[OURS][:, None], scores[:, None], targets, resampling
            )
    return result
