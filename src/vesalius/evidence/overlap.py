"""How far two label maps agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def dice(first: np.ndarray, second: np.ndarray, numbers: Sequence[int]) -> float:
    """Overlap of labels in two maps, 2|A∩B|/(|A| + |B|); 1 where neither holds them.

    >>> dice(np.array([1, 1, 0]), np.array([1, 0, 0]), [1])
    0.6666666666666666
    """
    a, b = np.isin(first, numbers), np.isin(second, numbers)
    total = int(a.sum() + b.sum())
    return 2 * float((a & b).sum()) / total if total else 1.0
