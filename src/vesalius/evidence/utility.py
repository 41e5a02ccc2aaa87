"""Utility: how well models trained on different cohorts do on the same unseen patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from monai.metrics import DiceMetric

from vesalius.anatomy.attributes import attribute_value
from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import crossed_mean
from vesalius.scans.attributes import Attribute
from vesalius.scans.volume import Volume


@dataclass(frozen=True)
class CaseScore:
    """One prediction held against the truth."""

    case: str
    dice: float
    true_value: float
    predicted_value: float

    @property
    def error(self) -> float:
        """Predicted minus true, in the attribute's unit."""
        return self.predicted_value - self.true_value


def score(
    case: str, truth: Volume, prediction: Volume, attribute: Attribute, labels: Mapping[str, int]
) -> CaseScore:
    """Dice of the attribute's labels and the attribute itself, on one prediction.

    >>> voxels = np.zeros((4, 4, 4), dtype=np.uint8); voxels[:2] = 1
    >>> truth = Volume(voxels, np.diag([10.0, 10.0, 10.0, 1.0]))
    >>> found = score("a", truth, truth, Attribute("x_volume_ml", "volume_ml", ("x",)), {"x": 1})
    >>> found.dice, found.error
    (1.0, 0.0)
    """
    values = [labels[name] for name in attribute.labels]
    maps = [
        torch.from_numpy(np.isin(volume.voxels, values))[None, None].float()
        for volume in (prediction, truth)
    ]
    dice = float(torch.as_tensor(DiceMetric(include_background=True, ignore_empty=False)(*maps)))
    true, predicted = (attribute_value(attribute, one, labels) for one in (truth, prediction))
    return CaseScore(case, dice, true, predicted)


Trainings = Sequence[Sequence[CaseScore]]
"""Scores of the same cases in the same order, for each training of an arm."""


def arm_figures(scores: Trainings, unit: str) -> dict[str, Figure]:
    """Dice, mean absolute error and bias of one arm."""
    suffix, errors = unit.lower(), _errors(scores)
    return {
        "dice": crossed_mean(_dice(scores), "", "cases"),
        f"volume_mae_{suffix}": crossed_mean(np.abs(errors), unit, "cases"),
        f"volume_bias_{suffix}": crossed_mean(errors, unit, "cases"),
    }


def quarters(scores: Sequence[CaseScore]) -> tuple[float, ...]:
    """Ends of four ranges that hold as many cases each, by their true value.

    >>> quarters([CaseScore("", 1.0, float(ml), 0.0) for ml in range(1, 9)])
    (1.0, 2.75, 4.5, 6.25, 8.01)
    """
    true = np.array([one.true_value for one in scores])
    ends = [float(f"{end:.3g}") for end in np.quantile(true, (0, 0.25, 0.5, 0.75))]
    return (*ends, float(f"{1.001 * true.max():.3g}"))


def strata_figures(
    scores: Trainings, edges: Sequence[float], unit: str, against: Trainings = ()
) -> dict[str, Figure]:  # fmt: skip
    """Mean absolute error by strata of the true value, where a stratum has cases.

    Args:
        scores: of one arm.
        edges: of the strata.
        unit: of the value.
        against: another arm, whose error is taken off case by case.
    """
    result = {}
    true = np.array([s.true_value for s in scores[0]])
    errors = np.abs(_errors(scores))
    if against:
        errors = _paired(errors, np.abs(_errors(against)))
    for low, high in zip(edges, edges[1:], strict=False):
        inside = (true >= low) & (true < high)
        if inside.any():
            result[f"{low:g}_to_{high:g}"] = crossed_mean(errors[:, inside], unit, "cases")
    return result


def paired_difference(first: Trainings, second: Trainings, unit: str) -> dict[str, Figure]:
    """First minus second, case by case and training by training: error and Dice.

    Raises:
        ValueError: if the two do not hold the same cases in the same order.
    """
    if [s.case for s in first[0]] != [s.case for s in second[0]]:
        raise ValueError("the two arms were tested on different cases")
    errors = [np.abs(_errors(arm)) for arm in (first, second)]
    return {
        f"volume_mae_{unit.lower()}": crossed_mean(_paired(*errors), unit, "cases"),
        "dice": crossed_mean(_paired(_dice(first), _dice(second)), "", "cases"),
    }


def _paired(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Differences `(S, N)` of as many trainings as both have."""
    count = min(len(first), len(second))
    gap: np.ndarray = first[:count] - second[:count]
    return gap


def _errors(scores: Trainings) -> np.ndarray:
    return np.array([[one.error for one in own] for own in scores])


def _dice(scores: Trainings) -> np.ndarray:
    return np.array([[one.dice for one in own] for own in scores])
