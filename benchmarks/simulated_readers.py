"""Readers of known skill: what they say of any case, and what their figures truly are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import norm

EVERYONE = 20_000
CASE, LOOK, STEP, SUREST = 0.5, 0.7, 0.4, 5
"""Spreads of the difficulty of cases and of single looks; how much more is a confidence more."""


@dataclass(frozen=True)
class Crowd:
    """Readers who tell ill cases from well ones.

    What a reader sees of a case is `skill × side − threshold + difficulty + look`, side −½ or ½;
    above zero it is called ill, the further away the surer.

    Attributes:
        skill: of each reader under each condition `(T, R)`.
        threshold: of each reader `(R,)`.
    """

    skill: np.ndarray
    threshold: np.ndarray

    @classmethod
    def generated(cls, rng: np.random.Generator, readers: int, *skills: float) -> Crowd:
        """Readers out of a population of mean `skills`, one for each condition."""
        own = 0.2 * rng.standard_normal(readers)
        under = 0.1 * rng.standard_normal((len(skills), readers))
        return cls(np.array(skills)[:, None] + own + under, 0.1 * rng.standard_normal(readers))

    def scores(self, rng: np.random.Generator, positive: np.ndarray) -> np.ndarray:
        """Confidences of cases `(N,)`, negative for well: `(T, R, N)` of −5 to −1 and 1 to 5."""
        seen = self._middle(positive) + CASE * rng.standard_normal(len(positive))
        seen = seen + LOOK * rng.standard_normal(seen.shape)
        sure = 1 + np.minimum(np.abs(seen) // STEP, SUREST - 1)
        return np.where(seen > 0, sure, -sure)

    def sensitivity(self) -> np.ndarray:
        """Of each reader under each condition `(T, R)`."""
        return norm.cdf((self.skill / 2 - self.threshold) / np.hypot(CASE, LOOK))

    def specificity(self) -> np.ndarray:
        """The same of well cases."""
        return norm.cdf((self.skill / 2 + self.threshold) / np.hypot(CASE, LOOK))

    def auc(self) -> np.ndarray:
        """Of each reader's confidences under each condition `(T, R)`."""
        inner = STEP * np.arange(1 - SUREST, SUREST)
        edges = np.concatenate([[-np.inf], inner, [np.inf]])
        below = [
            norm.cdf((edges - self._middle(np.array([side]))) / np.hypot(CASE, LOOK))
            for side in (0.0, 1.0)
        ]
        negative, positive = (np.diff(one, axis=-1) for one in below)
        found: np.ndarray = (positive * (below[0][..., :-1] + negative / 2)).sum(axis=-1)
        return found

    def decision_alpha(self, condition: int) -> float:
        """Krippendorff's alpha of these readers' decisions on all cases there could be."""
        ranks = (np.arange(EVERYONE) + 0.5) / EVERYONE
        positive = np.repeat([0.0, 1.0], EVERYONE)
        seen = self._middle(positive)[condition] + CASE * np.tile(norm.ppf(ranks), 2)
        yes = norm.cdf(seen / LOOK)
        pairs = combinations(range(len(yes)), 2)
        apart = np.mean([np.mean(yes[i] + yes[j] - 2 * yes[i] * yes[j]) for i, j in pairs])
        return float(1 - apart / (2 * yes.mean() * (1 - yes.mean())))

    def _middle(self, positive: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.skill[:, :, None] * (positive - 0.5) - self.threshold[:, None]
        return found


@dataclass(frozen=True)
class Raters:
    """Readers who rate from 1 to 5: the case's own worth, the reader's mildness, and a look."""

    mild: np.ndarray

    @classmethod
    def generated(cls, rng: np.random.Generator, readers: int) -> Raters:
        """Readers out of a population."""
        return cls(0.4 * rng.standard_normal(readers))

    def ratings(self, rng: np.random.Generator, worth: np.ndarray) -> np.ndarray:
        """Of cases `(N,)` of some mean worth: `(R, N)`."""
        own = worth + 0.8 * rng.standard_normal(len(worth))
        seen = own + self.mild[:, None]
        seen = seen + 0.7 * rng.standard_normal(seen.shape)
        return np.clip(np.round(seen), 1, 5)


def decided(score: float) -> Mapping[str, Any]:
    """A score as the answer of a study of diagnosis."""
    return {"decision": "yes" if score > 0 else "no", "confidence": int(abs(score))}
