"""Trees that reach every part of a lung: vessels and airways."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.phantoms.shapes import Array


@dataclass(frozen=True)
class Branch:
    """From one point to another in mm, how many ends hang on it, and how many forks precede it."""

    start: Array
    end: Array
    ends: int
    order: int


def grown(root: Array, ends: Array, share: float = 0.45) -> list[Branch]:
    """Branches from a root to all end points `(N, 3)`, which are halved at each fork.

    Each branch runs a share of the way to the middle of its ends; the halves lie on either side of
    the plane across their longest extent.

    >>> rng = np.random.default_rng(0)
    >>> tree = grown(np.zeros(3), rng.normal(size=(16, 3)))
    >>> sum(branch.ends == 1 for branch in tree), max(branch.order for branch in tree) >= 4
    (16, True)
    """
    result: list[Branch] = []
    waiting = [(np.asarray(root, float), np.asarray(ends, float), 0)]
    while waiting:
        start, own, order = waiting.pop()
        if len(own) == 1:
            result.append(Branch(start, own[0], 1, order))
            continue
        middle = own.mean(axis=0)
        fork = start + share * (middle - start)
        result.append(Branch(start, fork, len(own), order))
        _, _, directions = np.linalg.svd(own - middle, full_matrices=False)
        far = (own - middle) @ directions[0]
        ranks = np.argsort(far)
        half = len(own) // 2
        waiting += [(fork, own[ranks[:half]], order + 1), (fork, own[ranks[half:]], order + 1)]
    return result


def radius_mm(ends: int, smallest: float) -> float:
    """By Murray's law: the cube of a branch's radius is the sum of those of its ends.

    Murray 1926, "The physiological principle of minimum work".

    >>> radius_mm(8, 0.5)
    1.0
    """
    return float(round(smallest * ends ** (1 / 3), 6))
