"""`report.html` of the experiment of interpretable classifiers, as far as it has come."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius.evidence.figure import Figure, Results
from vesalius.report.pictures import embedded, encoded, plot
from vesalius.report.rendering import figures_of, rendered, shown
from vesalius.report.sources import results_if_there, table_if_there
from vesalius.report.verdict import verdict
from vesalius.scans.writing import write_text

ARMS = ("standard", "adversarial", "dual")
COLOURS = {"standard": "#8a97a5", "adversarial": "#3b6ea5", "dual": "#c2572b"}
ROWS = {
    "auc": "AUC, same scanner", "external_auc": "AUC, other scanner",
    "calibration_error": "calibration error",
    "robust_auc_published": "robust AUC, published routing",
    "robust_auc_honest": "robust AUC, clean-path routing",
    "pointing_game": "pointing game", "saliency_in_mask": "share of saliency in the mask",
    "pixel_precision": "average precision of pixels", "cost": "cost of training",
}  # fmt: skip


RIVALS = {
    "adversarial": "adversarial training alone",
    "mean_mask": "the mean mask, which ignores the image",
    "standard_blurred_gradient": "the blurred gradient of the standard network",
    "standard_smoothgrad": "SmoothGrad on the standard network",
    "standard_integrated_gradients": "integrated gradients on the standard network",
    "standard_gradcam": "Grad-CAM on the standard network",
}
"""What a map of dual training is held against."""


def write_robustness_report(folder: Path) -> Path:
    """Write `report.html` into the folder of the experiment from what is there already."""
    results = results_if_there(folder)
    figures, notes = results.figures, results.notes
    kinds = []
    for path in sorted(folder.glob("*/real")):
        data = path.parent.name
        own = figures_of(figures, data)
        kinds.append({
            "name": data, "figures": own, "notes": notes.get(data, {}),
            "table": [(reported, [own.get(f"{arm}/{key}") for arm in ARMS])
                      for key, reported in ROWS.items() if f"dual/{key}" in own],
            "curve": _curve(path.parent), "maps": embedded(path.parent / "maps.png"),
            "labels": _labels(own), "others": _others(own),
        })  # fmt: skip
    said = [line for kind in kinds for line in conclusions(kind["name"], kind["figures"])]
    finished = bool(kinds) and all("dual/pointing_game" in kind["figures"] for kind in kinds)
    content: dict[str, Any] = {
        "title": "interpretable classifiers", "phantoms": True, "finished": finished,
        "results": results, "conclusions": said, "kinds": kinds, "arms": ARMS,
        "figures": {
            f"seconds/{key.replace('/seconds', '')}": figure
            for key, figure in figures.items() if "/seconds/" in key
        },
    }  # fmt: skip
    report = folder / "report.html"
    write_text(report, rendered("robustness.html.j2", content))
    return report


def conclusions(data: str, figures: Mapping[str, Figure]) -> list[str]:
    """What the intervals allow to be said of one kind of data, in sentences."""
    said = []
    for key, reported in (("auc", "on the same scanner"), ("external_auc", "on the other scanner")):
        gap = figures.get(f"dual_minus_standard/{key}")
        against = verdict(
            gap, "answers better than", "answers worse than", "does not measurably differ from",
            0.01, "loses at most 0.01 AUC to",
        )  # fmt: skip
        if gap and against:
            said.append(
                f"{data}: dual training {against} standard training {reported}: {shown(gap)} AUC "
                f"(n = {gap.n})."
            )
    for key in ("pointing_game", "saliency_in_mask"):
        gap = figures.get(f"dual_minus_standard/{key}")
        more = verdict(gap, "more", "less", "not measurably more")
        if gap and more:
            said.append(
                f"{data}: its maps point {more} at the disease ({ROWS[key]}, {shown(gap)}, "
                f"n = {gap.n})."
            )
    said += [f"{data}: {line}" for line in unbeaten(figures)]
    published, clean_path = (
        figures.get(f"dual/robust_auc_{routing}") for routing in ("published", "honest")
    )
    if published and clean_path:
        said.append(
            f"{data}: under attack dual training keeps an AUC of {shown(published)} as published, "
            f"when attacked images are known as such, and {shown(clean_path)} in a deployment that "
            f"cannot know (n = {clean_path.n})."
        )
    return said


def unbeaten(figures: Mapping[str, Figure]) -> list[str]:
    """For each measure of maps, the rivals that do as well as dual training or better."""
    said = []
    for key in ("pointing_game", "saliency_in_mask", "pixel_precision"):
        dual = figures.get(f"dual/{key}")
        rivals = [
            (figure.value, f"{name} ({shown(figure)})")
            for rival, name in RIVALS.items()
            if (figure := figures.get(f"{rival}/{key}")) and dual
            and figure.value >= dual.value
        ]  # fmt: skip
        if rivals:
            names = ", ".join(name for _, name in sorted(rivals, reverse=True))
            said.append(f"by {ROWS[key]} dual training ({shown(dual)}) does not beat {names}.")
    return said


def robustness_table(results: Results) -> str:
    """The figures of the experiment as Markdown."""
    kinds = [name for name in results.notes if f"{name}/dual/auc" in results.figures]
    lines = []
    for data in kinds:
        own = figures_of(results.figures, data)
        lines += [f"| {data} | {' | '.join(ARMS)} |", "|---|" + "---|" * len(ARMS)]
        for key, reported in ROWS.items():
            if f"dual/{key}" in own:
                cells = " | ".join(shown(own.get(f"{arm}/{key}")) for arm in ARMS)
                lines.append(f"| {reported} | {cells} |")
        lines += ["", *(f"{line}\n" for line in conclusions(data, own))]
    seeds = results.notes[kinds[0]]["seeds"]
    times = {data: figures_of(results.figures, f"{data}/seconds") for data in kinds}
    took = ", ".join(
        f"{sum(f.value for f in own.values()) / 60:.0f} minutes for {data}"
        for data, own in times.items()
    )
    lines.append(
        f"In brackets 95 % bootstrap intervals over images; {seeds} "
        f"training{'s' if seeds > 1 else ''} of each, seed {results.seed}. It took {took} on "
        f"{results.machine['cores']} cores."
    )
    return "\n".join(lines)


def robustness_picture(folder: Path) -> str:
    """The maps of the first kind of data."""
    notes = results_if_there(folder).notes
    return embedded(folder / next(iter(notes)) / "maps.png")


def _curve(folder: Path) -> str:
    rows = table_if_there(folder / "curve.csv")
    if not rows:
        return ""
    canvas, ax = plot(5.6, 3.5)
    for arm in ARMS:
        for routing, style in (("published", "--"), ("honest", "-")):
            own = [r for r in rows if r["training"] == arm and r["routing"] == routing]
            if not own:
                continue
            ax.plot(
                [float(r["epsilon"]) for r in own], [float(r["auc"]) for r in own], style,
                color=COLOURS[arm], label=f"{arm}, {routing}" if arm == "dual" else arm,
            )  # fmt: skip
    ax.set(xlabel="largest change of any voxel", ylabel="AUC under attack", ylim=(0, 1))
    ax.legend(frameon=False, fontsize=8)
    return encoded(canvas)


def _labels(figures: Mapping[str, Figure]) -> list[dict[str, Any]]:
    """Figures of each label alone."""
    names = sorted({k.split("/")[2] for k in figures if k.startswith("dual/auc/")})
    keys = ("auc", "external_auc", "pointing_game", "saliency_in_mask", "pixel_precision")
    return [
        {"name": name, "cells": [
            (ROWS[key], [figures.get(f"{arm}/{key}/{name}") for arm in ARMS]) for key in keys
        ]}
        for name in names
    ]  # fmt: skip


def _others(figures: Mapping[str, Figure]) -> list[tuple[str, list[Figure | None]]]:
    """What maps must beat: other ways of making them, and the mean mask."""
    names = [k.split("/")[0] for k in figures if k.endswith("/pixel_precision")]
    wanted = [n for n in dict.fromkeys(names) if n not in (*ARMS, "dual_minus_standard")]
    keys = ("pointing_game", "saliency_in_mask", "pixel_precision")
    return [(n.replace("_", " "), [figures.get(f"{n}/{key}") for key in keys]) for n in wanted]
