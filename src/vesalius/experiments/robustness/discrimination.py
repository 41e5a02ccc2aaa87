"""How well each training tells, on the same scanner and on another; how well it is calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vesalius.evidence.calibration import calibration_error
from vesalius.evidence.discrimination import auc_difference, auc_figure
from vesalius.evidence.figure import Figure
from vesalius.methods.classification.pipeline import ClassificationPipeline
from vesalius.scans.classified import Classified

Trained = Mapping[str, Sequence[ClassificationPipeline]]


def discrimination_figures(
    arms: Trained, test: Classified, external: Classified, resamples: int
) -> dict[str, Figure]:
    """AUC of each arm inside and outside, its paired difference to the others, and calibration.

    Args:
        arms: trainings of each seed.
        test: unseen images of the same scanner.
        external: of another one.
        resamples: of every bootstrap over images.
    """
    result: dict[str, Figure] = {}
    for name, images in (("auc", test), ("external_auc", external)):
        logits = {
            arm: np.stack([one.logits(images.images) for one in trained])
            for arm, trained in arms.items()
        }
        for arm, scores in logits.items():
            result[f"{arm}/{name}"] = auc_figure(scores, images.targets, resamples=resamples)
            for column, label in enumerate(images.labels):
                own = auc_figure(scores[..., [column]], images.targets[:, [column]],
                                 resamples=resamples)  # fmt: skip
                result[f"{arm}/{name}/{label}"] = own
        for other in ("standard", "adversarial"):
            result[f"dual_minus_{other}/{name}"] = auc_difference(
                logits["dual"], logits[other], images.targets, resamples=resamples
            )
    for arm, trained in arms.items():
        errors = [
            calibration_error(p, reported)
            for one in trained
            for p, reported in zip(one.probabilities(test.images).T, test.targets.T, strict=True)
        ]
        result[f"{arm}/calibration_error"] = Figure(float(np.mean(errors)), "", len(test))
    return result
