"""Answers together with what was shown: the table that every result is made of."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.readers.answers.store import Answer, latest
from vesalius.readers.orders import StepKind
from vesalius.readers.questions import fault_in
from vesalius.readers.study import Study
from vesalius.scans.input_error import InputError


@dataclass(frozen=True)
class Reading:
    """What a reader said of an item, with what it truly was.

    Attributes:
        reader, item: numbers.
        case, truth: see `ItemKey`.
        kind, session, aided: see `Step`.
        methods: of the maps, as they were arranged.
        content: answers by question.
        seconds: looked at.
        changed: how often the answer was given again.
        subject: whose the case is; cases of one subject are alike.
        source, doubt: see `AnswerRow`.
    """

    reader: int
    item: int
    case: str
    truth: str
    kind: StepKind
    session: int
    aided: bool
    methods: tuple[str, ...]
    content: dict[str, Any]
    seconds: float
    changed: int
    subject: str = ""
    source: str = "server"
    doubt: str = ""

    @property
    def owner(self) -> str:
        """The subject, or the item where none is known: what one leaves out with its others."""
        return self.subject or f"item {self.item}"


def readings_of(study: Study, answers: Sequence[Answer]) -> list[Reading]:
    """The last answer to every step, practice too, by reader and step."""
    key, last, result = study.key(), latest(answers), []
    given: dict[tuple[int, int], int] = {}
    doubts: dict[tuple[int, int], str] = {}
    for answer in answers:
        place = answer.reader, answer.step
        given[place] = given.get(place, 0) + 1
        doubts[place] = "; ".join(filter(None, (doubts.get(place, ""), answer.doubt)))
    orders = [study.steps(reader) for reader in range(study.readers)]
    requested = study.outline.questions
    for (reader, step), answer in last.items():
        known = 0 <= reader < len(orders) and 0 <= step < len(orders[reader])
        fault = fault_in(answer.content, requested) if known else "a case that there is not"
        if fault:
            remedy = "restore the answers from a copy"
            raise InputError(study.folder, f"holds a damaged answer ({fault})", remedy)
    for (reader, step), answer in sorted(last.items()):
        at = orders[reader][step]
        item = key[at.item]
        methods = tuple(item.methods[place] for place in at.arrangement)
        result.append(
            Reading(
                reader, at.item, item.case, item.truth, at.kind, at.session, at.aided, methods,
                answer.content, answer.seconds, given[reader, step] - 1,
                item.subject or item.case, answer.source, doubts.get((reader, step), ""),
            )
        )  # fmt: skip
    return result


def complete_readers(study: Study, readings: Sequence[Reading]) -> list[int]:
    """Readers who have answered everything that counts."""
    result = []
    for reader in range(study.readers):
        wanted = sum(step.kind == "main" for step in study.steps(reader))
        if sum(one.reader == reader and one.kind == "main" for one in readings) == wanted:
            result.append(reader)
    return result


def matrix(
    readings: Sequence[Reading], readers: Sequence[int], value: Any, aided: bool | None = None
) -> tuple[np.ndarray, list[Reading]]:
    """Values `(R, N)` of what counts, cases in order of their items, and one reading of each case.

    Args:
        readings: of complete readers at least.
        readers: whose.
        value: of a reading.
        aided: only with, or only without the aid.
    """
    counted = [
        one for one in readings if one.kind == "main" and (aided is None or one.aided == aided)
    ]
    first: dict[int, Reading] = {}
    table: dict[tuple[int, int], float] = {}
    for one in counted:
        if one.reader in readers:
            first.setdefault(one.item, one)
            table[one.reader, one.item] = float(value(one))
    items = sorted(first)
    result = np.array([[table[reader, item] for item in items] for reader in readers])
    return result, [first[item] for item in items]


def repeated(
    readings: Sequence[Reading], value: Any
) -> list[tuple[float, float]]:  # fmt: skip
    """Values of an item's two looks by the same reader in the same session."""
    place = {(one.reader, one.item, one.session): one for one in readings if one.kind == "main"}
    return [
        (float(value(place[one.reader, one.item, one.session])), float(value(one)))
        for one in readings
        if one.kind == "repeat" and (one.reader, one.item, one.session) in place
    ]


def raw_table(readings: Sequence[Reading], questions: Sequence[str]) -> str:
    """All answers as CSV; maps in the order in which they were seen."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([
        "reader", "item", "case", "truth", "kind", "session", "aided", "methods", *questions,
        "comment", "seconds", "changed", "subject", "source", "doubt",
    ])  # fmt: skip
    for one in readings:
        rows.writerow([
            one.reader + 1, one.item, one.case, one.truth, one.kind, one.session, int(one.aided),
            "|".join(one.methods), *(one.content.get(name, "") for name in questions),
            _harmless(str(one.content.get("comment", ""))), f"{one.seconds:.3f}", one.changed,
            one.subject, one.source, one.doubt,
        ])  # fmt: skip
    return text.getvalue()


def _harmless(text: str) -> str:
    """A comment that no spreadsheet takes for a formula.

    >>> _harmless("=1+1"), _harmless("clear")
    ("'=1+1", 'clear')
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
