"""Control: does what was requested come out?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import bootstrapped


def control_figures(
    requested: np.ndarray, measured: np.ndarray, unit: str
) -> dict[str, Figure]:  # fmt: skip
    """Slope, R² and mean absolute error of measured against requested values, each `(N,)`.

    A row is one request: several draws of one are not several rows.

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
        "slope": bootstrapped(columns, slope, "", "requests"),
        "r2": bootstrapped(columns, determination, "", "requests"),
        f"mae_{unit.lower()}": bootstrapped(columns, error, unit, "requests"),
    }


def share_of_draws(requests: Sequence[object], chosen: Sequence[bool]) -> Figure:
    """Share of draws that were chosen, such as accepted; draws of one request hang together.

    Args:
        requests: that each draw was made for, `(N,)`.
        chosen: which draws, `(N,)`.

    >>> print(share_of_draws(["a", "a", "b", "c"], [False, True, True, True]).value)
    0.75
    """
    known, number = np.unique([str(one) for one in requests], return_inverse=True)
    draws = np.bincount(number, minlength=len(known)).astype(float)
    met = np.bincount(number, np.asarray(chosen, float), minlength=len(known))

    def share(met: np.ndarray, draws: np.ndarray) -> float:
        return float(met.sum() / draws.sum())

    return bootstrapped([met, draws], share, "", "requests")
