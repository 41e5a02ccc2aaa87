"""How useful maps of several methods are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from statsmodels.stats.multitest import multipletests

from vesalius.evidence.agreement import icc
from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.multireader import jackknifed_means
from vesalius.readers.results.estimates import agreement, alone, conditions, pairs
from vesalius.readers.results.readings import Reading, matrix, repeated


def saliency_figures(readings: Sequence[Reading], readers: Sequence[int]) -> dict[str, Figure]:
    """Mean usefulness of each method, differences of pairs with Holm's p, and agreement."""
    result: dict[str, Figure] = {}
    methods = sorted(readings[0].methods)
    values = []
    for method in methods:

        def useful(one: Reading, method: str = method) -> float:
            return float(one.content[f"usefulness_{one.methods.index(method) + 1}"])

        rated, cases = matrix(readings, readers, useful)
        values.append(rated)
        result |= agreement(
            method, rated, repeated(readings, useful), "ordinal", [one.owner for one in cases]
        )
        result[f"agreement/{method}/icc"] = icc(rated)
    figure = jackknifed_means(np.stack(values), [one.owner for one in cases])
    for method, one in zip(methods, conditions(figure, len(cases)), strict=True):
        result[f"{method}/usefulness"] = one
    for reader, own in zip(readers, alone(figure), strict=True):
        for method, one in zip(methods, conditions(own, len(cases)), strict=True):
            result[f"reader_{reader + 1}/{method}/usefulness"] = one
    compared = pairs(figure, len(cases))
    if compared:
        plain = np.array([p for _, p in compared.values()])
        adjusted = np.full(len(plain), np.nan)
        reported = ~np.isnan(plain)
        if reported.any():
            adjusted[reported] = multipletests(plain[reported], method="holm")[1]
        for ((i, j), (gap, _)), p in zip(compared.items(), adjusted, strict=True):
            name = f"{methods[j]}_minus_{methods[i]}"
            result[f"{name}/usefulness"] = gap
            result[f"{name}/p_holm"] = counted(p, "", len(cases), "cases", "a p value")
    return result
