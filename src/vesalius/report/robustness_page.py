"""`report.html` of the experiment of classifiers that can be read, as far as it has come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas

from vesalius.methods.classification.pipeline import ClassificationPipeline
from vesalius.methods.classification.saliency import saliency
from vesalius.methods.classification.saliency import shown as shown_map
from vesalius.report.pictures import encoded, plot
from vesalius.report.rendering import figures_of, rendered, shown
from vesalius.report.sources import json_if_there, table_if_there
from vesalius.scans.classified import Classified
from vesalius.scans.classified_layouts import read_cohort
from vesalius.scans.cohort import Cohort
from vesalius.scans.writing import write_text

matplotlib.use("Agg")

ARMS = ("standard", "adversarial", "dual")
COLOURS = {"standard": "#8a97a5", "adversarial": "#3b6ea5", "dual": "#c2572b"}
ROWS = {
    "auc": "AUC, same scanner", "external_auc": "AUC, other scanner",
    "calibration_error": "calibration error",
    "robust_auc_published": "robust AUC, published routing",
    "robust_auc_honest": "robust AUC, honest routing",
    "pointing_game": "pointing game", "saliency_in_mask": "share of saliency in the mask",
    "pixel_precision": "average precision of pixels", "cost": "cost of training",
}  # fmt: skip
EXAMPLES = 6


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
    results = json_if_there(folder / "results.json")
    figures, notes = results.get("figures", {}), results.get("notes", {})
    kinds = []
    for path in sorted(folder.glob("*/real")):
        data = path.parent.name
        own = figures_of(figures, data)
        kinds.append({
            "name": data, "figures": own, "notes": notes.get(data, {}),
            "table": [(reported, [own.get(f"{arm}/{key}") for arm in ARMS])
                      for key, reported in ROWS.items() if f"dual/{key}" in own],
            "curve": _curve(path.parent), "maps": maps_picture(path.parent, notes.get(data, {})),
            "labels": _labels(own), "others": _others(own),
        })  # fmt: skip
    said = [line for kind in kinds for line in conclusions(kind["name"], kind["figures"])]
    finished = bool(kinds) and all("dual/pointing_game" in kind["figures"] for kind in kinds)
    content: dict[str, Any] = {
        "title": "classifiers that can be read", "phantoms": True, "finished": finished,
        "results": results, "conclusions": said, "kinds": kinds, "arms": ARMS,
        "figures": {
            f"seconds/{key.replace('/seconds', '')}": figure
            for key, figure in figures.items() if "/seconds/" in key
        },
    }  # fmt: skip
    report = folder / "report.html"
    write_text(report, rendered("robustness.html.j2", content))
    return report


def conclusions(data: str, figures: dict[str, Any]) -> list[str]:
    """What the intervals allow to be said of one kind of data, in sentences."""
    said = []
    for key, reported in (("auc", "on the same scanner"), ("external_auc", "on the other scanner")):
        gap = figures.get(f"dual_minus_standard/{key}")
        if gap and gap["ci95"]:
            low, high = gap["ci95"]
            verdict = (
                "answers better than" if low > 0
                else "answers worse than" if high < 0
                else "loses at most 0.01 AUC to" if low >= -0.01
                else "does not measurably differ from"
            )  # fmt: skip
            said.append(
                f"{data}: dual training {verdict} standard training {reported}: {shown(gap)} AUC "
                f"(n = {gap['n']})."
            )
    for key in ("pointing_game", "saliency_in_mask"):
        gap = figures.get(f"dual_minus_standard/{key}")
        if gap and gap["ci95"]:
            low, high = gap["ci95"]
            verdict = "more" if low > 0 else "less" if high < 0 else "not measurably more"
            said.append(
                f"{data}: its maps point {verdict} at the disease ({ROWS[key]}, {shown(gap)}, "
                f"n = {gap['n']})."
            )
    said += [f"{data}: {line}" for line in unbeaten(figures)]
    published, clean_path = (
        figures.get(f"dual/robust_auc_{routing}") for routing in ("published", "honest")
    )
    if published and clean_path:
        said.append(
            f"{data}: under attack dual training keeps an AUC of {shown(published)} as published, "
            f"when attacked images are known as such, and {shown(clean_path)} in a deployment that "
            f"cannot know (n = {clean_path['n']})."
        )
    return said


def unbeaten(figures: dict[str, Any]) -> list[str]:
    """For each measure of maps, the rivals that do as well as dual training or better."""
    said = []
    for key in ("pointing_game", "saliency_in_mask", "pixel_precision"):
        dual = figures.get(f"dual/{key}")
        rivals = [
            (figure["value"], f"{name} ({shown(figure)})")
            for rival, name in RIVALS.items()
            if (figure := figures.get(f"{rival}/{key}")) and dual
            and figure["value"] >= dual["value"]
        ]  # fmt: skip
        if rivals:
            names = ", ".join(name for _, name in sorted(rivals, reverse=True))
            said.append(f"by {ROWS[key]} dual training ({shown(dual)}) does not beat {names}.")
    return said


def robustness_table(results: dict[str, Any]) -> str:
    """The figures of the experiment as Markdown."""
    kinds = [name for name in results["notes"] if f"{name}/dual/auc" in results["figures"]]
    lines = []
    for data in kinds:
        own = figures_of(results["figures"], data)
        lines += [f"| {data} | {' | '.join(ARMS)} |", "|---|" + "---|" * len(ARMS)]
        for key, reported in ROWS.items():
            if f"dual/{key}" in own:
                cells = " | ".join(shown(own.get(f"{arm}/{key}")) for arm in ARMS)
                lines.append(f"| {reported} | {cells} |")
        lines += ["", *(f"{line}\n" for line in conclusions(data, own))]
    seeds = results["notes"][kinds[0]]["seeds"]
    times = {data: figures_of(results["figures"], f"{data}/seconds") for data in kinds}
    took = ", ".join(
        f"{sum(f['value'] for f in own.values()) / 60:.0f} minutes for {data}"
        for data, own in times.items()
    )
    lines.append(
        f"In brackets 95 % bootstrap intervals over images; {seeds} "
        f"training{'s' if seeds > 1 else ''} of each, seed {results['seed']}. It took {took} on "
        f"{results['machine']['cores']} cores."
    )
    return "\n".join(lines)


def robustness_picture(folder: Path) -> str:
    """The maps of the first kind of data."""
    notes = json_if_there(folder / "results.json")["notes"]
    data = next(name for name in notes if name != "undefined")
    return maps_picture(folder / data, notes[data])


def maps_picture(folder: Path, notes: dict[str, Any]) -> str:
    """The first images that show a headline label, its mask, and the map of every training."""
    runs = [folder / "runs" / f"{arm}-0" for arm in ARMS]
    if not notes or not all((run / "classifier.safetensors").is_file() for run in runs):
        return ""
    cohort = Cohort.open(folder / "test", labelled=False)
    trained = [ClassificationPipeline.open(run) for run in runs]
    test = read_cohort(cohort, (), trained[0].run.fingerprint.shape[0])
    assert test.masks is not None
    picked = _examples(test, notes["headline"])
    canvas = Canvas(figsize=(1.6 * len(picked), 1.6 * (1 + len(ARMS))), facecolor="black")
    axes = canvas.subplots(1 + len(ARMS), max(1, len(picked)), squeeze=False)
    for column, (row, label) in enumerate(picked):
        image, mask = test.images[row, 0].astype(float), test.masks[row, label]
        path = notes.get("map_path", "adversarial")
        maps = [saliency(t.network, test.images[[row]], label, path=path)[0] for t in trained]
        if image.ndim == 3:
            middle = int(mask.sum(axis=(0, 1)).argmax())
            image, mask = image[..., middle], mask[..., middle]
            maps = [one[..., middle] for one in maps]
        axes[0, column].imshow(image, cmap="gray", vmin=0, vmax=1)
        axes[0, column].set_title(test.labels[label], color="white", fontsize=8)
        for place, (arm, one) in enumerate(zip(ARMS, maps, strict=True), 1):
            axes[place, column].imshow(shown_map(one), cmap="inferno", vmin=0, vmax=1)
            if column == 0:
                axes[place, 0].set_title(arm, color="white", fontsize=8, loc="left")
        for ax in axes[:, column]:
            ax.contour(mask.astype(float), [0.5], colors="#58a6ff", linewidths=0.7)
    for ax in axes.flat:
        ax.axis("off")
    canvas.subplots_adjust(0.002, 0.002, 0.998, 0.96, wspace=0.03, hspace=0.12)
    return encoded(canvas, dpi=110)


def _examples(test: Classified, headline: list[str]) -> list[tuple[int, int]]:
    """The first images of each headline label, as many of each: nothing is picked."""
    each = max(1, EXAMPLES // len(headline))
    found = []
    for name in headline:
        label = test.labels.index(name)
        rows = np.flatnonzero(test.targets[:, label] == 1)[:each]
        found += [(int(row), label) for row in rows]
    return found


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


def _labels(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """Figures of each label alone."""
    names = sorted({k.split("/")[2] for k in figures if k.startswith("dual/auc/")})
    keys = ("auc", "external_auc", "pointing_game", "saliency_in_mask", "pixel_precision")
    return [
        {"name": name, "cells": [
            (ROWS[key], [figures.get(f"{arm}/{key}/{name}") for arm in ARMS]) for key in keys
        ]}
        for name in names
    ]  # fmt: skip


def _others(figures: dict[str, Any]) -> list[tuple[str, list[dict[str, Any] | None]]]:
    """What maps must beat: other ways of making them, and the mean mask."""
    names = [k.split("/")[0] for k in figures if k.endswith("/pixel_precision")]
    wanted = [n for n in dict.fromkeys(names) if n not in (*ARMS, "dual_minus_standard")]
    keys = ("pointing_game", "saliency_in_mask", "pixel_precision")
    return [(n.replace("_", " "), [figures.get(f"{n}/{key}") for key in keys]) for n in wanted]
