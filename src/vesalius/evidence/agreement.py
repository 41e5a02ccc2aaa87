"""Do readers agree, with each other and with themselves?"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import krippendorff
import numpy as np
import pandas as pd
import pingouin

from vesalius.evidence.figure import Figure, counted

Level = Literal["nominal", "ordinal", "interval"]
RESAMPLES = 1000


def alpha(ratings: np.ndarray, level: Level) -> float:
    """Krippendorff's alpha of R readers' ratings of N cases `(R, N)`, NaN where none was given.

    NaN where all ratings are the same, for there is nothing to agree about.

    The example is that of Krippendorff (2011, "Computing Krippendorff's alpha-reliability"),
    section C, where alpha is 0.743 for nominal and 0.815 for ordinal data:

    >>> nan = float("nan")
    >>> four = np.array([
    ...     [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
    ...     [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan]])
    >>> round(alpha(four, "nominal"), 3), round(alpha(four, "ordinal"), 3)
    (0.743, 0.815)
    """
    known = ratings[~np.isnan(ratings)]
    if len(np.unique(known)) < 2:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(krippendorff.alpha(reliability_data=ratings, level_of_measurement=level))


def alpha_figure(
    ratings: np.ndarray, level: Level, seed: int = 0, subjects: Sequence[str] | None = None
) -> Figure:
    """Krippendorff's alpha with the interval of a bootstrap over subjects, or over cases."""
    rng, cases = np.random.default_rng(seed), ratings.shape[1]
    owners = np.array(range(cases) if subjects is None else subjects)
    rows = [np.flatnonzero(owners == owner) for owner in dict.fromkeys(owners.tolist())]
    values = np.unique(ratings[~np.isnan(ratings)])
    counts = (ratings[:, :, None] == values).sum(axis=0)
    replicates = np.full(RESAMPLES, np.nan)
    for number in range(RESAMPLES):
        picked = rng.integers(0, len(rows), len(rows))
        alone = len(rows) == cases  # each subject has one case, which needs no gathering
        again = counts[picked if alone else np.concatenate([rows[row] for row in picked])]
        if (again.sum(axis=0) > 0).sum() > 1:
            replicates[number] = krippendorff.alpha(
                value_counts=again, value_domain=values, level_of_measurement=level
            )
    replicates = replicates[~np.isnan(replicates)]
    ends = np.percentile(replicates, [2.5, 97.5]) if len(replicates) > RESAMPLES / 2 else None
    value, of = alpha(ratings, level), "cases" if subjects is None else "subjects"
    if ends is None or ends[0] == ends[1]:
        return counted(value, "", cases, "cases", "the same, or undefined, in all resamples")
    made = f"percentile bootstrap over {of}, {RESAMPLES} resamples"
    interval = (float(ends[0]), float(ends[1]))
    return Figure(value, "", cases, interval, counts="cases", interval=made)


def icc(ratings: np.ndarray) -> Figure:
    """Intraclass correlation of single ratings, readers and cases both random, ICC(2,1).

    The example is that of Shrout and Fleiss (1979, "Intraclass correlations: uses in assessing
    rater reliability"), table 2, where ICC(2,1) is 0.29:

    >>> ratings = np.array([[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4],
    ...                     [8, 2, 8, 6, 9, 7]], dtype=float)
    >>> round(icc(ratings).value, 2)
    0.29
    """
    readers, cases = ratings.shape
    reported = pd.DataFrame({
        "reader": np.repeat(np.arange(readers), cases), "case": np.tile(np.arange(cases), readers),
        "rating": ratings.ravel(),
    })  # fmt: skip
    if not np.isfinite(ratings).all() or np.ptp(ratings) == 0 or readers < 2 or cases < 5:
        return counted(float("nan"), "", cases, "cases", "undefined")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = pingouin.intraclass_corr(reported, "case", "reader", "rating")
    row = table.iloc[1]
    low, high = (float(end) for end in row[next(name for name in table if "CI95" in name)])
    if not np.isfinite([low, high]).all():
        return counted(float(row["ICC"]), "", cases, "cases", "undefined")
    made = "that of an analysis of variance, readers and cases random"
    return Figure(float(row["ICC"]), "", cases, (low, high), counts="cases", interval=made)
