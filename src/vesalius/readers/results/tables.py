"""The figures of a study as the tables in which such studies are published."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from vesalius.evidence.figure import Figure
from vesalius.readers.design import Kind
from vesalius.report.sections import Section, Table, section

MEASURES = ("sensitivity", "specificity", "auc")
AGREEMENT = ("alpha", "icc", "same_again", "alpha_again")
WORDS = {
    "auc": "AUC", "icc": "ICC(2,1)", "alpha": "Krippendorff's alpha", "p_holm": "p (Holm)",
    "same_again": "same answer again", "alpha_again": "alpha, again",
}  # fmt: skip

Titled = tuple[str, Table]


def tables_of(kind: Kind, figures: Mapping[str, Figure]) -> list[Section]:
    """What a design is asked for, then each reader, then how far readers agree.

    >>> one = {"origin/sensitivity": Figure(0.6, "", 9), "origin/specificity": Figure(0.5, "", 9)}
    >>> [(each.title, each.parts[0].texts) for each in tables_of("realism", one)]
    [('Found out?', [['all readers', '0.6', '0.5']])]
    """
    every = (section(title, table) for title, table in _TABLES[kind](figures))
    return [one for one in every if one.parts]


def _realism(figures: Mapping[str, Figure]) -> list[Titled]:
    every = {"all readers": "origin"} | {one: f"{one}/origin" for one in _readers(figures)}
    origins = ("real", "synthetic", "synthetic_minus_real")
    ratings = _middles(figures, "real/", "") | _middles(figures, "synthetic/", "")
    return [
        _table("Found out?", figures, every, MEASURES[:2], "{row}/{column}"),
        _table("Ratings, 1 to 5", figures, ratings, origins, "{column}/{row}"),
        _agreement(figures),
    ]


def _saliency(figures: Mapping[str, Figure]) -> list[Titled]:
    rated = _middles(figures, "", "/usefulness")
    methods = [name for name in rated if "_minus_" not in name]
    every = {"all readers": ""} | {one: f"{one}/" for one in _readers(figures)}
    pairs = {name: name for name in rated if "_minus_" in name}
    return [
        _table("Usefulness, 0 to 5", figures, every, methods, "{row}{column}/usefulness"),
        _table("Differences", figures, pairs, ("usefulness", "p_holm"), "{row}/{column}"),
        _agreement(figures),
    ]


def _diagnosis(figures: Mapping[str, Figure]) -> list[Titled]:
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


_TABLES: dict[Kind, Callable[[Mapping[str, Figure]], list[Titled]]] = {
    "realism": _realism, "saliency": _saliency, "diagnosis": _diagnosis,
}  # fmt: skip


def _agreement(figures: Mapping[str, Figure], title: str = "Agreement") -> Titled:
    names = {name.split("/")[1]: None for name in figures if name.startswith("agreement/")}
    rows = {name: name for name in names}
    return _table(title, figures, rows, AGREEMENT, "agreement/{row}/{column}")


def _table(
    title: str, figures: Mapping[str, Figure], rows: Mapping[str, str], columns: Sequence[str],
    name: str,
) -> Titled:  # fmt: skip
    """Rows by what they are called and stand for, under a heading; two may be called alike."""
    cells = (
        (_words(reported), tuple(figures.get(name.replace("{column}", column).replace("{row}", row))
                                 for column in columns))
        for reported, row in rows.items()
    )  # fmt: skip
    kept = tuple((reported, own) for reported, own in cells if any(own))
    return title, Table(tuple(_words(one) for one in columns), kept, units=True)


def _readers(figures: Mapping[str, Figure]) -> list[str]:
    return list({name.split("/")[0]: None for name in figures if name.startswith("reader_")})


def _middles(figures: Mapping[str, Figure], start: str, end: str) -> dict[str, str]:
    """What stands alone between a start and an end of names."""
    result = [
        name.removeprefix(start).removesuffix(end) for name in figures
        if name.startswith(start) and name.endswith(end)
    ]  # fmt: skip
    return {one: one for one in result if "/" not in one}


def _words(name: str) -> str:
    return ", ".join(WORDS.get(part, part.replace("_", " ")) for part in name.split("/"))
