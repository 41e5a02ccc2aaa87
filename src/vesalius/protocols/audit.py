"""The audit before release: is anything in a synthetic cohort copied from those it was made from?

Whole volumes are laid over every training volume at the best shift and mirror, pieces of them near
the same place, and what a pre-trained network sees in them side by side; each is judged by how like
real patients are whom nothing was fitted on. Beside it the attack that guesses who was in the
training set.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np

from vesalius.evidence.alignment import AlignedSearch, detail
from vesalius.evidence.figure import Figure, Results, bootstrapped
from vesalius.evidence.membership import membership_auc
from vesalius.evidence.memorisation import CopyAudit, audit_likeness, likeness_to_training
from vesalius.evidence.patches import PatchAudit, PatchSearch, audit_patches
from vesalius.methods.pretraining.pipeline import Embedding
from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.fault import Refused
from vesalius.scans.grid import Grid, fit_grid, whole_grid
from vesalius.scans.output import output_folder
from vesalius.scans.progress import Progress, followed, silent
from vesalius.scans.split import require_disjoint
from vesalius.scans.writing import write_text

Judge = Callable[[np.ndarray, np.ndarray], CopyAudit | PatchAudit]
JUDGES: dict[str, Judge] = {
    "image": audit_likeness, "patches": audit_patches, "embedding": audit_likeness,
}  # fmt: skip
FEWEST_HELD_OUT = 12
SAMPLED = 40
"""Training cases that the common grid is laid around."""


@dataclass(frozen=True)
class Withheld:
    """A synthetic case that should not be released, and the training case that it copies.

    Attributes:
        found_by: `image`, `patches` or `embedding`, the first that found it.
        likeness: cosine at the best place; for patches the lead of the nearest training case.
    """

    case: str
    training_case: str
    found_by: str
    likeness: float


@dataclass(frozen=True)
class Audited:
    """The verdict: figures, and the cases to withhold."""

    results: Results
    withheld: tuple[Withheld, ...]


def audit(
    real: Cohort, synthetic: Cohort, held_out: Cohort | None, out: str | Path,
    progress: Progress = silent, pretrained: str | Path | None = None,
) -> Audited:  # fmt: skip
    """Search for copies and write `results.json` and `withhold.csv`.

    Args:
        real: what the synthetic cohort was made from; its cases of split `train` or of none.
        synthetic: to be audited.
        held_out: real patients whom nothing was fitted on; those of split `val` and `test` in
            `real` if `None`.
        out: folder.
        progress: told after each step and case.
        pretrained: run of a self-supervised pre-training whose embedding is compared as well.

    Raises:
        Refused: for too few held-out or training cases, subjects that stand on both sides, or a
            pre-training for other channels.
    """
    training = [c for c in real.cases if not c.synthetic and c.split not in ("val", "test")]
    drawn = [c for c in synthetic.cases if c.synthetic] or list(synthetic.cases)
    unseen = list(held_out.cases) if held_out else real.of_split("val", "test")
    other = held_out or real
    if len(unseen) < FEWEST_HELD_OUT:
        fault = f"holds {len(unseen)} held-out cases, and {FEWEST_HELD_OUT} is the least"
        remedy = "name unseen scans of the same kind with --holdout"
        raise Refused(other.folder, fault, remedy)
    if len(training) < 2 or not drawn:
        empty = real if drawn else synthetic
        fault = f"has {len(training) if drawn else 0} cases to audit"
        raise Refused(empty.folder, fault, "check its splits, and that it is the right cohort")
    require_disjoint(training, unseen)
    embedding = Embedding(pretrained, len(real.description.channels)) if pretrained else None
    inputs = (real.folder, synthetic.folder, other.folder, Path(pretrained) if pretrained else None)
    with output_folder(out, {"command": "audit"}, inputs) as folder:
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
        detailed = {side: [detail(volume) for volume in volumes] for side, volumes in sides.items()}
        aligned, pieces = AlignedSearch(detailed["training"]), PatchSearch(sides["training"])
        found: dict[str, list[np.ndarray]] = {"image": [], "patches": []}
        for side in ("synthetic", "held_out"):
            told = side.replace("_", "-")
            whole = _likeness(aligned, detailed[side], f"comparing {told} cases", progress)
            found["image"].append(whole)
            lead = pieces.likeness(sides[side], f"comparing pieces of {told} cases", progress)
            found["patches"].append(lead)
        if embedding:
            rows = [
                _embedded(embedding, *side, progress)
                for side in ((real, training), (synthetic, drawn), (other, unseen))
            ]
            found["embedding"] = likeness_to_training(*rows)
        judged = {way: JUDGES[way](own, baseline) for way, (own, baseline) in found.items()}
        alarms = np.any(
            [_false_alarms(JUDGES[way], rows[1]) for way, rows in found.items()], axis=0
        )
        withheld = _withheld(judged, drawn, training)
        figures = {
            f"memorisation/{way}/{name}": figure
            for way, judgement in judged.items() for name, figure in judgement.figures().items()
        }  # fmt: skip
        made = AlignedSearch(detailed["synthetic"])
        figures["memorisation/membership_auc"] = membership_auc(
            *(_likeness(made, detailed[side], f"guessing {side.replace('_', '-')} cases", progress)
              for side in ("training", "held_out"))
        )  # fmt: skip
        figures["memorisation/copies"] = Figure(float(len(withheld)), "cases", len(drawn))
        figures["memorisation/false_alarms"] = bootstrapped([alarms.astype(float)], np.mean, "")
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


def _embedded(
    embedding: Embedding, cohort: Cohort, cases: Sequence[Case], progress: Progress
) -> np.ndarray:
    listed = followed(cases, "embedding cases", len(cases), progress)
    return np.stack([embedding.of(cohort.read_images(case)) for case in listed])


def _false_alarms(judge: Judge, baseline: np.ndarray) -> np.ndarray:
    """Held-out cases that are called copies when the other half of them is the baseline, `(H,)`."""
    alarms = np.zeros(len(baseline), dtype=bool)
    for half in (0, 1):
        alarms[half::2] = judge(baseline[half::2], baseline[1 - half :: 2]).copies
    return alarms


def _withheld(
    judged: dict[str, CopyAudit | PatchAudit], drawn: Sequence[Case], training: Sequence[Case]
) -> tuple[Withheld, ...]:
    """What one of the searches calls a copy, in the order of the cases."""
    rows: dict[int, Withheld] = {}
    for way, found in judged.items():
        for row in np.flatnonzero(found.copies).tolist():
            source = training[int(found.nearest[row])].name
            told = Withheld(drawn[row].name, source, way, float(found.synthetic[row]))
            rows.setdefault(row, told)
    return tuple(rows[row] for row in sorted(rows))


def _volumes(
    cohort: Cohort, cases: Sequence[Case], grid: Grid, labelled: bool, what: str,
    progress: Progress,
) -> list[np.ndarray]:  # fmt: skip
    """The first channel of each case in the common grid.

    Cases lie about the middle of their labels, or of their field of view where some have none.
    """
    listed = followed(cases, f"reading {what} cases", len(cases), progress)
    if labelled:
        placed = (grid.place(cohort.read(case)).channels[0] for case in listed)
    else:
        placed = (grid.place_whole(cohort.read_images(case)).channels[0] for case in listed)
    return [volume.voxels for volume in placed]


def _table(withheld: Sequence[Withheld]) -> str:
    stream = StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["case", "training_case", "found_by", "likeness"])
    rows.writerows([w.case, w.training_case, w.found_by, f"{w.likeness:.4f}"] for w in withheld)
    return stream.getvalue()
