"""Styles moved until what is read off the generated picture has changed as much as was asked.

What moves one patient's style moves another's picture differently: along a neighbour's own path in
W the joint space of the generated picture follows what the neighbour lost loosely. So the
neighbour's
change is asked for, in the attributes' units, and each style moves as trajectories move for such a
change, by its own sensitivity: the conditional mean of a Gaussian over trajectories, given the
change, in two steps of Gauss and Newton. One reader steers; what comes out is measured by another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from vesalius.methods.progression.evaluator import AttributeEvaluator, read_attributes
from vesalius.methods.progression.projection import draw_styles
from vesalius.methods.progression.trajectories import Trajectories
from vesalius.networks.style_generator import StyleGenerator

SLACK = 0.03
"""Share of the variance of changes that a step may leave open, for less of a detour."""
BATCH = 64


@dataclass(frozen=True, eq=False)
class Steering:
    """How styles are moved, from trajectories.

    Attributes:
        generator, evaluator: that draw, and see how far a style has come.
        std: covariance of whole trajectories in W, `(W, W)`.
        slack: variance of an attribute that is left open, `(A,)`.
        lowest, highest: readings between which futures are asked for, `(A,)`.
    """

    generator: StyleGenerator
    evaluator: AttributeEvaluator
    std: np.ndarray
    slack: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray

    @classmethod
    def of(
        cls, trajectories: Trajectories, generator: StyleGenerator, evaluator: AttributeEvaluator
    ) -> Steering:
        """Steering as trajectories have moved."""
        moved, changed = (
            trajectories.years[:, None] * one
            for one in (trajectories.annual_change, trajectories.reading_annual_change)
        )
        std = moved.T @ moved / len(moved) + 1e-6 * np.eye(moved.shape[1])
        slack = SLACK * (changed**2).mean(axis=0) + 1e-9
        return cls(generator, evaluator, std, slack, *trajectories.seen)

    def moved(self, styles: np.ndarray, changes: np.ndarray) -> np.ndarray:
        """Styles `(N, K, W)` whose pictures differ from those of `styles` by asked changes.

        Args:
            styles: of today, `(N, W)`.
            changes: in the attributes' units, `(N, K, A)`; none leads out of what trajectories have
                shown.
        """
        now = self._read(styles)[:, None]
        ends = np.minimum(self.lowest, now), np.maximum(self.highest, now)
        requested = np.clip(now + changes, *ends) - now
        half = styles[:, None] + self._step(self._slopes(styles)[:, None], requested / 2)
        flat = half.reshape(-1, half.shape[-1])
        left = requested - (self._read(flat).reshape(requested.shape) - now)
        slopes = self._slopes(flat).reshape(*half.shape[:2], -1, half.shape[-1])
        result: np.ndarray = half + self._step(slopes, left)
        return result

    def _step(self, slopes: np.ndarray, requested: np.ndarray) -> np.ndarray:
        """The likeliest move for a change, of slopes `(N, K, A, W)` and changes `(N, K, A)`."""
        carried = slopes @ self.std
        inside = carried @ slopes.swapaxes(-1, -2) + np.diag(self.slack)
        weights = np.linalg.solve(inside, requested[..., None])
        step: np.ndarray = (carried.swapaxes(-1, -2) @ weights)[..., 0]
        return step

    def _read(self, styles: np.ndarray) -> np.ndarray:
        return read_attributes(self.evaluator, draw_styles(self.generator, styles))

    def _slopes(self, styles: np.ndarray) -> np.ndarray:
        """How readings of generated pictures change with the style, `(N, A, W)`."""
        self.generator.eval()
        self.evaluator.eval()
        device, result = self.evaluator.mean.device, []
        for part in np.array_split(styles, max(1, -(-len(styles) // BATCH))):
            own = torch.from_numpy(part.astype(np.float32)).to(device).requires_grad_(True)
            read = self.evaluator((self.generator(own) / 2 + 0.5).clamp(0, 1)).sum(dim=0)
            each = [torch.autograd.grad(one, own, retain_graph=True)[0] for one in read]
            result.append(torch.stack(each, dim=1).cpu().numpy())
        return np.concatenate(result)
