"""From logits to probabilities that mean what they say.

Two numbers a label, a and b of sigmoid(a · logit + b), are fitted to held-out images (Platt 1999,
"Probabilistic outputs for support vector machines"), generated a little towards no change.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_expit

PRIOR = 1.0
"""Weight of no change against that of one image."""


def platt(logits: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Slope and offset for logits `(N,)` of one label; 1 and 0 where nothing is known.

    >>> logits = np.linspace(-6, 6, 4001)
    >>> rng = np.random.default_rng(0).random(4001)
    >>> targets = rng < 1 / (1 + np.exp(1 - 0.5 * logits))
    >>> slope, offset = platt(logits, targets.astype(float))
    >>> bool(abs(slope - 0.5) < 0.05), bool(abs(offset + 1) < 0.15)
    (True, True)
    """
    known = ~np.isnan(targets)
    x, y = logits[known].astype(float), targets[known]

    def cost(at: np.ndarray) -> float:
        slope, offset = np.exp(at[0]), at[1]
        z = slope * x + offset
        likelihood = -(y * log_expit(z) + (1 - y) * log_expit(-z)).sum()
        return float(likelihood + PRIOR * (at**2).sum())

    slope, offset = minimize(cost, np.zeros(2), method="Nelder-Mead").x
    return float(np.exp(slope)), float(offset)
