"""Which metric, and how many neighbours: chosen on held-out patients by what their pictures became.

For each choice all that a held-out patient's neighbours lost is compared with what is read off the
true later picture, by the continuous ranked probability score: it is least where outcomes are as
likely as they are many (Gneiting and Raftery 2007, "Strictly proper scoring rules, prediction, and
estimation", equation 20). Outcomes are not looked at.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.methods.progression.neighbours import (
    METRICS,
    Metric,
    MetricName,
    nearest,
)
from vesalius.methods.progression.trajectories import Baseline, Trajectories

NO_CHANGE = "no_change"


CHOICE = "choice"
"""Where a run keeps it."""


@dataclass(frozen=True)
class Choice:
    """A metric and a number of neighbours, with the score they were chosen by.

    Attributes:
        scores: ranked probability score of the measured attributes, each in its spread over the
            held-out patients, by metric and K; lower is better; `no_change` stands for K = 0.
    """

    metric: MetricName
    neighbours: int
    scores: Mapping[tuple[str, int], float]

    def table(self) -> str:
        """All that was tried as CSV.

        >>> print(Choice("spread", 5, {("no_change", 0): 1.0, ("spread", 5): 0.5}).table())
        metric,neighbours,score
        no_change,0,1.0000
        spread,5,0.5000
        <BLANKLINE>
        """
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["metric", "neighbours", "score"])
        for (metric, count), score in self.scores.items():
            rows.writerow([metric, count, f"{score:.4f}"])
        return text.getvalue()


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Patients who came twice or more, none of the trajectories among them.

    Attributes:
        baseline: at the first visit.
        years: between first and last visit, `(P,)`.
        before, after: what the meter reads off their true first and last pictures, `(P, A)`.
    """

    baseline: Baseline
    years: np.ndarray
    before: np.ndarray
    after: np.ndarray


def choose(
    metrics: Mapping[MetricName, Metric], trajectories: Trajectories, held_out: HeldOut,
    counts: Sequence[int],
) -> Choice:  # fmt: skip
    """The metric and K whose trajectories tell the true futures best."""
    scale = held_out.after.std(axis=0) + 1e-9

    def score(change: np.ndarray) -> float:
        members = (held_out.before[:, None] + change) / scale
        return ranked_probability_score(members, held_out.after / scale)

    unchanged = np.zeros_like(held_out.before)[:, None]
    scores: dict[tuple[str, int], float] = {(NO_CHANGE, 0): score(unchanged)}
    for name in METRICS:
        rows = nearest(metrics[name], trajectories, held_out.baseline, len(trajectories))
        for count in counts:
            if count <= len(trajectories):
                annual_change = trajectories.reading_annual_change[rows[:, :count]]
                scores[name, count] = score(held_out.years[:, None, None] * annual_change)
    tried = [key for key in scores if key[0] != NO_CHANGE]
    metric, count = min(tried, key=lambda key: scores[key])
    best = next(name for name in METRICS if name == metric)
    return Choice(best, count, scores)


def ranked_probability_score(members: np.ndarray, truth: np.ndarray) -> float:
    """Mean score of K members `(N, K, A)` each against what came true `(N, A)`; lower is better.

    One member scores its absolute error.

    >>> ranked_probability_score(np.array([[[1.0]]]), np.array([[3.0]]))
    2.0
    >>> ranked_probability_score(np.array([[[1.0], [3.0]]]), np.array([[3.0]]))
    0.5
    """
    error = np.abs(members - truth[:, None]).mean(axis=1)
    apart = np.abs(members[:, :, None] - members[:, None]).mean(axis=(1, 2))
    return float((error - apart / 2).mean())
