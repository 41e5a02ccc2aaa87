"""Which metric, and how many neighbours: chosen on held-out patients by what their pictures became.

For each choice the future of a held-out patient is drawn and measured, and compared with what the
same meter reads off the true picture. Outcomes are not looked at.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.networks.style_generator import StyleGenerator
from vesalius.synthesis.progression.courses import Courses
from vesalius.synthesis.progression.fates import fates_of
from vesalius.synthesis.progression.neighbours import METRICS, Metric, MetricName, nearest
from vesalius.synthesis.progression.reader import AttributeReader

NO_CHANGE = "no_change"


@dataclass(frozen=True)
class Choice:
    """A metric and a number of neighbours, with the error they were chosen by.

    Attributes:
        errors: mean absolute error of the measured attributes, each in its spread over the
            held-out patients, by metric and K; `no_change` stands for K = 0.
    """

    metric: MetricName
    neighbours: int
    errors: Mapping[tuple[str, int], float]

    def table(self) -> str:
        """All that was tried as CSV.

        >>> print(Choice("spread", 5, {("no_change", 0): 1.0, ("spread", 5): 0.5}).table())
        metric,neighbours,error
        no_change,0,1.0000
        spread,5,0.5000
        <BLANKLINE>
        """
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["metric", "neighbours", "error"])
        for (metric, count), error in self.errors.items():
            rows.writerow([metric, count, f"{error:.4f}"])
        return text.getvalue()


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Patients who came twice or more, none of the courses among them.

    Attributes:
        styles: of the first visit, `(P, W)`.
        years: between first and last visit, `(P,)`.
        before, after: what the meter reads off their true first and last pictures, `(P, K)`.
    """

    styles: np.ndarray
    years: np.ndarray
    before: np.ndarray
    after: np.ndarray


def choose(
    metrics: Mapping[MetricName, Metric], courses: Courses, held_out: HeldOut,
    counts: Sequence[int], generator: StyleGenerator, meter: AttributeReader,
) -> Choice:  # fmt: skip
    """The metric and K whose typical fates are measured nearest to the true futures.

    The change that is measured between two drawn pictures is added to what was read before, so what
    a projection loses counts neither for nor against a choice.
    """
    scale = held_out.after.std(axis=0) + 1e-9

    def error(change: np.ndarray) -> float:
        gap = np.abs(held_out.before + change - held_out.after) / scale
        return float(gap.mean())

    errors: dict[tuple[str, int], float] = {(NO_CHANGE, 0): error(np.zeros_like(held_out.before))}
    for name in METRICS:
        rows = nearest(metrics[name], held_out.styles, min(max(counts), len(courses)))
        fates = fates_of(
            held_out.styles, held_out.years, courses, rows, generator, meter
        )  # fmt: skip
        for count in counts:
            if count <= rows.shape[1]:
                own = fates.nearest(count)
                errors[name, count] = error(own.of_typical(own.change))
    tried = [key for key in errors if key[0] != NO_CHANGE]
    metric, count = min(tried, key=lambda key: errors[key])
    best = next(name for name in METRICS if name == metric)
    return Choice(best, count, errors)
