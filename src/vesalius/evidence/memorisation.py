"""Memorisation: is a synthetic case a copy of a training case?

A case drawn from the same population is some distance from its nearest training case; held-out real
cases tell how far. A synthetic case that is nearer than held-out ones ever are is called a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.evidence.figure import Figure, bootstrapped, mean_figure


@dataclass(frozen=True)
class CopyAudit:
    """Nearest training case of every synthetic and every held-out real case.

    Attributes:
        synthetic, held_out: likeness to the nearest training case, each `(N,)`, 1 being identical.
        nearest: number of that training case for each synthetic one.
        threshold: likeness above which a case is called a copy.
    """

    synthetic: np.ndarray
    held_out: np.ndarray
    nearest: np.ndarray
    threshold: float

    @property
    def copies(self) -> np.ndarray:
        """Which synthetic cases are copies, `(N,)`."""
        return self.synthetic > self.threshold

    def figures(self) -> dict[str, Figure]:
        """Share and number of copies, and the two likenesses."""
        return {
            "copies": Figure(float(self.copies.sum()), "cases", len(self.synthetic)),
            "copied_share": bootstrapped([self.copies.astype(float)], np.mean, ""),
            "synthetic_to_training": mean_figure(self.synthetic, ""),
            "held_out_to_training": mean_figure(self.held_out, ""),
            "threshold": Figure(self.threshold, "", len(self.held_out)),
        }


def audit_copies(
    synthetic: Sequence[np.ndarray], held_out: Sequence[np.ndarray], training: Sequence[np.ndarray]
) -> CopyAudit:
    """Compare feature vectors by correlation.

    The threshold lies three SD above the mean of the held-out cases on Fisher's z scale, so that it
    does not hang on the single nearest of them.

    Args:
        synthetic, held_out, training: one vector `(F,)` a case, such as `smoothed_features`.

    >>> chance = np.random.default_rng(0)
    >>> training, others = chance.normal(size=(30, 500)), chance.normal(size=(10, 500))
    >>> made = [training[3] + 0.1 * chance.normal(size=500), chance.normal(size=500)]
    >>> audit = audit_copies(made, list(others), list(training))
    >>> audit.copies.tolist(), int(audit.nearest[0])
    ([True, False], 3)
    """
    reference = _unit(np.stack(training))
    likeness = _unit(np.stack(synthetic)) @ reference.T
    baseline = (_unit(np.stack(held_out)) @ reference.T).max(axis=1)
    z = np.arctanh(np.clip(baseline, -0.999999, 0.999999))
    spread = z.std(ddof=1) if len(z) > 1 else 0.0
    threshold = float(np.tanh(z.mean() + 3 * spread))
    return CopyAudit(likeness.max(axis=1), baseline, likeness.argmax(axis=1), threshold)


def label_features(label_map: np.ndarray, labels: int) -> np.ndarray:
    """One-hot voxels of every label but the background, averaged over 2×2×2, as a vector.

    >>> label_features(np.ones((4, 4, 4), dtype=int), labels=2).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    return np.concatenate(
        [_halved((label_map == label).astype(np.float32)).ravel() for label in range(1, labels)]
    )


def image_features(image: np.ndarray) -> np.ndarray:
    """An image `(D, H, W)` averaged over 2×2×2, which quiets its noise, as a vector."""
    return _halved(image.astype(np.float32)).ravel()


def _halved(voxels: np.ndarray) -> np.ndarray:
    x, y, z = (n // 2 * 2 for n in voxels.shape)
    blocks = voxels[:x, :y, :z].reshape(x // 2, 2, y // 2, 2, z // 2, 2)
    averaged: np.ndarray = blocks.mean(axis=(1, 3, 5))
    return averaged


def _unit(rows: np.ndarray) -> np.ndarray:
    centred = rows - rows.mean(axis=1, keepdims=True)
    unit: np.ndarray = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    return unit
