"""What an experiment asks and how it will answer, written down before its first stage.

`prespecified.md` follows from the recipe alone. Its digest is kept when it is first written, so a
question, a margin or a number of cases that was changed later shows as changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vesalius.scans.formats.content import read_text
from vesalius.scans.writing import write_text

FILE = "prespecified.md"

FRESH_SEED = 2028
"""Seed of the presets whose figures are published: no setting was chosen on what comes of it.
Settings were chosen on cohorts of other seeds, and by the held-out part of each fit."""

Use = Literal["fitting", "early stopping and calibration", "final test", "reference"]


@dataclass(frozen=True)
class UsedCohort:
    """One cohort of an experiment.

    Attributes:
        name: of its folder, or of the part of it.
        use: what it is for.
        size: how many of what.
        seed: that it comes of.
        after: the stage after which it is made, for one that settings cannot have seen.
    """

    name: str
    use: Use
    size: str
    seed: int
    after: str = ""


@dataclass(frozen=True)
class Primary:
    """The figure that answers the question.

    Attributes:
        name: in `results.json`.
        meaning: in words.
        better: which way is better.
        margin: what counts as a difference, in the figure's unit.
        reason: why the margin is as large as it is.
        unit: of the margin.
        counts: how many of what the interval is over.
    """

    name: str
    meaning: str
    better: Literal["higher", "lower", "near 1"]
    margin: float
    reason: str
    counts: str
    unit: str = ""


@dataclass(frozen=True)
class Prespecified:
    """What is settled before anything is made.

    Attributes:
        question: that the first line of the report answers.
        arms: what is compared, and what each is.
        rivals: arms that do without what is proposed; the strongest is named first in conclusions.
        primary: figures that answer the question, the first one first.
        cohorts: that are used, and what for.
        seeds: of repeated trainings, and what they vary.
        chosen: settings that were chosen, and on what.

    >>> own = Prespecified(
    ...     "Does it help?", (("real", "real cases"),), ("real",),
    ...     (Primary("gain", "what it brings", "higher", 0, "any gain counts", "9 patients"),),
    ...     (UsedCohort("real", "fitting", "20 patients", 1),), "one training", ())
    >>> print(own.markdown.splitlines()[2])
    **Question.** Does it help?
    """

    question: str
    arms: Sequence[tuple[str, str]]
    rivals: Sequence[str]
    primary: Sequence[Primary]
    cohorts: Sequence[UsedCohort]
    seeds: str
    chosen: Sequence[str]

    @property
    def markdown(self) -> str:
        """As a document."""
        lines = [
            "# Written down before the first stage", "", f"**Question.** {self.question}", "",
            "## Arms", "", *(f"* `{name}`: {meaning}" for name, meaning in self.arms), "",
            f"Rivals: {', '.join(f'`{name}`' for name in self.rivals)}. Conclusions name all of "
            "them, the strongest first.", "",
            "## Primary figures", "",
        ]  # fmt: skip
        for one in self.primary:
            unit = f" {one.unit}" if one.unit else ""
            lines += [
                f"* `{one.name}`: {one.meaning}; {one.better} is better. The 95 % interval is over "
                f"{one.counts}. Margin {one.margin:g}{unit}: {one.reason}.",
            ]
        lines += ["", "## Cohorts", "", "| cohort | use | size | seed | made |", "|---" * 5 + "|"]
        lines += [
            f"| {one.name} | {one.use} | {one.size} | {one.seed} | "
            f"{'after ' + one.after if one.after else 'at the start'} |"
            for one in self.cohorts
        ]
        lines += ["", "## Seeds", "", self.seeds, "", "## What was chosen, and on what", ""]
        lines += [f"* {line}" for line in self.chosen]
        return "\n".join(lines) + "\n"

    @property
    def digest(self) -> str:
        """Of the document."""
        return digest_of(self.markdown)

    def written(self, folder: Path) -> Path:
        """Write the document into a folder unless one is there already."""
        path = folder / FILE
        if not path.exists():
            write_text(path, self.markdown)
        return path


def digest_of(text: str) -> str:
    """Twelve digits that change with a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def changes(folder: Path, own: Prespecified, first: str) -> str:
    """What differs from the document that was first written, empty if nothing does.

    Args:
        folder: of the experiment.
        own: what its recipe says now.
        first: digest of what was first written.
    """
    if not first:
        return "the document was not written before the first stage"
    if digest_of(read_text(folder / FILE)) != first:
        return "the document was edited after the first stage"
    if own.digest != first:
        return "the experiment asks or compares otherwise than when the document was written"
    return ""
