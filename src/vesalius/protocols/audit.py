"""The audit before release: is anything in a synthetic cohort copied from those it was made from?

Whole volumes are laid over every training volume at the best shift and mirror, and judged by how
like real patients are whom nothing was fitted on. Beside it the attack that guesses who was in the
training set.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np

from vesalius.evidence.alignment import AlignedSearch, detail
from vesalius.evidence.figure import Figure, Results, bootstrapped
from vesalius.evidence.membership import membership_auc
from vesalius.evidence.memorisation import audit_likeness
from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.description import write_text
from vesalius.scans.fault import Refused, make_folder
from vesalius.scans.grid import Grid, fit_grid, whole_grid
from vesalius.scans.progress import Progress, followed, silent
from vesalius.scans.split import require_disjoint

FEWEST_HELD_OUT = 12
SAMPLED = 40
"""Training cases that the common grid is laid around."""


@dataclass(frozen=True)
class Withheld:
    """A synthetic case that should not be released, and the training case that it copies."""

    case: str
    training_case: str
    likeness: float


@dataclass(frozen=True)
class Audited:
    """The verdict: figures, and the cases to withhold."""

    results: Results
    withheld: tuple[Withheld, ...]


def audit(
    real: Cohort, synthetic: Cohort, held_out: Cohort | None, out: str | Path,
    progress: Progress = silent,
) -> Audited:  # fmt: skip
    """Search for copies and write `results.json` and `withhold.csv`.

    Args:
        real: what the synthetic cohort was made from; its cases of split `train` or of none.
        synthetic: to be audited.
        held_out: real patients whom nothing was fitted on; those of split `val` and `test` in
            `real` if `None`.
        out: folder.
        progress: told after each step and case.

    Raises:
        Refused: for too few held-out cases, or subjects that stand on both sides.
    """
    training = [c for c in real.cases if not c.synthetic and c.split not in ("val", "test")]
    drawn = [c for c in synthetic.cases if c.synthetic] or list(synthetic.cases)
    unseen = list(held_out.cases) if held_out else real.of_split("val", "test")
    other = held_out or real
    if len(unseen) < FEWEST_HELD_OUT:
        fault = f"holds {len(unseen)} held-out cases, and {FEWEST_HELD_OUT} is the least"
        remedy = "name unseen scans of the same kind with --holdout"
        raise Refused(other.folder, fault, remedy)
    if not training or not drawn:
        empty = synthetic if training else real
        raise Refused(empty.folder, "has no case to audit", "check its splits")
    require_disjoint(training, unseen)
    folder = make_folder(out)
    labelled = all(case.label_map is not None for case in (*training, *unseen, *drawn))
    if labelled:
        grid = fit_grid([real.read(case) for case in training[:SAMPLED]], multiple=4)
    else:
        grid = whole_grid([real.read_images(case) for case in training[:SAMPLED]])
    sides = {
        "training": _volumes(real, training, grid, labelled, "training", progress),
        "held_out": _volumes(other, unseen, grid, labelled, "held-out", progress),
        "synthetic": _volumes(synthetic, drawn, grid, labelled, "synthetic", progress),
    }
    aligned = AlignedSearch(sides["training"])
    own, baseline = (
        _likeness(aligned, sides[side], f"comparing {side.replace('_', '-')} cases", progress)
        for side in ("synthetic", "held_out")
    )
    judged = audit_likeness(own, baseline)
    withheld = tuple(
        Withheld(drawn[row].name, training[judged.nearest[row]].name, float(judged.synthetic[row]))
        for row in np.flatnonzero(judged.copies)
    )
    figures = {f"memorisation/image/{name}": f for name, f in judged.figures().items()}
    made = AlignedSearch(sides["synthetic"])
    figures["memorisation/membership_auc"] = membership_auc(
        *(_likeness(made, sides[side], f"guessing {side.replace('_', '-')} cases", progress)
          for side in ("training", "held_out"))
    )  # fmt: skip
    figures["memorisation/copies"] = Figure(float(len(withheld)), "cases", len(drawn))
    figures["memorisation/false_alarms"] = bootstrapped(
        [_false_alarms(baseline)], np.mean, ""
    )  # fmt: skip
    phantom = real.description.origin == "phantom"
    notes = {
        "withhold": [w.case for w in withheld], "training_cases": len(training),
        "held_out_cases": len(unseen),
    }  # fmt: skip
    results = Results("audit", "", 0, phantom, figures, notes)
    results.write(folder)
    write_text(folder / "withhold.csv", _table(withheld))
    return Audited(results, withheld)


def _likeness(
    search: AlignedSearch, volumes: Sequence[np.ndarray], told: str, progress: Progress
) -> np.ndarray:
    rows = [search.likeness([v]) for v in followed(volumes, told, len(volumes), progress)]
    return np.concatenate(rows)


def _false_alarms(baseline: np.ndarray) -> np.ndarray:
    """Held-out cases that are called copies when the other half of them is the baseline, `(H,)`."""
    alarms = np.zeros(len(baseline))
    for half in (0, 1):
        alarms[half::2] = audit_likeness(baseline[half::2], baseline[1 - half :: 2]).copies
    return alarms


def _volumes(
    cohort: Cohort, cases: Sequence[Case], grid: Grid, labelled: bool, what: str,
    progress: Progress,
) -> list[np.ndarray]:  # fmt: skip
    """The first channel of each case in the common grid, its detail.

    Cases lie about the middle of their labels, or of their field of view where some have none.
    """
    listed = followed(cases, f"reading {what} cases", len(cases), progress)
    if labelled:
        placed = (grid.place(cohort.read(case)).channels[0] for case in listed)
    else:
        placed = (grid.place_whole(cohort.read_images(case)).channels[0] for case in listed)
    return [detail(volume.voxels) for volume in placed]


def _table(withheld: Sequence[Withheld]) -> str:
    stream = StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["case", "training_case", "likeness"])
    rows.writerows([w.case, w.training_case, f"{w.likeness:.4f}"] for w in withheld)
    return stream.getvalue()
