"""`report.html` of the lumbar experiment, as far as it has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.evidence.figure import Figure
from vesalius.report import pictures
from vesalius.report.rendering import rendered, shown
from vesalius.report.sources import cohort_if_there, results_if_there, table_if_there
from vesalius.report.verdict import verdict
from vesalius.scans.case import LabelledScan
from vesalius.scans.crop import voxel_of
from vesalius.scans.landmarks import read_landmarks
from vesalius.scans.writing import write_text

METHODS = (
    "voxelwise_trained", "voxelwise_free", "hard_mask", "repaint", "repaint_long", "concat",
    "sdedit", "unedited", "truth", "floor",
)  # fmt: skip
PATHOLOGIES = ("herniation", "stenosis")
PAIRS = 3
HALF_MM = 34.0
OUTLINED = ("herniation", "canal", "cauda_equina")

NEARER, FARTHER = "nearer to real findings than", "farther from real findings than"
SAME = "not measurably different from"


def write_lumbar_report(folder: Path) -> Path:
    """Write `report.html` into the folder of the experiment from what is there already."""
    results = results_if_there(folder)
    figures = results.figures
    content: dict[str, Any] = {
        "title": results.protocol or "in progress", "phantoms": True,
        "finished": bool(figures), "results": results, "figures": figures,
        "notes": results.notes, "conclusions": _conclusions(figures),
        "methods": _by_method(figures, "fid"), "radiomics": _by_method(figures, "frd"),
        "differences": _differences(figures), "edits": _edits(figures),
        "requests": _requests(figures), "arms": _arms(figures),
        "gained": figures.get("utility/augmented_minus_real/auc"),
        "left": figures.get("utility/ceiling_minus_augmented/auc"),
        "pictures": _pictures(folder),
    }  # fmt: skip
    report = folder / "report.html"
    write_text(report, rendered("lumbar.html.j2", content))
    return report


Row = list[tuple[str, LabelledScan]]


def front_picture(folder: Path) -> str:
    """For the README: the first unseen patient before and after, beside the truth, of each."""
    both = [_rows(folder, p, 1, ("voxelwise_trained",)) for p in PATHOLOGIES]
    rows, sheets, around, labels = both[0]
    more = both[1]
    focus = [labels[name] for name in OUTLINED]
    return pictures.before_and_after(
        [*rows, *more[0]], focus, [*sheets, *more[1]], [*around, *more[2]], HALF_MM
    )


def before_and_after_pairs(folder: Path) -> list[dict[str, str]]:
    """For each pathology some unseen patients: before, truth, and what each method made."""
    found = []
    for pathology in PATHOLOGIES:
        rows, sheets, around, labels = _rows(folder, pathology, PAIRS, METHODS)
        if not rows:
            continue
        focus = [labels[name] for name in OUTLINED]
        picture = pictures.before_and_after(rows, focus, sheets, around, HALF_MM)
        caption = (
            f"{pathology.capitalize()} in {len(rows)} unseen patients: the healthy scan, its "
            "counterfactual truth, and one draw of each method; below each what it changed "
            "(blue darker, red brighter) and the labels after the edit."
        )
        found.append({"picture": picture, "caption": caption})
    return found


def _rows(
    folder: Path, pathology: str, count: int, methods: Sequence[str]
) -> tuple[list[Row], list[int], list[tuple[float, float]], dict[str, int]]:
    """Scans of some unseen patients side by side, the slice and the place of the finding."""
    examples = sorted(folder.glob("edits-*/examples"))
    healthy, truth = (cohort_if_there(folder / "unseen" / name) for name in ("healthy", pathology))
    made = cohort_if_there(examples[0]) if examples else None
    if healthy is None or truth is None or made is None:
        return [], [], [], {}
    marks, _ = read_landmarks(truth.folder, {case.name: case for case in truth.cases})
    generated = {case.name: case for case in made.cases}
    rows, sheets, around = [], [], []
    for index in range(min(count, len(truth.cases))):
        mark = marks[truth.cases[index].name][0]
        before = healthy.read(healthy.cases[index])
        row: Row = [("before", before)]
        row.append((f"truth, {mark.level}", truth.read(truth.cases[index])))
        for method in methods:
            case = generated.get(f"{pathology}_{index:03d}_{method}")
            if case is not None:
                row.append((method.replace("_", " "), made.read(case)))
        voxel = voxel_of(before, mark.point_mm)
        rows.append(row)
        sheets.append(round(float(voxel[0])))
        around.append((float(voxel[1]), float(voxel[2])))
    return rows, sheets, around, truth.description.labels


def _pictures(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"pairs": before_and_after_pairs(folder)}
    real = cohort_if_there(folder / "real")
    if real:
        found["cohort"] = pictures.sagittal_row([real.read(case) for case in real.cases[:7]])
    rows = table_if_there(folder / "control.csv")
    if rows:
        panels = {}
        for pathology in PATHOLOGIES:
            own = [row for row in rows if row["pathology"] == pathology]
            requested, measured, taken = (
                np.array([float(row[name]) for row in own])
                for name in ("requested_mm", "measured_mm", "accepted")
            )
            panels[pathology] = (requested, measured, taken)
        found["control"] = pictures.requested_panels(panels, "mm")
    return found


def _by_method(figures: Mapping[str, Figure], unit: str) -> list[dict[str, Any]]:
    rows = []
    for name in METHODS:
        pair = {p: figures.get(f"fidelity/{p}/{name}/{unit}") for p in PATHOLOGIES}
        if any(pair.values()):
            rows.append(
                {"name": name.replace("_", " "), **pair,
                 "calls": figures.get(f"cost/{name}/network_calls"),
                 "seconds": figures.get(f"cost/{name}/seconds")}
            )  # fmt: skip
    return rows


def _differences(figures: Mapping[str, Figure]) -> list[dict[str, Any]]:
    names = dict.fromkeys(key.split("/")[2] for key in figures
                          if key.startswith("fidelity/") and "_minus_" in key)  # fmt: skip
    return [
        {"name": name.replace("_", " "),
         **{p: figures.get(f"fidelity/{p}/{name}/fid") for p in PATHOLOGIES}}
        for name in names
    ]  # fmt: skip


def _edits(figures: Mapping[str, Figure]) -> list[dict[str, Any]]:
    return [
        {
            "name": name.replace("_", " "), "context": figures[f"context/{name}/mae"],
            "raw": figures[f"context/{name}/mae_before_blending"], "seam": figures[f"seam/{name}"],
            "dice": figures[f"anatomy/herniation/{name}/dice"],
            "canal": figures[f"anatomy/herniation/{name}/canal_dice"],
            "stenosis": figures[f"anatomy/stenosis/{name}/dice"],
        }
        for name in METHODS
        if f"seam/{name}" in figures
    ]  # fmt: skip


def _requests(figures: Mapping[str, Figure]) -> list[dict[str, Any]]:
    return [
        {
            "name": p, "first": figures.get(f"request/{p}/first_draw/spearman"),
            "first_mae": figures.get(f"request/{p}/first_draw/mae_mm"),
            "kept": figures.get(f"request/{p}/spearman"),
            "mae": figures.get(f"request/{p}/mae_mm"),
            "acceptance": figures.get(f"request/{p}/acceptance"),
        }
        for p in PATHOLOGIES
        if f"request/{p}/acceptance" in figures
    ]  # fmt: skip


def _arms(figures: Mapping[str, Figure]) -> list[dict[str, Any]]:
    return [
        {"name": arm, "both": figures[f"utility/{arm}/auc"],
         **{p: figures[f"utility/{arm}/{p}/auc"] for p in PATHOLOGIES}}
        for arm in ("real", "augmented", "ceiling")
        if f"utility/{arm}/auc" in figures
    ]  # fmt: skip


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
            "The classifier tells findings of these phantoms without help already, so this "
            "experiment cannot show a gain."
        )
    return said


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
            f"RePaint with {many} ({shown(gap)}, n = {gap.n})."
        )
    return said


def _conclusions(figures: Mapping[str, Figure]) -> list[str]:
    """What the intervals allow to be said, in sentences."""
    said = []
    for pathology in PATHOLOGIES:
        pairs = {
            key.split("/")[2].partition("_minus_"): figure
            for key, figure in figures.items()
            if key.startswith(f"fidelity/{pathology}/voxelwise_trained_minus_")
            and not key.endswith("_long/fid")
        }
        for against in (NEARER, FARTHER, SAME):
            rivals = [
                f"{rival.replace('_', ' ')} ({shown(figure)})"
                for (_, _, rival), figure in pairs.items()
                if verdict(figure, FARTHER, NEARER, SAME) == against
            ]
            if rivals:
                said.append(
                    f"{pathology.capitalize()}: voxelwise trained is {against} "
                    f"{', '.join(rivals)}, Fréchet distance minus theirs at equal network calls."
                )
    said += [*against_long_repaint(figures), *shortcomings(figures)]
    kept = figures.get("context/voxelwise_trained/mae")
    if kept:
        said.append(f"Outside the map the scans changed by {kept.value:g} (n = {kept.n}).")
    gained = figures.get("utility/augmented_minus_real/auc")
    change = verdict(gained, "raise", "lower", "do not measurably change")
    if gained and change:
        said.append(
            f"Inpainted cases {change} the AUC on unseen patients: {shown(gained)} against real "
            f"cases alone (n = {gained.n} patients, paired)."
        )
    return said
