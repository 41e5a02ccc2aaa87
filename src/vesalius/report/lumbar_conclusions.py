"""What the figures of the lumbar experiment allow to be said, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vesalius.evidence.figure import Figure
from vesalius.report.rivals import against_rivals, rivals_of
from vesalius.report.sections import shown
from vesalius.report.verdict import verdict

PATHOLOGIES = ("herniation", "stenosis")
METHODS = (
    "voxelwise_trained", "voxelwise_free", "hard_mask", "repaint", "repaint_long", "concat",
    "sdedit", "unedited", "truth", "real_vs_real",
)  # fmt: skip
RIVALS = {
    "hard_mask": "a hard mask", "repaint": "RePaint", "concat": "a network that is given the mask",
    "sdedit": "SDEdit",
}  # fmt: skip
"""What inpainting by a voxelwise noise level is held against, with as many network calls."""
TRAININGS = {
    "real": "the real cases of its site alone",
    "pooled": "the real cases of its site with the scans that the run was fitted on",
}
"""What a classifier that learns from inpainted cases as well is held against."""
TRAINED_ON = ("real", "augmented", "pooled", "upper_bound")
NEARER, FARTHER = "nearer to real findings than", "farther from real findings than"
SAME = "not measurably different from"


def shortcomings(figures: Mapping[str, Figure]) -> list[str]:
    """What the figures say against the methods or against the experiment itself."""
    said = []
    for pathology in PATHOLOGIES:
        unedited = figures.get(f"fidelity/{pathology}/unedited/fid")
        generated = [
            figures[key].value
            for name in METHODS[:7]
            if (key := f"fidelity/{pathology}/{name}/fid") in figures
        ]
        nearer = [value for value in generated if unedited and value < unedited.value]
        if unedited and generated and len(nearer) < len(generated) / 2:
            said.append(
                f"{pathology.capitalize()}: by Fréchet distance the unedited scans lie nearer to "
                f"real findings than {len(generated) - len(nearer)} of {len(generated)} methods "
                "bring them. What is generated looks softer than real tissue, which may count for "
                "more than the finding."
            )
    alone = figures.get("utility/real/auc")
    if alone and alone.value > 0.995:
        said.append(
            "The classifier recognises findings of these phantoms without help already, so this "
            "experiment cannot show a gain."
        )
    return said


def refused_requests(notes: Mapping[str, Any]) -> str:
    """How many requests of the experiment were left out as their patients could not take them.

    >>> refused_requests({"requests_refused": ["a: has a canal of only 9 mm"]})
    '1 request beside these was refused, as the level was narrow or ill already.'
    >>> refused_requests({})
    ''
    """
    count = len(notes.get("requests_refused", ()))
    if not count:
        return ""
    what = "request beside these was" if count == 1 else "requests beside these were"
    return f"{count} {what} refused, as the level was narrow or ill already."


def against_long_repaint(figures: Mapping[str, Figure]) -> list[str]:
    """Voxelwise with few calls against RePaint with many."""
    said = []
    for pathology in PATHOLOGIES:
        gap = figures.get(f"fidelity/{pathology}/voxelwise_trained_minus_repaint_long/fid")
        against = verdict(gap, FARTHER, NEARER, SAME)
        if not gap or not against:
            continue
        few, many = (
            round(figures[f"cost/{name}/network_calls"].value)
            for name in ("voxelwise_trained", "repaint_long")
        )
        said.append(
            f"{pathology.capitalize()}: voxelwise trained with {few} network calls is {against} "
            f"RePaint with {many} ({shown(gap)}, {gap.size})."
        )
    return said


def conclusions(figures: Mapping[str, Figure]) -> list[str]:
    """What the intervals allow to be said, in sentences."""
    said: list[str] = []
    for pathology in PATHOLOGIES:
        rivals = rivals_of(
            figures, f"fidelity/{pathology}/{{}}/fid",
            f"fidelity/{pathology}/voxelwise_trained_minus_{{}}/fid", RIVALS,
        )  # fmt: skip
        by = f"Fréchet distance to real {pathology} at equal network calls"
        own = figures.get(f"fidelity/{pathology}/voxelwise_trained/fid")
        said += against_rivals("Voxelwise trained", by, own, rivals, lower=True)
    said += [*against_long_repaint(figures), *shortcomings(figures)]
    kept = figures.get("context/voxelwise_trained/mae")
    if kept:
        said.append(f"Outside the map the scans changed by {kept.value:g} ({kept.size}).")
    trained = rivals_of(
        figures, "utility/{}/auc", "utility/augmented_minus_{}/auc", TRAININGS
    )  # fmt: skip
    said += against_rivals(
        "The classifier with inpainted cases", "AUC on unseen patients",
        figures.get("utility/augmented/auc"), trained,
    )  # fmt: skip
    return said
