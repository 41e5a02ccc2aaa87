"""How figures come by their intervals: each by what its values are and what they hang on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from vesalius.evidence.figure import Figure, counted

RESAMPLES = 2000


def bootstrapped(
    columns: Sequence[np.ndarray], statistic: Callable[..., float], unit: str, counts: str,
    seed: int = 0,
) -> Figure:  # fmt: skip
    """A statistic of paired columns, each `(N,)`, with its percentile bootstrap interval.

    Rows are sampled with replacement, all columns of a row together (Efron and Tibshirani 1993).

    Args:
        columns: a row for each of what `counts` says.
        statistic: of the columns.
        unit: of the value.
        counts: what a row stands for, such as cases; what hangs together belongs into one row.
        seed: of the resamples.

    >>> figure = bootstrapped([np.arange(100.0)], np.mean, "mL", "cases")
    >>> figure.value, figure.size, figure.ci95[0] < 49.5 < figure.ci95[1]
    (49.5, 'n = 100 cases', True)
    """
    count = len(columns[0])
    value = float(statistic(*columns))
    if count < 2 or all(np.ptp(column) == 0 for column in columns):
        return counted(value, unit, count, counts, "all values are alike")
    result = stats.bootstrap(
        tuple(columns), statistic, paired=True, vectorized=False, n_resamples=RESAMPLES,
        method="percentile", rng=np.random.default_rng(seed),
    )  # fmt: skip
    low, high = result.confidence_interval
    if not np.isfinite([low, high]).all():
        return counted(value, unit, count, counts, "undefined in some resamples")
    made = f"percentile bootstrap over {counts}, {RESAMPLES} resamples"
    return Figure(value, unit, count, (float(low), float(high)), counts=counts, interval=made)


def jackknifed(
    columns: Sequence[np.ndarray], statistic: Callable[..., float], unit: str, counts: str,
    groups: int = 20, bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Figure:  # fmt: skip
    """A statistic of independent sets of cases with its grouped jackknife interval.

    For statistics that resampling with replacement would bias, such as distances between
    distributions: each set loses one of its `groups` in turn, and the variances add up (Efron and
    Tibshirani 1993, chapter 11). The interval is ± 1.96 standard errors.

    Args:
        columns: one `(N, ...)` for each set.
        statistic: of as many arrays.
        unit: of the value.
        counts: what a row stands for; n is that of the smallest set.
        groups: into which each set is parted.
        bounds: that no value can pass, and no interval either.

    >>> sample = np.random.default_rng(0).normal(size=400)
    >>> figure = jackknifed([sample], np.mean, "mL", "cases")
    >>> round((figure.ci95[1] - figure.value) / 1.96 * 20, 1)   # about 1, the std of the sample
    1.0
    """
    value = statistic(*columns)
    smallest = min(len(column) for column in columns)
    if smallest < 4:
        return counted(value, unit, smallest, counts, "fewer than four")
    variance = 0.0
    for index, column in enumerate(columns):
        count = min(groups, len(column))
        place = np.arange(len(column)) % count
        left = np.array([
            statistic(*[c[place != g] if i == index else c for i, c in enumerate(columns)])
            for g in range(count)
        ])  # fmt: skip
        variance += (count - 1) / count * float(((left - left.mean()) ** 2).sum())
    if not np.isfinite(variance):
        return counted(value, unit, smallest, counts, "undefined without some of them")
    reach = 1.96 * variance**0.5
    low, high = (float(np.clip(value + side * reach, *bounds)) for side in (-1, 1))
    made = f"jackknife over {min(groups, smallest)} groups of {counts}, ± 1.96 SE"
    return Figure(float(value), unit, smallest, (low, high), counts=counts, interval=made)


def ratio_of_means(values: np.ndarray, reference: np.ndarray, counts: str) -> Figure:
    """Mean of `(N,)` over the mean of a reference `(M,)`, neither negative, with its jackknife.

    >>> ratio_of_means(np.full(8, 3.0), np.full(8, 2.0), "cases").value
    1.5
    """

    def ratio(own: np.ndarray, other: np.ndarray) -> float:
        return float(own.mean() / max(float(other.mean()), 1e-12))

    return jackknifed([values, reference], ratio, "", counts, bounds=(0.0, np.inf))


def mean_figure(values: np.ndarray, unit: str, counts: str) -> Figure:
    """Mean and SD of `(N,)` values, one for each of what `counts` says, with a bootstrap interval.

    >>> figure = mean_figure(np.array([1.0, 2.0, 3.0]), "mL", "cases")
    >>> figure.value, figure.sd, figure.sd_over
    (2.0, 1.0, 'cases')
    """
    result = bootstrapped([values], np.mean, unit, counts)
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return replace(result, sd=std, sd_over=counts if std is not None else "")


def crossed_mean(table: np.ndarray, unit: str, counts: str, seed: int = 0) -> Figure:
    """Mean of `(S, N)` values of N of what `counts` says under S trainings, both taken anew.

    Of one training it is `mean_figure`. The SD is over what `counts` says, of the means over
    trainings.

    >>> table = np.arange(40.0)[None] + np.array([[0.0], [30.0], [60.0]])
    >>> alone, crossed = crossed_mean(table[1:2], "mL", "cases"), crossed_mean(table, "mL", "cases")
    >>> alone.value == crossed.value, crossed.ci95[1] - crossed.ci95[0] > 2 * (
    ...     alone.ci95[1] - alone.ci95[0])
    (True, True)
    """
    trainings, count = table.shape
    if trainings == 1:
        return mean_figure(table[0], unit, counts)
    means = table.mean(axis=0)
    std = float(means.std(ddof=1)) if count > 1 else None
    value, over = float(means.mean()), counts if std is not None else ""
    if np.ptp(table) == 0 or count < 2:
        return replace(counted(value, unit, count, counts, "all values are alike"), sd=std,
                       sd_over=over)  # fmt: skip
    rng = np.random.default_rng(seed)
    rows = rng.multinomial(trainings, np.full(trainings, 1 / trainings), RESAMPLES) / trainings
    columns = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES) / count
    low, high = np.percentile(((rows @ table) * columns).sum(axis=1), [2.5, 97.5])
    made = f"bootstrap over {counts} crossed with {trainings} trainings, {RESAMPLES} resamples"
    return Figure(value, unit, count, (float(low), float(high)), std, counts, made, over)


def clustered_mean(
    values: np.ndarray, owners: Sequence[str], unit: str, counts: str
) -> Figure:  # fmt: skip
    """Mean of `(N,)` values of which several may belong to one owner, who is taken as a whole.

    Args:
        values: of which the mean is taken, each alike.
        owners: whose each value is.
        unit: of the mean.
        counts: what owners are called, of whom there are n.

    >>> clustered_mean(np.array([0.0, 1.0, 1.0]), ["a", "b", "b"], "", "patients").size
    'n = 2 patients'
    """
    known, number = np.unique(np.array(owners, dtype=str), return_inverse=True)
    sums = np.bincount(number, np.asarray(values, float), minlength=len(known))
    sizes = np.bincount(number, minlength=len(known)).astype(float)

    def mean(sums: np.ndarray, sizes: np.ndarray) -> float:
        return float(sums.sum() / sizes.sum())

    if np.ptp(values) == 0:
        return counted(mean(sums, sizes), unit, len(known), counts, "all values are alike")
    return bootstrapped([sums, sizes], mean, unit, counts)


def proportion(yes: float, count: int, counts: str) -> Figure:
    """A share of what `counts` says, with Wilson's interval, which there is for none and for all.

    It has no SD, which would say nothing more.

    >>> print(proportion(0, 40, "cases"), proportion(8, 10, "cases"))
    0 [0, 0.0876] 0.8 [0.49, 0.943]
    """
    if not count:
        return counted(float("nan"), "", 0, counts, "nothing to count")
    low, high = stats.binomtest(int(yes), count).proportion_ci(method="wilson")
    made = f"Wilson's for a share of {counts}"
    ends = (float(low), float(high))
    return Figure(int(yes) / count, "", count, ends, counts=counts, interval=made)


def number_of(yes: int, of: int, unit: str, counts: str) -> Figure:
    """How many of what `counts` says, with Wilson's interval of the share, times their number.

    >>> print(number_of(0, 50, "faults", "inputs"))
    0 faults [0, 3.57]
    """
    share = proportion(yes, of, counts)
    ends = None if share.ci95 is None else (share.ci95[0] * of, share.ci95[1] * of)
    return replace(share, value=float(yes), unit=unit, ci95=ends)


def student_mean(
    values: np.ndarray, unit: str, counts: str, bounds: tuple[float, float] = (-np.inf, np.inf)
) -> Figure:
    """Mean of values or paired differences `(N,)` with Student's interval, as suits a few of them.

    Two tell next to nothing of their spread, so fewer than three have no interval.

    >>> figure = student_mean(np.array([0.01, 0.03, 0.02, 0.02]), "Dice", "trainings")
    >>> print(figure, "from", figure.size)
    0.02 Dice [0.00701, 0.033] from n = 4 trainings
    """
    count, value = len(values), float(np.mean(values))
    std = float(np.std(values, ddof=1)) if count > 1 else None
    if std is None or count < 3:
        few = counted(value, unit, count, counts, "fewer than three")
        return replace(few, sd=std, sd_over=counts if std is not None else "")
    reach = float(stats.t.ppf(0.975, count - 1)) * std / count**0.5
    low, high = (float(np.clip(value + side * reach, *bounds)) for side in (-1, 1))
    return Figure(value, unit, count, (low, high), std, counts, f"Student's over {counts}", counts)
