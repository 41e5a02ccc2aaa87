"""Memorisation: is a synthetic case a copy of a training case?

A case generated from the same population is some distance from its nearest training case; held-out
real
cases tell how far. But a smooth, average case is near to every training case and copies none. So a
copy is what is nearer to one training case than held-out cases ever are, and leads the next nearest
ones by more than held-out cases ever do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.intervals import mean_figure, proportion

STANDARD_DEVIATIONS = 3.0
"""Above the mean of held-out cases, beyond which a case is nearer than they ever are."""

FEWEST_HELD_OUT = 12
"""Real cases by which the others can be judged."""

RUNNERS_UP = 5
"""Training cases next to the nearest, over which it must lead."""


@dataclass(frozen=True)
class CopyAudit:
    """Nearest training case of every synthetic and every held-out real case.

    Attributes:
        synthetic, held_out: similarity to the nearest training case, `(N,)`, 1 being identical.
        synthetic_lead, held_out_lead: by how much the nearest leads the next five, `(N,)`, on
            Fisher's z scale.
        nearest: number of that training case for each synthetic one.
        threshold, lead_threshold: some SD above the mean of the held-out cases.
    """

    synthetic: np.ndarray
    held_out: np.ndarray
    synthetic_lead: np.ndarray
    held_out_lead: np.ndarray
    nearest: np.ndarray
    threshold: float
    lead_threshold: float

    @property
    def copies(self) -> np.ndarray:
        """Which synthetic cases are copies, `(N,)`."""
        return (self.synthetic > self.threshold) & (self.synthetic_lead > self.lead_threshold)

    def figures(self) -> dict[str, Figure]:
        """Number and share of copies, similarities and leads."""
        count = len(self.held_out)
        return {
            "copies": counted(self.copies.sum(), "cases", len(self.copies), "synthetic cases"),
            "copied_share": proportion(self.copies.sum(), len(self.copies), "synthetic cases"),
            "synthetic_to_training": mean_figure(self.synthetic, "", "synthetic cases"),
            "held_out_to_training": mean_figure(self.held_out, "", "real cases"),
            "threshold": counted(self.threshold, "", count, "real cases", "a bound"),
            "synthetic_lead": mean_figure(self.synthetic_lead, "", "synthetic cases"),
            "held_out_lead": mean_figure(self.held_out_lead, "", "real cases"),
            "lead_threshold": counted(self.lead_threshold, "", count, "real cases", "a bound"),
        }

    def points(self) -> dict[str, Any]:
        """What a diagram of similarity against lead shows."""
        names = ("synthetic", "held_out", "synthetic_lead", "held_out_lead")
        lists = {name: getattr(self, name).round(4).tolist() for name in names}
        return lists | {"threshold": self.threshold, "lead_threshold": self.lead_threshold}


def audit_similarity(
    synthetic: np.ndarray, held_out: np.ndarray, deviations: float = STANDARD_DEVIATIONS
) -> CopyAudit:
    """Judge similarities to every training case, `(M, N)` and `(H, N)`, 1 being identical.

    Args:
        synthetic: of the cases that are judged.
        held_out: of real ones.
        deviations: SD above the mean of the held-out cases at which the thresholds lie.

    >>> rng = np.random.default_rng(0)
    >>> held_out, made = rng.uniform(0, 0.3, (20, 50)), rng.uniform(0, 0.3, (3, 50))
    >>> made[1, 7] = 0.9
    >>> audit_similarity(made, held_out).copies.tolist()
    [False, True, False]
    """
    own, own_lead, nearest = lead_and_nearest(synthetic)
    baseline, lead, _ = lead_and_nearest(held_out)
    return CopyAudit(
        np.tanh(own), np.tanh(baseline), own_lead, lead, nearest,
        float(np.tanh(bound(baseline, deviations))), bound(lead, deviations),
    )  # fmt: skip


def centred_cosines(training: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Cosines of vectors `(M, F)` with training vectors `(N, F)`, less the mean of these.

    >>> training = np.array([[1.0, 3.0], [1.0, -1.0]])
    >>> centred_cosines(training, np.array([[1.0, 9.0]]))[0].tolist()
    [[1.0, -1.0]]
    """
    mean = training.mean(axis=0)
    unit, *rest = (_length_one(rows - mean) for rows in (training, *others))
    return [rows @ unit.T for rows in rest]


def lead_and_nearest(similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of similarities `(M, N)`: that to the nearest, by how much it leads, and which it is, `(M,)`.

    The first two on Fisher's z scale; the lead is over the mean of the next `RUNNERS_UP`.
    """
    z = -np.sort(-np.arctanh(np.clip(similarity, -0.999999, 0.999999)), axis=1)
    return z[:, 0], z[:, 0] - z[:, 1 : 1 + RUNNERS_UP].mean(axis=1), similarity.argmax(axis=1)


def bound(values: np.ndarray, deviations: float) -> float:
    """So many SD above the mean of values `(H,)`."""
    sd = values.std(ddof=1) if len(values) > 1 else 0.0
    return float(values.mean() + deviations * sd)


def cautious_deviations(held_out: int) -> float:
    """Where a bound lies that an audit by other held-out cases is hardly ever below.

    Two standard errors below `STANDARD_DEVIATIONS`: those of a mean and three SD of normal values,
    √(1/H + 9/2(H − 1)). Fewer than 12 count as 12, or nearly every case would lie above it.

    >>> [round(cautious_deviations(held_out), 2) for held_out in (18, 60, 1000)]
    [1.87, 2.39, 2.85]
    """
    count = max(held_out, FEWEST_HELD_OUT)
    error = np.sqrt(1 / count + STANDARD_DEVIATIONS**2 / 2 / (count - 1))
    return float(STANDARD_DEVIATIONS - 2 * error)


def _length_one(rows: np.ndarray) -> np.ndarray:
    unit: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return unit
