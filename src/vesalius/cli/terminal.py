"""What the terminal shows: faults and histograms; and how ranges and numbers are typed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.markup import escape
from rich.table import Table

from vesalius.api.console import console
from vesalius.scans.check import Histogram
from vesalius.scans.formats.table import read_table, write_table
from vesalius.scans.input_error import InputError, InputProblem, printable

SHOWN_FAULTS = 10


def print_faults(faults: Sequence[InputProblem], what: str = "left out") -> None:
    """Show faults, and keep all of them in `faults.csv`.

    A terminal shows the first ten in a table; elsewhere each is one plain line.
    """
    if not faults:
        return
    if console.is_terminal:
        _print_table(faults, what)
    else:
        for fault in faults:
            console.print(str(fault), soft_wrap=True, markup=False)
    console.print(f"all {len(faults)} {what}: {_kept(faults)}", soft_wrap=True)


def _print_table(faults: Sequence[InputProblem], what: str) -> None:
    table = Table(title=f"{len(faults)} {what}", title_justify="left", title_style="bold red")
    table.add_column("file", overflow="fold")
    table.add_column("fault")
    table.add_column("remedy")
    for fault in faults[:SHOWN_FAULTS]:
        table.add_row(*(escape(printable(text)) for text in _cells(fault)))
    console.print(table)


def _kept(faults: Sequence[InputProblem]) -> str:
    """Write all faults to a table in the working folder; a file of something else is left alone."""
    columns = ("file", "fault", "remedy")
    for number in range(1000):
        path = Path(f"faults{f'-{number}' if number else ''}.csv")
        try:
            if path.exists() and read_table(path, columns).columns != columns:
                continue
            write_table(path, columns, [_cells(fault) for fault in faults])
        except InputError as refusal:
            if path.exists():
                continue
            return escape(str(refusal))
        return str(path)
    return "too many files faults-*.csv lie here to write another"


def _cells(fault: InputProblem) -> tuple[str, str, str]:
    return fault.file, fault.fault, fault.remedy


def print_histogram(histogram: Histogram) -> None:
    """One attribute as bars of text; rare bins are marked."""
    console.print(f"\n[bold]{histogram.attribute}[/]")
    rare = set(histogram.rare)
    longest = max(1, int(histogram.counts.max()))
    for low, high, count in zip(
        histogram.edges, histogram.edges[1:], histogram.counts, strict=False
    ):
        bar = "█" * int(np.ceil(40 * count / longest))
        mark = "  [red]rare[/]" if (float(low), float(high)) in rare else ""
        console.print(f"  {low:8.1f} – {high:<8.1f} {count:5d} {bar}{mark}")


def parse_range(text: str, what: str) -> tuple[float, float]:
    """`20:160` as two numbers.

    >>> parse_range("20:160", "volume")
    (20.0, 160.0)
    >>> parse_range("many", "volume")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: volume: 'many' is no range; write it as 20:160
    """
    low, _, high = text.partition(":")
    try:
        pair = float(low), float(high or low)
    except ValueError:
        raise InputError(what, f"'{text}' is no range", "write it as 20:160") from None
    if not all(map(math.isfinite, pair)):
        raise InputError(what, f"'{text}' is no range of numbers", "write it as 20:160")
    if pair[0] > pair[1]:
        raise InputError(what, f"'{text}' falls", "put the smaller number first")
    return pair


def parse_grid(text: str) -> tuple[int, int, int]:
    """`64x64x32` as voxels along right, anterior and superior.

    >>> parse_grid("64x64x32")
    (64, 64, 32)
    >>> parse_grid("64")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: grid: '64' is no grid; write it as 64x64x32
    """
    sides = text.lower().replace("×", "x").split("x")
    sound = all(side.isascii() and side.isdecimal() and len(side) < 6 for side in sides)
    if len(sides) != 3 or not sound or "0" in (side.lstrip("0") or "0" for side in sides):
        raise InputError("grid", f"'{text}' is no grid", "write it as 64x64x32")
    return int(sides[0]), int(sides[1]), int(sides[2])


def parse_point(text: str | None) -> tuple[float, float, float] | None:
    """`1,2.5,4` as a point in mm.

    >>> parse_point("1,2.5,4")
    (1.0, 2.5, 4.0)
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise InputError("--at", f"'{text}' is no point", "write it as x,y,z in mm")
    return numbers[0], numbers[1], numbers[2]


def parse_numbers(text: str, what: str) -> tuple[float, ...]:
    """`1,2.5,4` as numbers.

    >>> parse_numbers("1,2.5,4", "years")
    (1.0, 2.5, 4.0)
    """
    try:
        result = tuple(float(part) for part in text.split(","))
    except ValueError:
        result = (math.nan,)
    if not all(map(math.isfinite, result)):
        raise InputError(what, f"'{text}' are no numbers", "write them as 1,2,4")
    return result


def parse_ranges(texts: Sequence[str]) -> dict[str, tuple[float, float]]:
    """`name=20:160`, several of them, as ranges by name.

    >>> parse_ranges(["ventricle_volume_ml=20:160"])
    {'ventricle_volume_ml': (20.0, 160.0)}
    """
    result = {}
    for text in texts:
        name, equals, bounds = text.partition("=")
        if not equals:
            raise InputError(text, "gives no range", "write it as name=20:160")
        result[name] = parse_range(bounds, name)
    return result
