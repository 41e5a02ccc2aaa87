"""Calibration: what to ask the networks for, so that what comes out is what was asked.

Decoding shrinks thin structures a little, so the measured value of an attribute departs from its
condition by a smooth curve. After the fit, label maps are drawn over the range of each attribute,
they are measured, and the curve is inverted. Misses are still rejected.
"""

from __future__ import annotations

import numpy as np

from vesalius.training.recipe import Settings


class Calibration(Settings):
    """For each attribute the polynomial in √value that takes a wanted value to a condition.

    >>> asked = np.linspace(20, 160, 40)
    >>> half = Calibration.of({"x_volume_ml": (asked, asked / 2)})
    >>> round(half.condition("x_volume_ml", 30.0), 3)
    60.0
    >>> Calibration.of({}).condition("y_volume_ml", 30.0)
    30.0
    """

    curves: dict[str, tuple[float, ...]]

    @classmethod
    def of(cls, drawn: dict[str, tuple[np.ndarray, np.ndarray]]) -> Calibration:
        """Fit the curves to conditions and measured values, a pair of `(N,)` an attribute."""
        curves = {}
        for name, (asked, measured) in drawn.items():
            ends = np.polyfit(np.sqrt(measured), np.sqrt(asked), 2)
            curves[name] = tuple(float(c) for c in ends)
        return cls(curves=curves)

    def condition(self, name: str, wanted: float) -> float:
        """What to ask for."""
        if name not in self.curves:
            return wanted
        root = float(np.polyval(self.curves[name], np.sqrt(max(wanted, 0.0))))
        return max(0.0, root) ** 2
