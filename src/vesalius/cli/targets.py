"""What shall be generated, in a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

BINS = 8


def counted_targets(targets: Sequence[Mapping[str, Any]]) -> list[str]:
    """How many cases of what: numbers in bins, all else by its value.

    Args:
        targets: of the cases.

    >>> findings = [{"pathology": "stenosis", "level": "L4-L5", "size_mm": 6.0}] * 3
    >>> counted_targets(findings)
    ['3 cases would be generated', '  3  stenosis L4-L5']
    >>> counted_targets([{"ventricle_volume_ml": v} for v in (20.0, 21.0, 100.0)])[1:]
    ['ventricle_volume_ml', '  2  20 to 30', '  1  90 to 100']
    """
    lines = [f"{len(targets)} cases would be generated"]
    named = [
        " ".join(str(value) for value in one.values() if isinstance(value, str)) for one in targets
    ]
    if any(named):
        return lines + [f"  {count}  {name}" for name, count in Counter(named).most_common()]
    for name in dict.fromkeys(name for one in targets for name in one):
        values = [float(one[name]) for one in targets if name in one]
        counts, edges = np.histogram(values, BINS)
        lines.append(name)
        lines += [
            f"  {count}  {low:.4g} to {high:.4g}"
            for count, low, high in zip(counts, edges, edges[1:], strict=False) if count
        ]  # fmt: skip
    return lines
