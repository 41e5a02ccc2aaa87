"""A page as data: sections of tables, pictures and text, which one template lays out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from vesalius.evidence.figure import Figure, digits
from vesalius.evidence.results import Results

Cell = Figure | str | None


@dataclass(frozen=True)
class Table:
    """A table of figures.

    Attributes:
        columns: their heads.
        rows: name, and a figure, text or nothing for each column.
        head: of the first column.
        note: below the table.
        units: whether units stand in the cells.
    """

    kind: ClassVar[str] = "table"
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    head: str = ""
    note: str = ""
    units: bool = False

    @property
    def texts(self) -> list[list[str]]:
        """What stands in each row, its name first."""
        return [[name, *(self._text(cell) for cell in cells)] for name, cells in self.rows]

    @property
    def accounts(self) -> list[list[tuple[str, str]]]:
        """Text and account of each cell, row by row, the name of the row first."""
        told = [
            ["", *(cell.account if isinstance(cell, Figure) else "" for cell in cells)]
            for _, cells in self.rows
        ]
        pairs = zip(self.texts, told, strict=True)
        return [list(zip(texts, own, strict=True)) for texts, own in pairs]

    @property
    def markdown(self) -> list[str]:
        """Its lines in Markdown.

        >>> Table(("value",), (("error", (Figure(6.2, "mL", 40),)),), units=True).markdown
        ['| | value |', '|---|---|', '| error | 6.2 mL |']
        """
        head = ["| " + " | ".join((self.head, *self.columns)) + " |", "|---" * self._width + "|"]
        return [line.replace("|  |", "| |", 1) for line in head] + [
            "| " + " | ".join(row) + " |" for row in self.texts
        ]

    @property
    def _width(self) -> int:
        return len(self.columns) + 1

    def _text(self, cell: Cell) -> str:
        if isinstance(cell, Figure) and self.units:
            return str(cell)
        return cell if isinstance(cell, str) else shown(cell)


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI; left out while it is empty."""

    kind: ClassVar[str] = "picture"
    source: str
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side."""

    kind: ClassVar[str] = "pictures"
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Text:
    """A paragraph, and a list below it."""

    kind: ClassVar[str] = "text"
    text: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stack:
    """Pictures of one size that are paged through by a slider; left out while there are none."""

    kind: ClassVar[str] = "stack"
    frames: tuple[str, ...]
    alt: str
    caption: str = ""

    @property
    def source(self) -> str:
        """The picture shown first, as a data URI."""
        return self.frames[len(self.frames) // 2] if self.frames else ""


@dataclass(frozen=True)
class Wiper:
    """A picture before an edit and one after it, uncovered by a slider."""

    kind: ClassVar[str] = "wiper"
    before: str
    after: str
    alt: str
    caption: str = ""

    @property
    def source(self) -> str:
        """The picture before the edit."""
        return self.before


Part = Table | Picture | Pictures | Stack | Text | Wiper


@dataclass(frozen=True)
class Section:
    """What stands below one heading, of level 2 or 3."""

    title: str
    parts: tuple[Part, ...]
    level: int = 2


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: of the page.
        results: whose machine, versions and seconds stand at its end once it is finished.
        sections: in their order; those without parts are left out.
        conclusions: sentences at the top.
        limits: sentences at the end.
        phantoms: whether it rests on phantoms.
        phantom_note: what is said of them.
        finished: whether everything is there that will be.
    """

    title: str
    results: Results
    sections: Sequence[Section]
    conclusions: Sequence[str] = ()
    limits: Sequence[str] = ()
    phantoms: bool = True
    phantom_note: str = (
        "“Real” below means a phantom, built by construction; what holds for phantoms need not "
        "hold for patients."
    )
    finished: bool = True

    @property
    def questions(self) -> list[str]:
        """What was asked before the first stage, and whether that was changed."""
        notes = self.results.notes
        own = [notes, *(one for one in notes.values() if isinstance(one, dict))]
        asked = (one["prespecified"] for one in own if one.get("prespecified"))
        return [
            f"{one['question']} {_kept(one['digest'], one['changed'])}" for one in asked
        ]  # fmt: skip

    @property
    def contents(self) -> list[tuple[int, str]]:
        """Number and title of each section of the first level that has parts."""
        shown = (one for one in self.sections if one.parts)
        return [(row, one.title) for row, one in enumerate(shown, 1) if one.level == 2]

    @property
    def seconds(self) -> dict[str, Figure]:
        """How long each stage took, by its subject and name."""
        parted = ((key.split("/"), figure) for key, figure in self.results.figures.items())
        return {
            " ".join([*parts[:-2], parts[-1].replace("_", " ")]): figure
            for parts, figure in parted
            if parts[-2:-1] == ["seconds"] and not parts[-1].startswith("volume_")
        }


def _kept(digest: str, changed: str) -> str:
    if changed:
        return f"(Changed: {changed}.)"
    return f"(Written down before the first stage: prespecified.md, {digest}.)"


def section(title: str, *parts: Part | None, level: int = 2) -> Section:
    """A section of the parts that are there: no empty picture, and no table without rows."""
    kept = (
        part for part in parts
        if part and getattr(part, "source", True) and getattr(part, "rows", True)
    )  # fmt: skip
    return Section(title, tuple(kept), level)


def grid(
    figures: Mapping[str, Figure], rows: Mapping[str, str] | Iterable[str],
    columns: Mapping[str, str], head: str = "", note: str = "", units: bool = False,
) -> Table:  # fmt: skip
    """A table of figures by their names; rows without any figure are left out.

    Args:
        figures: by name.
        rows: by their heads what stands for them in names of figures; the same if no mapping.
        columns: by their heads the names of figures, with `{row}` in the place of the row.
        head: of the first column.
        note: below the table.
        units: whether units stand in the cells.

    >>> figures = {"a/auc": Figure(0.9, "", 5), "b/auc": Figure(0.8, "", 5)}
    >>> grid(figures, ["a", "b", "c_d"], {"AUC": "{row}/auc"}).texts
    [['a', '0.9'], ['b', '0.8']]
    """
    named = rows if isinstance(rows, Mapping) else {one.replace("_", " "): one for one in rows}
    result = (
        (name, tuple(figures.get(column.replace("{row}", row)) for column in columns.values()))
        for name, row in named.items()
    )
    kept = tuple((name, cells) for name, cells in result if any(cells))
    return Table(tuple(columns), kept, head, note, units)


def names(figures: Mapping[str, Figure], pattern: str) -> list[str]:
    """What stands for `{}` in the names of figures that are of a pattern; it holds no `/`.

    >>> names({"utility/real/dice": 1, "utility/real/dice/small": 1, "x": 1}, "utility/{}/dice")
    ['real']
    """
    start, _, end = pattern.partition("{}")
    result = (
        key.removeprefix(start).removesuffix(end) for key in figures
        if key.startswith(start) and key.endswith(end) and len(key) > len(start) + len(end)
    )  # fmt: skip
    return list(dict.fromkeys(one for one in result if "/" not in one))


def figures_table(figures: Mapping[str, Figure]) -> Table:
    """All figures, one a row.

    >>> figures_table({"error": Figure(6.234, "mL", 40, (5.1, 7.4), counts="cases")}).texts
    [['error', '6.23 mL [5.1, 7.4]', '40 cases']]
    """
    rows = tuple(
        (name, (str(figure), figure.size.removeprefix("n = "))) for name, figure in figures.items()
    )
    return Table(("value [95 % interval]", "n"), rows, "figure")


def shown(figure: Figure | None) -> str:
    """A figure in words, without its unit; a number of cases among how many; no SD of zero.

    >>> shown(Figure(6.234, "mL", 40, (5.1, 7.4), 4.3)), shown(Figure(1200, "", 1)), shown(None)
    ('6.23 ± 4.3 [5.1, 7.4]', '1200', '–')
    >>> shown(Figure(2, "cases", 160))
    '2 of 160'
    """
    if figure is None:
        return "–"
    if figure.unit == "cases":
        return f"{figure.value:.0f} of {figure.n}"
    std = "" if not figure.sd else f" ± {digits(figure.sd, 2)}"
    return f"{digits(figure.value)}{std}{figure.bounds}"


def figures_of(figures: Mapping[str, Figure], subject: str) -> dict[str, Figure]:
    """The figures of one organ or kind of data without its name in front.

    >>> figures_of({"breast/reconstruction/psnr": 1, "chest/reconstruction/psnr": 2}, "chest")
    {'reconstruction/psnr': 2}
    """
    start = f"{subject}/"
    return {key[len(start) :]: f for key, f in figures.items() if key.startswith(start)}
