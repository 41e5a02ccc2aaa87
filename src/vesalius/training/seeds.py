"""Seeds by purpose: each use of chance has its own, generated before the work."""

from __future__ import annotations

import zlib

import numpy as np


def seed_for(seed: int, purpose: str, index: int = 0) -> int:
    """The seed of one use of chance, from the one above it.

    Args:
        seed: of the cohort, the case or the fit.
        purpose: in words, such as `image noise`; two purposes have nothing in common.
        index: of the case or the attempt.

    >>> seed_for(0, "labels") == seed_for(0, "labels") != seed_for(0, "image")
    True
    """
    entropy = [seed, zlib.crc32(purpose.encode()), index]
    return int(np.random.SeedSequence(entropy).generate_state(1, dtype=np.uint64)[0] >> 1)
