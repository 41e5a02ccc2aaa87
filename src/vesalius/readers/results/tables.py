"""The figures of a study as the tables in which such studies are published."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vesalius.evidence.figure import Figure
from vesalius.readers.design import Kind

MEASURES = ("sensitivity", "specificity", "auc")
AGREEMENT = ("alpha", "icc", "same_again", "alpha_again")
WORDS = {
    "auc": "AUC", "icc": "ICC(2,1)", "alpha": "Krippendorff's alpha", "p_holm": "p (Holm)",
    "same_again": "same answer again", "alpha_again": "alpha, again",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table of figures.

    Attributes:
        title, columns: of it.
        rows: name, and a figure or none for each column.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Figure | None, ...]], ...]


def tables_of(kind: Kind, figures: Mapping[str, Figure]) -> list[Table]:
    """What a design is asked for, then each reader, then how far readers agree.

    >>> one = {"origin/sensitivity": Figure(0.6, "", 9), "origin/specificity": Figure(0.5, "", 9)}
    >>> [(table.title, [name for name, _ in table.rows]) for table in tables_of("realism", one)]
    [('Found out?', ['all readers'])]
    """
    return [table for table in _TABLES[kind](figures) if table.rows]


def _realism(figures: Mapping[str, Figure]) -> list[Table]:
    every = {"all readers": "origin"} | {one: f"{one}/origin" for one in _readers(figures)}
    origins = ("real", "synthetic", "synthetic_minus_real")
    ratings = _middles(figures, "real/", "") | _middles(figures, "synthetic/", "")
    return [
        _table("Found out?", figures, every, MEASURES[:2], "{row}/{column}"),
        _table("Ratings, 1 to 5", figures, ratings, origins, "{column}/{row}"),
        _agreement(figures),
    ]


def _saliency(figures: Mapping[str, Figure]) -> list[Table]:
    rated = _middles(figures, "", "/usefulness")
    methods = [name for name in rated if "_minus_" not in name]
    every = {"all readers": ""} | {one: f"{one}/" for one in _readers(figures)}
    pairs = {name: name for name in rated if "_minus_" in name}
    return [
        _table("Usefulness, 0 to 5", figures, every, methods, "{row}{column}/usefulness"),
        _table("Differences", figures, pairs, ("usefulness", "p_holm"), "{row}/{column}"),
        _agreement(figures),
    ]


def _diagnosis(figures: Mapping[str, Figure]) -> list[Table]:
    compared = {name: name for name in MEASURES}
    columns = ("unaided", "aided", "aided_minus_unaided")
    each = {one: one for one in _readers(figures)}
    both = [f"{condition}/{name}" for condition in columns[:2] for name in MEASURES]
    reported = {f"aided_minus_unaided/{name}_p": f"p/{name}" for name in MEASURES}
    named = {reported.get(name, name): figure for name, figure in figures.items()}
    return [
        _table("With and without the aid", named, compared, (*columns, "p"), "{column}/{row}"),
        _table("Each reader", figures, each, both, "{row}/{column}"),
        _agreement(figures, "Agreement: alpha of decisions, ICC of confidence with its sign"),
    ]


_TABLES: dict[Kind, Callable[[Mapping[str, Figure]], list[Table]]] = {
    "realism": _realism, "saliency": _saliency, "diagnosis": _diagnosis,
}  # fmt: skip


def _agreement(figures: Mapping[str, Figure], title: str = "Agreement") -> Table:
    names = {name.split("/")[1]: None for name in figures if name.startswith("agreement/")}
    rows = {name: name for name in names}
    return _table(title, figures, rows, AGREEMENT, "agreement/{row}/{column}")


def _table(
    title: str, figures: Mapping[str, Figure], rows: Mapping[str, str], columns: Sequence[str],
    name: str,
) -> Table:  # fmt: skip
    """Rows by what they are called and stand for; those without any figure are left out."""
    found = (
        (_words(reported), tuple(figures.get(name.format(row=row, column=one)) for one in columns))
        for reported, row in rows.items()
    )
    kept = tuple((reported, own) for reported, own in found if any(own))
    return Table(title, tuple(_words(one) for one in columns), kept)


def _readers(figures: Mapping[str, Figure]) -> list[str]:
    return list({name.split("/")[0]: None for name in figures if name.startswith("reader_")})


def _middles(figures: Mapping[str, Figure], start: str, end: str) -> dict[str, str]:
    """What stands alone between a start and an end of names."""
    found = [
        name.removeprefix(start).removesuffix(end) for name in figures
        if name.startswith(start) and name.endswith(end)
    ]  # fmt: skip
    return {one: one for one in found if "/" not in one}


def _words(name: str) -> str:
    return ", ".join(WORDS.get(part, part.replace("_", " ")) for part in name.split("/"))
