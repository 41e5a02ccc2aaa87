"""A figure: a value with its unit, how many of what are behind it, and its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Figure:
    """One number of a result.

    Attributes:
        value: the number.
        unit: of value, interval and SD.
        n: how many are behind it.
        counts: what `n` counts, such as cases; results of earlier versions do not say.
        ci95: its 95 % interval, `None` where there is none to give.
        interval: how the interval was made, or why there is none.
        sd: standard deviation of the values that a mean was taken of.
        sd_over: what the values of the SD belong to, such as cases.
    """

    value: float
    unit: str
    n: int
    ci95: tuple[float, float] | None = None
    sd: float | None = None
    counts: str = ""
    interval: str = ""
    sd_over: str = ""

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

    @property
    def size(self) -> str:
        """How many of what are behind the value.

        >>> Figure(6.234, "mL", 40, counts="patients").size, Figure(1, "", 4, counts="").size
        ('n = 40 patients', 'n = 4')
        """
        return f"n = {self.n} {self.counts}".rstrip()

    @property
    def account(self) -> str:
        """What stands behind the value, in one line, as far as it is known.

        >>> Figure(6.2, "mL", 9, (5, 7), 1.0, "cases", "Student's over cases", "cases").account
        "n = 9 cases; 95 % interval: Student's over cases; SD over cases"
        """
        parts = [self.size]
        if self.interval:
            parts.append(f"95 % interval: {self.interval}")
        if self.sd is not None and self.sd_over:
            parts.append(f"SD over {self.sd_over}")
        return "; ".join(parts)


def counted(value: float, unit: str, n: int, counts: str, why: str = "a count") -> Figure:
    """A value without an interval, and why it has none.

    >>> counted(3, "copies", 160, "cases").interval
    'none: a count'
    """
    return Figure(float(value), unit, n, counts=counts, interval=f"none: {why}")


def digits(value: float, count: int = 3) -> str:
    """A number by its leading digits; whole numbers of four and more digits in full.

    >>> digits(6.234), digits(0.00012), digits(1234.5), digits(150.0, 2)
    ('6.23', '0.00012', '1234', '150')
    """
    return f"{value:.0f}" if abs(value) >= 10**count else f"{value:.{count}g}"
