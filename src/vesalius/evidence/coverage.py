"""Density and coverage: are generated cases where real ones are, and are they everywhere there?

Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models". Each real case
has a ball around it that reaches to its k-th nearest real neighbour.
"""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import jackknifed

NEIGHBOURS = 5


def density(real: np.ndarray, generated: np.ndarray, neighbours: int = NEIGHBOURS) -> float:
    """In how many balls of real cases a generated one lies, as a share of k; about 1 for real ones.

    Args:
        real: features `(N, F)`, more than k of them.
        generated: features `(M, F)`.
        neighbours: k.
    """
    inside = _inside(real, generated, neighbours)
    return float(inside.sum() / (neighbours * len(generated)))


def coverage(real: np.ndarray, generated: np.ndarray, neighbours: int = NEIGHBOURS) -> float:
    """The share of real cases in whose ball a generated one lies.

    >>> rng = np.random.default_rng(0)
    >>> real, other = rng.normal(size=(2, 200, 4))
    >>> coverage(real, other) > 0.9, coverage(real, np.repeat(other[:1], 200, axis=0)) < 0.1
    (True, True)
    """
    return float(_inside(real, generated, neighbours).any(axis=1).mean())


def _inside(real: np.ndarray, generated: np.ndarray, neighbours: int) -> np.ndarray:
    """Whether each generated case lies in the ball of each real one, `(N, M)`."""
    nearest = NearestNeighbors(n_neighbors=neighbours + 1).fit(real)
    reach = nearest.kneighbors(real)[0][:, -1]
    gaps = np.stack([np.linalg.norm(generated - one, axis=1) for one in real])
    result: np.ndarray = gaps <= reach[:, None]
    return result


def coverage_figures(real: np.ndarray, generated: np.ndarray) -> dict[str, Figure]:
    """Both, each with the interval of a jackknife over cases."""
    return {
        "density": jackknifed([real, generated], density, "", "cases", bounds=(0.0, np.inf)),
        "coverage": jackknifed([real, generated], coverage, "", "cases", bounds=(0.0, 1.0)),
    }
