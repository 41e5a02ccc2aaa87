"""Figures of a proof: what each arm is worth, and the synthetic cases beside the real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.evidence.audit import compare
from vesalius.evidence.copies import CopySearch
from vesalius.evidence.diversity import pair_similarity
from vesalius.evidence.fidelity import (
    fidelity_figures,
    radiomics_available,
    radiomics_features,
)
from vesalius.evidence.figure import Figure
from vesalius.evidence.utility import Trainings, arm_figures, paired_difference, strata_figures
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.intensity import to_unit_range
from vesalius.scans.progress import Progress, track

COMPARED_CASES = 80
"""Cases of each cohort that enter fidelity and diversity."""


def utility_figures(
    scores: Mapping[str, Trainings], attribute: Attribute, strata: Sequence[float]
) -> dict[str, Figure]:
    """Dice and error of each arm, by strata, each against `real`, and `augmented` against each."""
    unit = attribute.unit
    result: dict[str, Figure] = {}
    for arm, own in scores.items():
        result |= {f"utility/{arm}/{k}": v for k, v in arm_figures(own, unit).items()}
        each = strata_figures(own, strata, unit)
        key = f"volume_mae_{unit.lower()}"
        result |= {f"utility/{arm}/{key}/{k}": v for k, v in each.items()}
        if arm != "real":
            gained = paired_difference(own, scores["real"], unit)
            result |= {f"utility/{arm}_minus_real/{k}": v for k, v in gained.items()}
        if arm not in ("real", "augmented"):
            lost = paired_difference(scores["augmented"], own, unit)
            result |= {f"utility/augmented_minus_{arm}/{k}": v for k, v in lost.items()}
        if arm != "augmented":
            each = strata_figures(scores["augmented"], strata, unit, own)
            head = f"utility/augmented_minus_{arm}/{key}"
            result |= {f"{head}/{k}": v for k, v in each.items()}
    return result


def comparison_figures(
    real: Cohort, synthetic: Cohort, training: Sequence[Case], generated: Sequence[Case],
    held_out: Sequence[tuple[Cohort, Case]], seed: int, progress: Progress,
) -> tuple[dict[str, Figure], dict[str, Any]]:  # fmt: skip
    """Copies, diversity and fidelity of synthetic cases, each beside its real counterpart."""
    search = CopySearch(real, training, held_out, True, progress=progress)
    compared = compare(search, [(synthetic, case) for case in generated], progress)
    figures, notes = compared.figures, compared.notes
    reason = radiomics_available()
    features = {}
    for name, cohort, cases in (("real", real, training), ("synthetic", synthetic, generated)):
        listed = cases[:COMPARED_CASES]
        scans = [
            cohort.read(case) for case in track(listed, "comparing fidelity", len(listed), progress)
        ]
        images = np.stack([search.grid.place(scan).channels[0].voxels for scan in scans])
        figures[f"diversity/{name}"] = pair_similarity(to_unit_range(images), seed=seed)
        if not reason:
            pairs = [(scan.channels[0], scan.label_map) for scan in scans]
            features[name] = radiomics_features(pairs, progress)
    if reason:
        notes["fidelity_left_out"] = reason
    else:
        result = fidelity_figures(features["real"], features["synthetic"], seed)
        figures |= {f"fidelity/{k}": v for k, v in result.items()}
    return figures, notes
