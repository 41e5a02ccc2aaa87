"""Outcomes: what becomes of patients along the trajectory of each of their neighbours.

Progression is uneven: most neighbours hardly change, some change much. The mean of their
trajectories is
nobody's, so the picture that is shown follows one of them, the most typical, and risk is told over
all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vesalius.methods.progression.evaluator import AttributeEvaluator, read_attributes
from vesalius.methods.progression.neighbours import extents
from vesalius.methods.progression.projection import draw_styles
from vesalius.networks.style_generator import StyleGenerator

PICTURES_AT_ONCE = 512
Grading = Callable[[np.ndarray], np.ndarray]
"""Pictures `(N, C, S, S)` in [0, 1] to what is told of each `(N, G)`."""


@dataclass(frozen=True, eq=False)
class PredictedOutcomes:
    """What becomes of N patients along K trajectories each.

    Attributes:
        styles: `(N, K, W)`.
        change: of the measured attributes from today on, `(N, K, A)`.
        grades: of each generated picture `(N, K, G)`; G is 0 where nothing grades.
    """

    styles: np.ndarray
    change: np.ndarray
    grades: np.ndarray

    def of_typical(self, values: np.ndarray) -> np.ndarray:
        """Of values `(N, K, …)` those of each patient's most typical outcome."""
        result: np.ndarray = values[np.arange(len(values)), typical(self.change)]
        return result


def outcomes_of(
    styles: np.ndarray, then: np.ndarray, generator: StyleGenerator, meter: AttributeEvaluator,
    grade: Grading | None = None,
) -> PredictedOutcomes:  # fmt: skip
    """Draw and measure every outcome.

    What is measured is the change between two generated pictures, so what a projection loses does
    not count as change.

    Args:
        styles: of today, `(N, W)`.
        then: of K outcomes each, `(N, K, W)`.
        generator, meter: that draw and measure.
        grade: what else is asked of every generated picture.
    """
    patients, count = then.shape[:2]
    now = read_attributes(meter, draw_styles(generator, styles))
    change, grades = [], []
    for part in np.array_split(np.arange(patients), -(-patients * count // PICTURES_AT_ONCE)):
        generated = draw_styles(generator, then[part].reshape(len(part) * count, -1))
        read = read_attributes(meter, generated).reshape(len(part), count, -1)
        change.append(read - now[part, None])
        reported = grade(generated) if grade else np.zeros((len(generated), 0))
        grades.append(reported.reshape(len(part), count, reported.shape[1]))
    return PredictedOutcomes(then, np.concatenate(change), np.concatenate(grades))


def typical(values: np.ndarray) -> np.ndarray:
    """Of K rows of values `(N, K, A)` the one that is nearest to all others, `(N,)`.

    The medoid by absolute distance, each value in its spread; the first of those that are equal.

    >>> typical(np.array([[[0.0], [5.0], [0.5], [0.4], [0.3]]])).tolist()
    [3]
    """
    scaled = values / (values.std(axis=(0, 1)) + 1e-9)
    apart = np.abs(scaled[:, :, None] - scaled[:, None]).sum(axis=(2, 3))
    result: np.ndarray = apart.argmin(axis=1)
    return result


def exceeding(values: np.ndarray, share: float) -> np.ndarray:
    """Of K changes `(N, K, A)` the one that is larger than a share of them, `(N,)`.

    >>> exceeding(np.array([[[0.0], [-5.0], [0.5], [0.4], [0.3]]]), 0.8).tolist()
    [1]
    """
    order = np.argsort(extents(values), axis=1, kind="stable")
    result: np.ndarray = order[:, min(int(share * values.shape[1]), values.shape[1] - 1)]
    return result
