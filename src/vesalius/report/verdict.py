"""What an interval allows to be said: written once, and the same everywhere."""

from __future__ import annotations

from vesalius.evidence.figure import Figure


def verdict(
    figure: Figure | None, above: str, below: str, neither: str, margin: float = 0.0,
    within: str = "",
) -> str:  # fmt: skip
    """One of the given words for a difference, by where its 95 % interval lies.

    Args:
        figure: a difference; without an interval nothing is said.
        above: where the whole interval lies above 0.
        below: where it lies below.
        neither: where it holds 0.
        margin: by how much it may fall below 0 and still not be worse.
        within: instead of `neither`, where it holds 0 and does not reach below −margin.

    >>> gains = [Figure(0.5, "", 9, ends) for ends in ((0.1, 0.9), (-0.9, -0.1), (-0.1, 0.9))]
    >>> [verdict(gain, "raises", "lowers", "does not measurably change") for gain in gains]
    ['raises', 'lowers', 'does not measurably change']
    >>> near = Figure(0.0, "", 9, (-0.005, 0.1))
    >>> verdict(near, "wins", "loses", "cannot say", margin=0.01, within="is no worse")
    'is no worse'
    >>> verdict(Figure(0.0, "", 2), "wins", "loses", "cannot say")
    ''
    """
    if figure is None or figure.ci95 is None:
        return ""
    low, high = figure.ci95
    if low > 0:
        return above
    if high < 0:
        return below
    return within if within and low >= -margin else neither
