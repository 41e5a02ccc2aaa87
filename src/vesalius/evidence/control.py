"""Control: does what was requested come out?"""

from __future__ import annotations

import numpy as np
from scipy import stats

from vesalius.evidence.figure import Figure, bootstrapped


def control_figures(
    requested: np.ndarray, measured: np.ndarray, unit: str
) -> dict[str, Figure]:  # fmt: skip
    """Slope, R² and mean absolute error of measured against requested values, each `(N,)`.

    >>> requested = np.linspace(20, 160, 30)
    >>> control_figures(requested, requested + 2, "mL")["mae_ml"].value
    2.0
    """

    def slope(x: np.ndarray, y: np.ndarray) -> float:
        return float(stats.linregress(x, y).slope) if np.ptp(x) > 0 else float("nan")

    def determination(x: np.ndarray, y: np.ndarray) -> float:
        return float(stats.linregress(x, y).rvalue ** 2) if np.ptp(x) > 0 else float("nan")

    def error(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.abs(x - y).mean())

    columns = [np.asarray(requested, float), np.asarray(measured, float)]
    return {
        "slope": bootstrapped(columns, slope, ""),
        "r2": bootstrapped(columns, determination, ""),
        f"mae_{unit.lower()}": bootstrapped(columns, error, unit),
    }
