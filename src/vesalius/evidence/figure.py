"""A figure: a value with its unit, the number of cases behind it, and its uncertainty."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter
from scipy import stats

from vesalius import __version__
from vesalius.evidence.provenance import Code
from vesalius.scans.formats.json_file import read_json
from vesalius.scans.writing import write_text

RESAMPLES, FORMAT = 2000, 1


@dataclass(frozen=True)
class Figure:
    """One number of a result. `ci95` is its 95 % interval, `None` where there is none to give."""

    value: float
    unit: str
    n: int
    ci95: tuple[float, float] | None = None
    sd: float | None = None

    @property
    def sound(self) -> bool:
        """Whether the value is a number; a rank correlation of constant values is none."""
        return bool(np.isfinite(self.value))

    def __str__(self) -> str:
        """Three significant digits and the interval.

        >>> print(Figure(6.234, "mL", 40, (5.1, 7.4)))
        6.23 mL [5.1, 7.4]
        """
        return f"{digits(self.value)}{' ' + self.unit if self.unit else ''}{self.bounds}"

    @property
    def bounds(self) -> str:
        """The interval in brackets, if there is one."""
        if self.ci95 is None:
            return ""
        return f" [{digits(self.ci95[0])}, {digits(self.ci95[1])}]"


def digits(value: float, count: int = 3) -> str:
    """A number by its leading digits; whole numbers of four and more digits in full.

    >>> digits(6.234), digits(0.00012), digits(1234.5), digits(150.0, 2)
    ('6.23', '0.00012', '1234', '150')
    """
    return f"{value:.0f}" if abs(value) >= 10**count else f"{value:.{count}g}"


def bootstrapped(
    columns: Sequence[np.ndarray], statistic: Callable[..., float], unit: str, seed: int = 0
) -> Figure:
    """A statistic of paired columns, each `(N,)`, with its percentile bootstrap interval.

    Cases are sampled with replacement, all columns of a case together (Efron and Tibshirani 1993).

    >>> figure = bootstrapped([np.arange(100.0)], np.mean, "mL")
    >>> figure.value, figure.n, figure.ci95[0] < 49.5 < figure.ci95[1]
    (49.5, 100, True)
    """
    count = len(columns[0])
    value = float(statistic(*columns))
    if count < 2 or all(np.ptp(column) == 0 for column in columns):
        return Figure(value, unit, count, None)
    result = stats.bootstrap(
        tuple(columns), statistic, paired=True, vectorized=False, n_resamples=RESAMPLES,
        method="percentile", rng=np.random.default_rng(seed),
    )  # fmt: skip
    low, high = result.confidence_interval
    interval = (float(low), float(high)) if np.isfinite([low, high]).all() else None
    return Figure(value, unit, count, interval)


def jackknifed(
    columns: Sequence[np.ndarray], statistic: Callable[..., float], unit: str, groups: int = 20
) -> Figure:
    """A statistic of independent sets of cases with its grouped jackknife interval.

    For statistics that resampling with replacement would bias, such as distances between
    distributions: each set loses one of its `groups` in turn, and the variances add up (Efron and
    Tibshirani 1993, chapter 11). The interval is ± 1.96 standard errors.

    Args:
        columns: one `(N, ...)` for each set.
        statistic: of as many arrays.
        unit: of the value.
        groups: into which each set is parted.

    >>> sample = np.random.default_rng(0).normal(size=400)
    >>> figure = jackknifed([sample], np.mean, "mL")
    >>> round((figure.ci95[1] - figure.value) / 1.96 * 20, 1)   # about 1, the std of the sample
    1.0
    """
    value = statistic(*columns)
    smallest = min(len(column) for column in columns)
    if smallest < 4:
        return Figure(float(value), unit, smallest, None)
    variance = 0.0
    for index, column in enumerate(columns):
        count = min(groups, len(column))
        place = np.arange(len(column)) % count
        left = np.array([
            statistic(*[c[place != g] if i == index else c for i, c in enumerate(columns)])
            for g in range(count)
        ])  # fmt: skip
        variance += (count - 1) / count * float(((left - left.mean()) ** 2).sum())
    reach = 1.96 * variance**0.5
    return Figure(float(value), unit, smallest, (float(value - reach), float(value + reach)))


def ratio_of_means(values: np.ndarray, reference: np.ndarray) -> Figure:
    """Mean of `(N,)` over the mean of a reference `(M,)`, neither negative, with its jackknife.

    >>> ratio_of_means(np.full(8, 3.0), np.full(8, 2.0)).value
    1.5
    """

    def ratio(own: np.ndarray, other: np.ndarray) -> float:
        return float(own.mean() / max(float(other.mean()), 1e-12))

    return jackknifed([values, reference], ratio, "")


def mean_figure(values: np.ndarray, unit: str) -> Figure:
    """Mean and SD of `(N,)` values with the bootstrap interval of the mean."""
    result = bootstrapped([values], np.mean, unit)
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Figure(result.value, unit, result.n, result.ci95, std)


def student_mean(values: np.ndarray, unit: str) -> Figure:
    """Mean of values or paired differences `(N,)` with Student's interval, as suits a few of them.

    Two tell next to nothing of their spread, so fewer than three have no interval.

    >>> student_mean(np.array([0.01, 0.03, 0.02, 0.02]), "Dice")
    Figure(value=0.02, unit='Dice', n=4, ci95=(0.007..., 0.032...), sd=0.008...)
    """
    count, value = len(values), float(np.mean(values))
    std = float(np.std(values, ddof=1)) if count > 1 else None
    if std is None or count < 3:
        return Figure(value, unit, count, None, std)
    reach = float(stats.t.ppf(0.975, count - 1)) * std / count**0.5
    return Figure(value, unit, count, (value - reach, value + reach), std)


def versions() -> dict[str, str]:
    """Of this package and of what its figures rest on."""
    result = {"vesalius": __version__, "python": platform.python_version()}
    for name in (
        "torch",
        "monai",
        "numpy",
        "scipy",
        "nibabel",
        "nilearn",
        "fastrad",
        "frd-score",
        "nnunetv2",
    ):
        try:
            result[name] = version(name)
        except PackageNotFoundError:
            continue
    return result


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {"system": platform.platform(), "cores": os.cpu_count()}


@dataclass
class Results:
    """What an experiment measured: figures by name, and what they were measured with.

    `code` is that by which all of them were measured, if it is known; `code_changed` says since
    when, and why, it is no longer that of the house.
    """

    protocol: str
    preset: str
    seed: int
    rests_on_phantoms: bool
    figures: dict[str, Figure]
    notes: dict[str, Any]
    versions: dict[str, str] = field(default_factory=versions)
    machine: dict[str, Any] = field(default_factory=machine)
    code: Code | None = None
    code_changed: dict[str, str] | None = None

    def write(self, folder: Path) -> Path:
        """Write `results.json`."""
        sound = {name: figure for name, figure in self.figures.items() if figure.sound}
        content = {
            "format": FORMAT,
            "protocol": self.protocol,
            "preset": self.preset,
            "seed": self.seed,
            "rests_on_phantoms": self.rests_on_phantoms,
            "figures": {name: asdict(figure) for name, figure in sound.items()},
            "notes": self.notes | {"undefined": sorted(set(self.figures) - set(sound))},
            "versions": self.versions,
            "machine": self.machine,
            "code": None if self.code is None else asdict(self.code),
            "code_changed": self.code_changed,
        }
        path = folder / "results.json"
        write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
        return path

    @classmethod
    def read(cls, folder: Path) -> Results:
        """What `write` wrote into a folder."""
        return cls.of_file(folder / "results.json")

    @classmethod
    def of_file(cls, path: Path) -> Results:
        """Read a file of results, or refuse what is none."""
        result = read_json(path, TypeAdapter(cls), "run the command again", FORMAT)
        result.notes.pop("undefined", None)  # it is found anew whenever they are written
        return result
