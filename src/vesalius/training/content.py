"""A digest of what a run was fitted on, by which a changed cohort is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np


def content_digest(parts: Iterable[str | np.ndarray]) -> str:
    """A few digits of texts and arrays, in their order.

    >>> content_digest(["a", np.zeros(2)]) == content_digest(["a", np.zeros(2)])
    True
    >>> content_digest(["a", np.zeros(2)]) == content_digest(["a", np.ones(2)])
    False
    """
    result = hashlib.sha256()
    for part in parts:
        result.update(part.encode() if isinstance(part, str) else np.ascontiguousarray(part).data)
    return result.hexdigest()[:16]
