"""`report.html` of the lumbar experiment, as far as it has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.evidence.figure import Figure
from vesalius.report import pictures
from vesalius.report.lumbar_conclusions import (
    METHODS,
    PATHOLOGIES,
    TRAINED_ON,
    conclusions,
    refused_requests,
)
from vesalius.report.realism_section import PINNED, realism_table
from vesalius.report.rendering import write_page
from vesalius.report.sections import Page, Picture, Section, Wiper, grid, names, section, shown
from vesalius.report.slices import wiper
from vesalius.report.sources import cohort_if_there, results_if_there, table_if_there
from vesalius.scans.case import LabelledScan
from vesalius.scans.crop import voxel_of
from vesalius.scans.landmarks import read_landmarks

PAIRS = 3
HALF_MM = 34.0
OUTLINED = ("herniation", "canal", "cauda_equina")


def write_lumbar_report(folder: Path) -> Path:
    """Write `report.html` into the folder of the experiment from what is there already."""
    results = results_if_there(folder)
    figures, notes = results.figures, results.notes
    real = cohort_if_there(folder / "real")
    shown_cases = [real.read(case) for case in real.cases[:7]] if real else []
    cohort = Picture(
        pictures.sagittal_row(shown_cases) if shown_cases else "",
        "sagittal T2 slices of phantom spines",
        "Sagittal T2 slices; discs and canal outlined in the second row of each pair below.",
    )
    page = Page(
        results.protocol or "in progress", results, [
            section("The cohort", cohort),
            section("Before and after", *wipers(folder), *before_and_after_pairs(folder)),
            _fidelity(figures, notes), _edits(figures, notes), _requests(folder, figures, notes),
            section("Generated or real?", realism_table(figures, "spine", PINNED)),
            _utility(figures, notes),
        ], conclusions(figures), LIMITS, phantom_note=(
            "“Real” below means a phantom lumbar spine, built by construction; what holds for "
            "phantoms need not hold for patients."
        ), finished=bool(figures),
    )  # fmt: skip
    return write_page(page, folder / "report.html")


LIMITS = (
    "Phantoms vary less than patients, have no other disease, and their labels are exact.",
    "Methods are compared at first draw, without rejection; what vesalius inpaint writes is "
    "generated again where it misses its size.",
    "Intervals of the classifier cover the choice of test patients, not of training seeds or of "
    "the site.",
)


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count > 1 else ''}"


def _fidelity(figures: Mapping[str, Figure], notes: Mapping[str, Any]) -> Section:
    title = "How near to real findings? Fréchet distance of crops around the disc"
    distances = {p: f"fidelity/{p}/{{row}}/fid" for p in PATHOLOGIES}
    methods = grid(
        figures, METHODS, {
            "network calls": "cost/{row}/network_calls", **distances,
            "seconds a case": "cost/{row}/seconds",
        }, "method",
    )  # fmt: skip
    if not methods.rows:
        return section(title)
    count = figures[f"fidelity/herniation/{METHODS[-1]}/fid"].n
    note = (
        f"Features of {notes.get('features') or 'EfficientNet-Lite0'}; {count} unseen patients "
        f"for each pathology, {_plural(len(notes['seeds']), 'seed')}. “Floor” is the distance "
        "between two sets of real findings of the same number, “truth” that of the counterfactual "
        "truth of the same patients, “unedited” that of the healthy scans. In brackets 95 % "
        "jackknife intervals over patients; ± is the SD between seeds, of seconds that between "
        "patients."
    )
    pairs = [name for name in names(figures, "fidelity/herniation/{}/fid") if "_minus_" in name]
    counted = figures.get("fidelity/herniation/real_vs_real/frd")
    radiomics = grid(
        figures, METHODS, {p: f"fidelity/{p}/{{row}}/frd" for p in PATHOLOGIES},
        "Fréchet radiomics distance",
        f"n = {counted.n if counted else 0} for each; there are more features than cases, so only "
        "the comparison with the floor means something.",
    )  # fmt: skip
    return section(
        title, replace(methods, note=note),
        grid(figures, pairs, distances, "difference, paired by patient"), radiomics,
    )  # fmt: skip


def _edits(figures: Mapping[str, Figure], notes: Mapping[str, Any]) -> Section:
    methods = [name for name in METHODS if f"seam/{name}" in figures]
    columns = {
        "change outside the map": "context/{row}/mae",
        "the same before blending": "context/{row}/mae_before_blending", "seam": "seam/{row}",
        "Dice of herniation": "anatomy/herniation/{row}/dice",
        "Dice of canal, herniation": "anatomy/herniation/{row}/canal_dice",
        "Dice of canal, stenosis": "anatomy/stenosis/{row}/dice",
        "darkening of the disc, herniation": "anatomy/herniation/{row}/disc_darker",
        "its loss of height": "anatomy/herniation/{row}/disc_flatter",
    }  # fmt: skip
    note = (
        "Changes in the units of the scans. Seam: steepness across the border of the edit over "
        "that of the same border in the scan before; 1 is no seam. Dice against the "
        "counterfactual truth inside the map: a method that generates another herniation of the "
        "same size at the same point need not reach 1. Darkening and loss of height of the disc "
        "are shares of what the counterfactual truth shows, which is 1."
    )
    return section("Context, seam, anatomy", grid(figures, methods, columns, "method", note))


def _requests(folder: Path, figures: Mapping[str, Figure], notes: Mapping[str, Any]) -> Section:
    columns = {
        "Spearman, first draw": "request/{row}/first_draw/spearman",
        "mean error, first draw (mm)": "request/{row}/first_draw/mae_mm",
        "Spearman, kept": "request/{row}/spearman", "mean error, kept (mm)": "request/{row}/mae_mm",
        "share of draws kept": "request/{row}/acceptance",
    }  # fmt: skip
    rows = table_if_there(folder / "control.csv")
    panels = {}
    for pathology in PATHOLOGIES:
        own = [row for row in rows if row["pathology"] == pathology]
        requested, measured, taken = (
            np.array([float(row[name]) for row in own])
            for name in ("requested_mm", "measured_mm", "accepted")
        )
        panels[pathology] = (requested, measured, taken)
    picture = pictures.requested_panels(panels, "mm") if rows else ""
    return section(
        "Size requested and size measured", Picture(picture, "requested against measured"),
        grid(figures, PATHOLOGIES, columns, note=refused_requests(notes)),
    )  # fmt: skip


def _utility(figures: Mapping[str, Figure], notes: Mapping[str, Any]) -> Section:
    title = "Does it help? The same classifier, trained alike on each set"
    if "utility/real/auc" not in figures:
        return section(title)
    gained, left = (
        shown(figures.get(f"utility/{name}/auc"))
        for name in ("augmented_minus_real", "upper_bound_minus_augmented")
    )
    note = (
        f"Augmented minus real {gained}, upper bound minus augmented {left}; "
        f"{figures['utility/real/auc'].n} unseen patients, 95 % bootstrap intervals over "
        f"patients, of the mean of {_plural(len(notes['classifier_seeds']), 'training')} each. "
        f"“Real” are the scans of another site: {notes['site_patients']} patients whom the run "
        f"has not seen, with {notes['site_findings']} findings of each pathology. “Augmented” "
        f"adds {notes['balanced_cases']} findings set into these same patients by the run; so it "
        "brings to the site what the run has learnt from the cohort above. “Pooled” adds the "
        "scans of that cohort themselves, which a site would use that could have them. “Upper "
        "bound” adds the counterfactual truth of the same donors instead of the inpainted scans."
    )
    columns = {"AUC, mean of both": "utility/{row}/auc"} | {
        p: f"utility/{{row}}/{p}/auc" for p in PATHOLOGIES
    }
    return section(title, grid(figures, TRAINED_ON, columns, "trained on", note))


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


def wipers(folder: Path) -> list[Wiper]:
    """For each pathology the first unseen patient, to be wiped from before to after."""
    found = []
    for pathology in PATHOLOGIES:
        rows, *_ = _rows(folder, pathology, 1, ("voxelwise_trained",))
        if rows and len(rows[0]) > 2:
            (_, before), _, (_, after) = rows[0][:3]
            caption = f"{pathology.capitalize()}: the slider uncovers the scan after the edit."
            found.append(
                wiper(before.channels[0], after.channels[0], f"an edited {pathology}", caption, 0)
            )
    return found


def before_and_after_pairs(folder: Path) -> list[Picture]:
    """For each pathology some unseen patients: before, truth, and what each method made."""
    result = []
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
        result.append(Picture(picture, "before, truth and edits", caption))
    return result


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
