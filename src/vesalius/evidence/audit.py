"""The audit before release: is anything in a synthetic cohort copied from those it was made from?

Beside the search for copies stands the attack that guesses who was in the training set.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.evidence.alignment import AlignedSearch
from vesalius.evidence.copies import (
    JUDGES,
    CopySearch,
    Embed,
    Match,
    Pair,
    training_cases,
)
from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.intervals import proportion
from vesalius.evidence.membership import membership_auc
from vesalius.evidence.memorisation import FEWEST_HELD_OUT, STANDARD_DEVIATIONS
from vesalius.evidence.provenance import Code
from vesalius.evidence.results import Results
from vesalius.scans.arrays import ScratchRows
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError
from vesalius.scans.output import output_folder
from vesalius.scans.progress import Progress, no_progress
from vesalius.scans.split import require_disjoint
from vesalius.scans.writing import write_text


@dataclass(frozen=True)
class Withheld:
    """A synthetic case that should not be released, and the training case that it shows."""

    case: str
    copy_of: Match

    @property
    def similarity(self) -> str:
        """As it is printed; nothing where the case says itself what it was made from."""
        result = self.copy_of.similarity
        return "" if result is None else f"{result:.4f}"

    @property
    def reason(self) -> str:
        """Why it is withheld, as a sentence."""
        source, found_by = self.copy_of.case, self.copy_of.found_by
        if found_by == "parent":
            return f"withhold {self.case}: edited from {source}, as it says"
        return (
            f"withhold {self.case}: copies {source}, found by {found_by}, "
            f"similarity {self.copy_of.similarity:.2f}"
        )


@dataclass(frozen=True)
class Compared:
    """Synthetic cases held against training cases: figures, what to withhold, notes."""

    figures: dict[str, Figure]
    withheld: tuple[Withheld, ...]
    notes: dict[str, Any]


@dataclass(frozen=True)
class Audited:
    """The verdict: figures, and the cases to withhold."""

    results: Results
    withheld: tuple[Withheld, ...]


def audit(
    real: Cohort, synthetic: Cohort, held_out: Cohort | None, out: str | Path,
    progress: Progress = no_progress, embed: Embed | None = None,
    inputs: Sequence[str | Path | None] = (),
) -> Audited:  # fmt: skip
    """Search for copies and write `results.json` and `withhold.csv`.

    Args:
        real: what the synthetic cohort was made from; its cases of split `train` or of none.
        synthetic: to be audited.
        held_out: real patients whom nothing was fitted on; those of split `val` and `test` in
            `real` if `None`.
        out: folder.
        progress: called after each step and case.
        embed: what a pre-trained network sees in a scan, which is compared as well.
        inputs: beside the cohorts, what must not be touched.

    Raises:
        InputError: for too few held-out or training cases, or subjects that stand on both sides.
    """
    training = training_cases(real)
    generated = [c for c in synthetic.cases if c.synthetic] or list(synthetic.cases)
    unseen = list(held_out.cases) if held_out else list(real.of_split("val", "test"))
    other = held_out or real
    if len(unseen) < FEWEST_HELD_OUT:
        fault = f"holds {len(unseen)} held-out cases, and {FEWEST_HELD_OUT} is the least"
        remedy = "name unseen scans of the same kind with --holdout"
        raise InputError(other.folder, fault, remedy)
    require_disjoint(training, unseen)
    with output_folder(
        out, {"command": "audit"}, (real.folder, synthetic.folder, other.folder, *inputs)
    ) as folder:
        labelled = all(case.label_map is not None for case in (*training, *unseen, *generated))
        pairs = [(other, case) for case in unseen]
        search = CopySearch(real, training, pairs, labelled, embed, progress)
        compared = compare(search, [(synthetic, case) for case in generated], progress)
        phantom = real.description.origin == "phantom"
        results = Results(
            "audit", "", 0, phantom, compared.figures, compared.notes, code=Code.of(__name__)
        )
        results.write(folder)
        write_text(folder / "withhold.csv", _table(compared.withheld))
        return Audited(results, compared.withheld)


def compare(
    search: CopySearch, made: Sequence[Pair], progress: Progress = no_progress
) -> Compared:  # fmt: skip
    """Hold synthetic cases against training cases.

    A case whose provenance names a training case as its parent was edited from it: it is compared
    with those of other patients, counted apart from copies, and withheld all the same.

    Args:
        search: of the training cases.
        made: synthetic cases with their cohort.
        progress: called after each case.
    """
    rows: dict[str, list[np.ndarray]] = {}
    details, parents = ScratchRows(), []
    read = search.read(made, "comparing synthetic cases", progress)
    for (_, case), own in zip(made, read, strict=True):
        origin = case.provenance()
        details.add(own["image"])
        parents.append(search.parent(origin))
        for way, row in search.similarities(own, search.excluded(origin)).items():
            rows.setdefault(way, []).append(row)
    judged = search.judged({way: np.stack(own) for way, own in rows.items()})
    copies = [search.first_match(judged, row) for row in range(len(made))]
    edited = [None if one is None else Match(one.name, "parent", None) for one in parents]
    matches = [copy or own for copy, own in zip(copies, edited, strict=True)]
    withheld = tuple(
        Withheld(case.name, match)
        for (_, case), match in zip(made, matches, strict=True) if match
    )  # fmt: skip
    figures = {
        f"memorisation/{way}/{name}": figure
        for way, judgement in judged.items() for name, figure in judgement.figures().items()
    }  # fmt: skip
    if "held_out" in search.details:
        attack = AlignedSearch(details.array())
        figures["memorisation/membership_auc"] = membership_auc(
            *(attack.similarity(search.details[side]) for side in ("training", "held_out"))
        )
    figures["memorisation/copies"] = _count(copies)
    figures["memorisation/edited"] = _count(parents)
    figures["memorisation/false_alarms"] = false_alarms(search.baseline)
    notes = {
        "withhold": [one.case for one in withheld],
        "copies": [case.name for (_, case), copy in zip(made, copies, strict=True) if copy],
        "audited_against": {
            "training_cases": len(search.training),
            "real_cases": len(next(iter(search.baseline.values()))),
        },
        "similarity": {way: result.points() for way, result in judged.items()},
    }  # fmt: skip
    return Compared(figures, withheld, notes)


def false_alarms(baseline: dict[str, np.ndarray]) -> Figure:
    """Share of real cases called copies when the other half of them is what judges.

    Args:
        baseline: similarities `(H, N)` of real cases to training cases, by the way of comparing.
    """
    count = len(next(iter(baseline.values())))
    alarms = np.zeros(count, dtype=bool)
    for way, rows in baseline.items():
        for half in (0, 1):
            judged = JUDGES[way](rows[half::2], rows[1 - half :: 2], STANDARD_DEVIATIONS)
            alarms[half::2] |= judged.copies
    return proportion(alarms.sum(), count, "real cases")


def _count(found: Sequence[object]) -> Figure:
    return counted(sum(one is not None for one in found), "cases", len(found), "synthetic cases")


def _table(withheld: Sequence[Withheld]) -> str:
    stream = StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["case", "training_case", "found_by", "similarity"])
    rows.writerows(
        [one.case, one.copy_of.case, one.copy_of.found_by, one.similarity] for one in withheld
    )
    return stream.getvalue()
