"""`report.html`: one self-contained page about a proof or an experiment, as far as it has come."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.anatomy.attributes import attribute_of, case_values
from vesalius.evidence.copies import audit_rates
from vesalius.evidence.figure import Figure
from vesalius.report import pictures
from vesalius.report.rendering import rendered, shown
from vesalius.report.sources import cohort_if_there, results_if_there, table_if_there
from vesalius.report.verdict import verdict
from vesalius.scans.cohort import Cohort
from vesalius.scans.writing import make_folder, write_text

COLUMNS = 9


@dataclass(frozen=True)
class Sources:
    """Where the things lie that a page shows; what is not there yet is left out."""

    folder: Path
    real: Path
    synthetic: Path
    proof: Path
    attribute: str


def write_report(sources: Sources, path: Path | None = None) -> Path:
    """Write a page, `report.html` in the folder if no path is given, from what is there already."""
    content: dict[str, Any] = {"attribute": sources.attribute, "sections": []}
    results = results_if_there(sources.folder)
    real, synthetic = cohort_if_there(sources.real), cohort_if_there(sources.synthetic)
    phantoms = [c for c in (real, synthetic) if c and c.description.origin == "phantom"]
    figures = results.figures
    content |= {
        "title": results.protocol or "in progress",
        "phantoms": results.rests_on_phantoms if results.figures else bool(phantoms),
        "finished": bool(results.figures),
        "results": results,
        "figures": figures,
        "notes": results.notes,
        "arms": _arms(figures),
        "strata": _strata(figures),
        "guidance": _guidance(figures),
        "conclusions": _conclusions(figures),
        "rates": audit_rates(),
    }
    content["pictures"] = _pictures(sources, real, synthetic, content["notes"])
    path = path or sources.folder / "report.html"
    make_folder(path.parent)
    write_text(path, rendered("page.html.j2", content))
    return path


def _arms(figures: Mapping[str, Figure]) -> list[dict[str, Any]]:
    names = dict.fromkeys(
        key.split("/")[1] for key in figures
        if key.startswith("utility/") and "_minus_" not in key
    )  # fmt: skip
    return [
        {
            "name": name,
            "dice": figures.get(f"utility/{name}/dice"),
            "mae": _first(figures, f"utility/{name}/volume_mae_"),
            "bias": _first(figures, f"utility/{name}/volume_bias_"),
            "difference": _first(figures, f"utility/{name}_minus_real/volume_mae_"),
        }
        for name in names
    ]


def _strata(figures: Mapping[str, Figure]) -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = {}
    for key, figure in figures.items():
        parts = key.split("/")
        if parts[0] == "utility" and len(parts) == 4 and "_to_" in parts[3]:
            table.setdefault(parts[3].replace("_to_", " to "), {})[parts[1]] = figure
    return table


def _guidance(figures: Mapping[str, Figure]) -> list[dict[str, Any]]:
    rows = dict.fromkeys(key.split("/")[1] for key in figures if key.startswith("control/guidance"))
    return [
        {
            "scale": row.removeprefix("guidance_"),
            "slope": figures[f"control/{row}/slope"],
            "r2": figures[f"control/{row}/r2"],
            "mae": figures[f"control/{row}/mae_ml"],
            "acceptance": figures[f"control/{row}/acceptance"],
        }
        for row in rows
    ]


def _conclusions(figures: Mapping[str, Figure]) -> list[str]:
    """What the intervals allow to be said, in sentences; nothing where there is no figure."""
    said = []
    arms = {arm["name"]: arm for arm in _arms(figures)}
    gained = arms.get("augmented", {}).get("difference")
    change = verdict(gained, "raises", "lowers", "does not measurably change")
    if gained and change:
        said.append(
            f"Adding the synthetic cases {change} the volume error on unseen patients: "
            f"{shown(gained)} {gained.unit} against real cases alone "
            f"(n = {gained.n}, paired)."
        )
    for rival in ("resampled", "synthseg_style", "synthetic"):
        compared = _first(figures, f"utility/augmented_minus_{rival}/volume_mae_")
        if compared and verdict(compared, "beats", "", ""):
            said.append(
                f"{rival.replace('_', ' ').capitalize()} beats augmented here: augmented minus "
                f"{rival} is {shown(compared)} {compared.unit}."
            )
    copies = figures.get("memorisation/copies")
    if copies:
        count = int(copies.value)
        said.append(
            f"The audit calls {count} of {copies.n} synthetic cases copies of a training case"
            f"{'.' if count == 0 else ': do not release these.'} {audit_rates()}"
        )
    real, made = figures.get("diversity/real"), figures.get("diversity/synthetic")
    if real and made:
        less = made.value > real.value
        said.append(
            f"Synthetic pairs are {'more' if less else 'less'} alike ({made.value:.3f} MS-SSIM) "
            f"than real pairs ({real.value:.3f})."
        )
    between, real_vs_real = figures.get("fidelity/frd"), figures.get("fidelity/frd_real_to_real")
    if between and real_vs_real:
        said.append(
            f"Fréchet radiomics distance to real scans is {between.value:.3g}, between two "
            f"halves of the real scans {real_vs_real.value:.3g} (n = {between.n} each)."
        )
    return said


def _pictures(
    sources: Sources, real: Cohort | None, synthetic: Cohort | None, notes: dict[str, Any]
) -> dict[str, str]:
    found: dict[str, str] = {}
    if real:
        found["real"] = _montage(real, sources.attribute)
    if synthetic:
        found["synthetic"] = _montage(synthetic, sources.attribute)
    strip = cohort_if_there(sources.folder / "strip")
    if strip:
        found["strip"] = _montage(strip, sources.attribute)
    if real and synthetic:
        attribute = attribute_of(real.description, sources.attribute)
        cases = [c for c in real.cases if c.split not in ("val", "test")]
        found["histogram"] = pictures.histograms(
            case_values(real, attribute.name, cases), case_values(synthetic, attribute.name),
            attribute.name.replace("_", " "), attribute.unit,
        )  # fmt: skip
    for name in ("control", "control_once"):
        rows = table_if_there(sources.folder / f"{name}.csv")
        if rows:
            requested, measured = (
                np.array([float(row[key]) for row in rows]) for key in ("requested", "measured")
            )
            accepted = np.array([row["accepted"] == "1" for row in rows])
            found[name] = pictures.requested_against_measured(requested, measured, accepted, "mL")
    if (sources.proof / "scores.csv").is_file():
        with (sources.proof / "scores.csv").open(newline="") as stream:
            scored = list(csv.reader(stream))[1:]
        arms: dict[str, list[list[float]]] = {}
        for arm, _, _, true, predicted in scored:
            arms.setdefault(arm, []).append([float(true), float(predicted)])
        columns = {arm: (np.array(v)[:, 0], np.array(v)[:, 1]) for arm, v in arms.items()}
        found["errors"] = pictures.predicted_against_true(columns, "mL")
    if "similarity" in notes:
        similar = {way: own for way, own in notes["similarity"].items() if "lead_threshold" in own}
        found["similarity"] = pictures.similarity_and_lead(similar)
    return found


def _montage(cohort: Cohort, attribute: str) -> str:
    """A row of cases from the least to the greatest value of the attribute."""
    known = attribute_of(cohort.description, attribute)
    values = case_values(cohort, attribute)
    order = np.argsort(values)
    picked = order[np.unique(np.linspace(0, len(order) - 1, COLUMNS).round().astype(int))]
    scans = [(f"{values[row]:.0f} {known.unit}", cohort.read(cohort.cases[row])) for row in picked]
    focus = [cohort.description.labels[name] for name in known.labels]
    return pictures.montage(scans, focus)


def _first(figures: Mapping[str, Figure], prefix: str) -> Figure | None:
    """The figure whose name is `prefix` and a unit."""
    return next(
        (
            f
            for key, f in figures.items()
            if key.startswith(prefix) and key.count("/") == prefix.count("/")
        ),
        None,
    )
