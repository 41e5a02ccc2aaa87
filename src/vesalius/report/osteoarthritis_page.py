"""`report.html` of the experiment of progression, as far as it has come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas

from vesalius.methods.progression.futures import Forecaster
from vesalius.report.pictures import encoded
from vesalius.report.rendering import rendered, shown
from vesalius.report.sources import json_if_there
from vesalius.scans.visit_layouts import read_visits
from vesalius.scans.visits import Visits
from vesalius.scans.writing import write_text

matplotlib.use("Agg")

RISK = ("auc", "sensitivity", "specificity")
FUTURE = ("joint_space_mae_mm", "ssim", "identity_rank1")
PROJECTION = ("seconds", "lpips_or_l2", "joint_space_mae_mm", "risk_auc")
PATIENTS, SIDES = 6, ("medial", "lateral")


def write_osteoarthritis_report(folder: Path) -> Path:
    """Write `report.html` into the folder of the experiment from what is there already."""
    results = json_if_there(folder / "results.json")
    figures = results.get("figures", {})
    content: dict[str, Any] = {
        "title": "what will it look like", "phantoms": True,
        "finished": "risk/extrapolation/auc" in figures, "results": results,
        "conclusions": conclusions(figures), "strip": strip_picture(folder),
        "risk": _rows(figures, "risk", RISK), "future": _rows(figures, "future", FUTURE),
        "projection": _rows(figures, "projection", PROJECTION),
        "neighbours": _rows(figures, "neighbours", ("auc", "joint_space_mae_mm")),
        "figures": figures, "notes": results.get("notes", {}),
    }  # fmt: skip
    report = folder / "report.html"
    write_text(report, rendered("osteoarthritis.html.j2", content))
    return report


def conclusions(figures: dict[str, Any]) -> list[str]:
    """What the intervals allow to be said, in sentences."""
    said = []
    gap = figures.get("risk/extrapolation_minus_end_to_end/auc")
    if gap and gap["ci95"]:
        low, high = gap["ci95"]
        verdict = (
            "ranks patients better than" if low > 0
            else "ranks patients worse than" if high < 0
            else "is not told apart from"
        )  # fmt: skip
        said.append(
            f"Extrapolation {verdict} the end-to-end classifier: {shown(gap)} AUC (n = {gap['n']})."
        )
    for other in ("no_change", "mean_difference"):
        gap = figures.get(f"future/extrapolation_minus_{other}/joint_space_mae_mm")
        if gap and gap["ci95"]:
            low, high = gap["ci95"]
            verdict = "less than" if high < 0 else "more than" if low > 0 else "about as much as"
            said.append(
                f"Its joint spaces are wrong by {verdict} with {other.replace('_', ' ')}: "
                f"{shown(gap)} mm."
            )
    labels, own = (
        figures.get(f"risk/{name}/auc") for name in ("neighbour_labels", "extrapolation")
    )
    if labels and own and labels["value"] >= own["value"]:
        said.append(
            f"What neighbours lost ranks patients as well without any picture: {shown(labels)} "
            f"against {shown(own)} AUC."
        )
    fast, slow = (figures.get(f"projection/{way}/seconds") for way in ("encoder", "optimisation"))
    if fast and slow:
        said.append(
            f"Projection by the encoder takes {fast['value']:.3g} s a picture, by optimisation "
            f"{slow['value']:.3g} s, {slow['value'] / fast['value']:.0f} times as long."
        )
    gap = figures.get("projection/encoder_minus_optimisation/risk_auc")
    if gap and gap["ci95"]:
        said.append(
            f"Risk along styles of the encoder minus along optimised ones: {shown(gap)} AUC "
            f"(n = {gap['n']})."
        )
    return said


def osteoarthritis_table(results: dict[str, Any]) -> str:
    """The figures of the experiment as Markdown."""
    figures, notes = results["figures"], results["notes"]
    lines = [
        "| | AUC, fast progression | sensitivity | specificity | joint space error (mm) "
        "| SSIM in the joint | own patient first |",
        "|---|---|---|---|---|---|---|",
    ]
    futures = dict(_rows(figures, "future", FUTURE))
    for name, risk in _rows(figures, "risk", RISK):
        cells = [*risk, *futures.get(name, [None] * len(FUTURE))]
        lines.append(f"| {name} | {' | '.join(shown(cell) for cell in cells)} |")
    lines += ["", *(f"{line}\n" for line in conclusions(figures))]
    spreads = "; ".join(
        f"{key.split('/')[2].rsplit('_', 1)[1]} {figure['value']:.2f} mm, in real pictures "
        f"{figures[key.replace('spread', 'true_spread')]['value']:.2f}"
        for key, figure in figures.items() if key.startswith("generator/spread/")
    )  # fmt: skip
    lines.append(
        f"Fréchet distance of drawn pictures {shown(figures['generator/fid'])}, of real ones "
        f"{shown(figures['generator/fid_floor'])} (n = {figures['generator/fid']['n']}); spread of "
        f"drawn joint spaces: {spreads}.\n"
    )
    if notes.get("critic") == "features":
        lines.append(
            "The critic looks through the network that this distance is measured with, which "
            "flatters it.\n"
        )
    seconds = sum(f["value"] for key, f in figures.items() if key.startswith("seconds/"))
    lines.append(
        f"{figures['risk/extrapolation/auc']['n']} unseen patients over "
        f"{notes['horizon_years']:g} years; courses of {notes['followed']} others, "
        f"{notes['outcomes']} of whose outcomes the end-to-end classifier has learnt. In brackets "
        f"95 % intervals over patients; one training of each, seed {results['seed']}. It took "
        f"{seconds / 60:.0f} minutes on {results['machine']['cores']} cores."
    )
    return "\n".join(lines)


def strip_picture(folder: Path) -> str:
    """The first test patients who progress fast: now, foreseen, and what it truly became."""
    run = folder / "run"
    if not (run / "courses.safetensors").is_file() or not (folder / "test/cases.csv").is_file():
        return ""
    forecaster = Forecaster.open(run)
    visits = read_visits(folder / "test", forecaster.seen.shape[0])
    pairs = _fast(visits)[:PATIENTS]
    if not pairs:
        return ""
    first = visits.taken([a for a, _ in pairs])
    horizon = float(visits.years[pairs[0][1]] - visits.years[pairs[0][0]])
    times = [horizon / 2, horizon]
    images = first.images.astype(np.float32)
    found = forecaster.futures(images, forecaster.projected(images).styles, times, first.patients)
    rows = [
        "now", "drawn now", *(f"{one:g} years, typical" for one in times),
        f"{horizon:g} years, one in ten", f"true, {horizon:g} years",
    ]  # fmt: skip
    canvas = Canvas(figsize=(1.7 * len(pairs), 1.75 * len(rows)), facecolor="black")
    axes = canvas.subplots(len(rows), len(pairs), squeeze=False)
    names = [f"joint_space_mm_{side}" for side in SIDES]
    spaces = np.stack([visits.attributes[name] for name in names], axis=1)
    for column, (before, after) in enumerate(pairs):
        each = [
            visits.images[before, 0], found.generated_now[column, 0],
            *found.usual.pictures[column, :, 0], found.fast.pictures[column, -1, 0],
            visits.images[after, 0],
        ]  # fmt: skip
        for place, picture in enumerate(each):
            axes[place, column].imshow(picture.astype(float), cmap="gray", vmin=0, vmax=1)
            axes[place, column].axis("off")
            if column == 0:
                axes[place, 0].text(
                    0.02, 0.97, rows[place], color="white", fontsize=8, va="top",
                    transform=axes[place, 0].transAxes,
                )  # fmt: skip
        reported = {
            0: spaces[before], 3: found.usual.readings[column, -1],
            4: found.fast.readings[column, -1], len(rows) - 1: spaces[after],
        }  # fmt: skip
        for place, both in reported.items():
            line = ", ".join(f"{name} {space:.1f}" for name, space in zip(SIDES, both, strict=True))
            axes[place, column].set_title(f"{line} mm", color="white", fontsize=7, pad=2)
    canvas.subplots_adjust(0.002, 0.002, 0.998, 0.98, wspace=0.03, hspace=0.12)
    return encoded(canvas, dpi=110)


def _fast(visits: Visits) -> list[tuple[int, int]]:
    """First and last rows of those whose grade rose by more than one, in order of their names."""
    grades = visits.attributes["kl_grade"]
    ends = [(int(rows[0]), int(rows[-1])) for rows in visits.trajectories().values()]
    return [(a, b) for a, b in ends if grades[b] - grades[a] > 1]


def _rows(
    figures: dict[str, Any], part: str, keys: tuple[str, ...]
) -> list[tuple[str, list[dict[str, Any] | None]]]:
    """Methods in the order in which they were told, each with its figures."""
    names = dict.fromkeys(
        key.split("/")[1] for key in figures
        if key.startswith(f"{part}/") and key.count("/") == 2 and "_minus_" not in key
    )  # fmt: skip
    return [
        (name.replace("_", " "), [figures.get(f"{part}/{name}/{key}") for key in keys])
        for name in names
    ]
