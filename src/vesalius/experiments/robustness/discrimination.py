"""How well each training tells, on the same scanner and on another; how well it is calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vesalius.evidence.calibration import calibration_error
from vesalius.evidence.discrimination import Resampling, auc_difference, auc_figure
from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import jackknifed
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
        resamples: of every bootstrap over patients and trainings.
    """
    result: dict[str, Figure] = {}
    for name, images in (("auc", test), ("external_auc", external)):
        resampling = Resampling(images.subjects, resamples=resamples)
        logits = {
            arm: np.stack([one.logits(images.images) for one in trained])
            for arm, trained in arms.items()
        }
        for arm, scores in logits.items():
            result[f"{arm}/{name}"] = auc_figure(scores, images.targets, resampling)
            for column, label in enumerate(images.labels):
                own = auc_figure(scores[..., [column]], images.targets[:, [column]], resampling)
                result[f"{arm}/{name}/{label}"] = own
        for other in ("standard", "adversarial"):
            result[f"dual_minus_{other}/{name}"] = auc_difference(
                logits["dual"], logits[other], images.targets, resampling
            )
    _, patient = np.unique(test.subjects, return_inverse=True)
    for arm, trained in arms.items():
        every = np.stack([one.probabilities(test.images) for one in trained])

        def error(patients: np.ndarray, every: np.ndarray = every) -> float:
            rows = np.isin(patient, patients)
            pairs = [(p.T, test.targets[rows].T) for p in every[:, rows]]
            return float(np.mean([
                calibration_error(p, reported)
                for told, truth in pairs for p, reported in zip(told, truth, strict=True)
            ]))  # fmt: skip

        result[f"{arm}/calibration_error"] = jackknifed(
            [np.unique(patient)], error, "", "patients", bounds=(0.0, 1.0)
        )
    return result
