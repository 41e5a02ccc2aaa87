"""What is said of one arm against every rival that was measured, the strongest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vesalius.evidence.figure import Figure, digits
from vesalius.report.sections import shown
from vesalius.report.verdict import verdict


@dataclass(frozen=True)
class Rival:
    """An arm that another is held against.

    Attributes:
        name: in words.
        own: its figure.
        gap: of the other arm minus this one, paired; `None` where it was not measured.
    """

    name: str
    own: Figure
    gap: Figure | None


def rivals_of(
    figures: Mapping[str, Figure], own: str, gap: str, names: Mapping[str, str]
) -> list[Rival]:
    """The rivals that were measured.

    Args:
        figures: by name.
        own: name of a rival's figure, with `{}` for the rival.
        gap: name of the difference to it.
        names: of rivals in figures, and in words.
    """
    return [
        Rival(words, figures[own.format(name)], figures.get(gap.format(name)))
        for name, words in names.items()
        if own.format(name) in figures
    ]


def against_rivals(
    ours: str, by: str, own: Figure | None, rivals: list[Rival], lower: bool = False,
    margin: float = 0.0,
) -> list[str]:  # fmt: skip
    """One sentence, or none: how an arm stands to each rival, the strongest first.

    Args:
        ours: the arm.
        by: what is compared.
        own: figure of the arm.
        rivals: that it is held against.
        lower: whether the lower figure is the better one.
        margin: loss that counts as none.

    >>> rivals = [
    ...     Rival("weak", Figure(0.5, "", 9), Figure(0.2, "", 9, (0.1, 0.3))),
    ...     Rival("strong", Figure(0.9, "", 9), Figure(-0.2, "", 9, (-0.3, -0.1))),
    ...     Rival("unpaired", Figure(0.3, "", 9), None),
    ... ]
    >>> print(against_rivals("Ours", "AUC", Figure(0.7, "", 9), rivals)[0])
    Ours, by AUC (0.7), against its rivals, the strongest first: worse than strong (0.9; -0.2
    [-0.3, -0.1]), better than weak (0.5; 0.2 [0.1, 0.3]), beside unpaired (0.3; not paired).
    """
    if not any(one.gap and one.gap.ci95 for one in rivals):
        return []
    ordered = sorted(rivals, key=lambda one: one.own.value, reverse=not lower)
    said = (
        f"{_standing(one, lower, margin)} {one.name} ({digits(one.own.value)}; "
        f"{shown(one.gap) if one.gap else 'not paired'})"
        for one in ordered
    )
    value = f" ({digits(own.value)})" if own else ""
    several = "its rivals, the strongest first" if len(ordered) > 1 else "its rival"
    return [f"{ours}, by {by}{value}, against {several}: {', '.join(said)}."]


def _standing(one: Rival, lower: bool, margin: float) -> str:
    above, below = ("worse than", "better than") if lower else ("better than", "worse than")
    within = "no worse than" if margin and not lower else ""
    return verdict(one.gap, above, below, "not better than", margin, within) or "beside"
