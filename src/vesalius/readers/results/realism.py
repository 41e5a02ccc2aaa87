"""Real or synthetic: what readers find out, and how they rate either."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.evidence.agreement import icc
from vesalius.evidence.figure import Figure
from vesalius.evidence.multireader import jackknifed_gap, jackknifed_means
from vesalius.readers.results.estimates import agreement, alone, conditions, shares
from vesalius.readers.results.readings import Reading, matrix, repeated

RATINGS = ("appearance", "anatomy", "consistency")


def realism_figures(readings: Sequence[Reading], readers: Sequence[int]) -> dict[str, Figure]:
    """Sensitivity for synthetic cases, specificity, mean ratings by origin, and agreement.

    Args:
        readings: of the study.
        readers: who have answered everything.
    """
    result: dict[str, Figure] = {}
    called, cases = matrix(readings, readers, _called_synthetic)
    synthetic = np.array([one.truth == "synthetic" for one in cases])
    subjects = [one.owner for one in cases]
    owners = np.array(subjects)
    for name, rows, right in (
        ("sensitivity", synthetic, called), ("specificity", ~synthetic, 1 - called),
    ):  # fmt: skip
        if rows.sum() > 1:
            figure, count = (
                jackknifed_means(right[None][:, :, rows], owners[rows]),
                int(rows.sum()),
            )
            result[f"origin/{name}"] = shares(figure, count, count)[0]
            for reader, own in zip(readers, alone(figure), strict=True):
                result[f"reader_{reader + 1}/origin/{name}"] = shares(own, count, count)[0]
    again = repeated(readings, _called_synthetic)
    result |= agreement("origin", called, again, "nominal", subjects)
    requested = [name for name in RATINGS if name in readings[0].content]
    for name in requested:

        def rating(one: Reading, name: str = name) -> float:
            return float(one.content[name])

        values, _ = matrix(readings, readers, rating)
        for origin, rows in (("real", ~synthetic), ("synthetic", synthetic)):
            if rows.sum() > 1:
                figure = jackknifed_means(values[None][:, :, rows], owners[rows])
                result[f"{origin}/{name}"] = conditions(figure, int(rows.sum()))[0]
        if min(synthetic.sum(), (~synthetic).sum()) > 1:
            gap = jackknifed_gap(values[None], synthetic, subjects)
            result[f"synthetic_minus_real/{name}"] = conditions(gap, len(cases))[0]
        result |= agreement(name, values, repeated(readings, rating), "ordinal", subjects)
        result[f"agreement/{name}/icc"] = icc(values)
    return result


def _called_synthetic(one: Reading) -> float:
    return float(one.content["origin"] == "synthetic")
