"""What the figures of whole volumes allow to be said, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from vesalius.evidence.figure import Figure
from vesalius.report.rivals import against_rivals, rivals_of
from vesalius.report.sections import shown
from vesalius.report.verdict import verdict

MAIN_ARMS = ("scratch", "synthetic", "real")
RIVALS = {
    "real": "pre-training on as many real volumes",
    "scrambled": "pre-training on the same volumes with their octants exchanged",
    "noise": "pre-training on noise of the same histogram",
    "longer": "training longer from scratch on as many voxels",
}
CONTROLLED = {"scrambled": "volumes with their octants exchanged", "noise": "noise"}


def fractions_of(figures: Mapping[str, Figure]) -> list[str]:
    """Shares of labelled cases that were trained with, the smallest first."""
    return sorted(
        {k.split("/")[1] for k in figures if k.startswith("pretraining/") and k.endswith("/dice")},
        key=float,
    )


def dice_by_fraction(figures: Mapping[str, Figure]) -> list[dict[str, Any]]:
    """Dice of the three main arms at each fraction."""
    return [
        {"fraction": name, **{a: figures.get(f"pretraining/{name}/{a}/dice") for a in MAIN_ARMS}}
        for name in fractions_of(figures)
    ]


def conclusions(organ: str, figures: Mapping[str, Figure], notes: dict[str, Any]) -> list[str]:
    """What the intervals allow to be said of one organ, in sentences."""
    name = organ.capitalize()
    said = _gains(name, figures, notes)
    idle = [
        f"{100 * float(row['fraction']):g} % ({row['scratch'].size})"
        for row in dice_by_fraction(figures)
        if row["synthetic"] and row["scratch"] and row["synthetic"].value <= row["scratch"].value
    ]
    if idle:
        said.append(
            f"{name}: on average it brought nothing at {' and '.join(idle)} of the labelled cases."
        )
    alone = [row["scratch"].value for row in dice_by_fraction(figures) if row["scratch"]]
    if any(after < before for before, after in pairwise(alone)):
        said.append(
            f"{name}: from scratch more labelled cases did not always help, so "
            f"{notes['fine_tuning_steps']} steps are short of where training would end; part of "
            "what pre-training brings is a surer start."
        )
    fid, real_vs_real = figures.get("fidelity/fid"), figures.get("fidelity/fid_real_vs_real")
    if fid and real_vs_real:
        said.append(
            f"{name}: Fréchet distance of generated volumes {shown(fid)}, of real ones among "
            f"themselves {shown(real_vs_real)} (n = {fid.n} each)."
        )
    alike = [figures.get(f"diversity/ms_ssim/{which}") for which in ("synthetic", "real")]
    if all(alike):
        said.append(
            f"{name}: pairs of generated volumes have an MS-SSIM of {shown(alike[0])}, pairs of "
            f"real ones {shown(alike[1])}."
        )
    copies = figures.get("memorisation/copies")
    if copies:
        said.append(
            f"{name}: {copies.value:.0f} of {copies.n} generated volumes are called copies of a "
            f"training case; false alarms {shown(figures.get('memorisation/false_alarms'))}."
        )
    return said


def _gains(name: str, figures: Mapping[str, Figure], notes: dict[str, Any]) -> list[str]:
    """What pre-training brings, and whether the anatomy of synthetic volumes is what brings it."""
    said = []
    gain = figures.get("pretraining/primary/dice_gain")
    change = verdict(gain, "raises", "lowers", "does not measurably change")
    if gain and change:
        said.append(
            f"{name}: pre-training on synthetic volumes {change} Dice at the fraction named "
            f"beforehand ({100 * notes['primary_fraction']:g} % of {notes['labelled_cases']} "
            f"labelled cases): {shown(gain)} ({gain.size}, paired)."
        )
        rivals = rivals_of(
            figures, "pretraining/primary/{}_gain", "pretraining/primary/synthetic_minus_{}", RIVALS
        )
        said += against_rivals(f"{name}: pre-training on them", "its gain in Dice", gain, rivals)
        carriers = [reported for arm, reported in CONTROLLED.items() if _carries(figures, arm)]
        if carriers:
            said.append(
                f"{name}: pre-training on {' or '.join(carriers)} brings as much, so anatomy is "
                "not what carries the gain here; having learnt the tasks, on whatever, is."
            )
    return said


def _carries(figures: Mapping[str, Figure], arm: str) -> bool:
    """Whether a control gains over scratch, and synthetic volumes gain no more than it."""
    gain, ahead = (
        figures.get(f"pretraining/primary/{name}")
        for name in (f"{arm}_gain", f"synthetic_minus_{arm}")
    )
    gains = verdict(gain, "gains", "", "")
    no_less = verdict(ahead, "", "no less", "no less")
    return bool(gains and no_less)
