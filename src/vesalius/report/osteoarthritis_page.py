"""`report.html` of the experiment of progression, as far as it has come."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius.evidence.figure import Figure, Results
from vesalius.report.pictures import embedded
from vesalius.report.rendering import rendered, shown
from vesalius.report.sources import results_if_there
from vesalius.report.verdict import verdict
from vesalius.scans.writing import write_text

RISK = ("auc", "sensitivity", "specificity")
FUTURE = ("joint_space_mae_mm", "ssim", "identity_rank1")
PROJECTION = ("seconds", "lpips_or_l2", "joint_space_mae_mm", "risk_auc")


def write_osteoarthritis_report(folder: Path) -> Path:
    """Write `report.html` into the folder of the experiment from what is there already."""
    results = results_if_there(folder)
    figures = results.figures
    content: dict[str, Any] = {
        "title": "what will it look like", "phantoms": True,
        "finished": "risk/extrapolation/auc" in figures, "results": results,
        "conclusions": conclusions(figures), "strip": strip_picture(folder),
        "risk": _rows(figures, "risk", RISK), "future": _rows(figures, "future", FUTURE),
        "projection": _rows(figures, "projection", PROJECTION),
        "neighbours": _rows(figures, "neighbours", ("auc", "joint_space_mae_mm")),
        "figures": figures, "notes": results.notes,
    }  # fmt: skip
    report = folder / "report.html"
    write_text(report, rendered("osteoarthritis.html.j2", content))
    return report


def conclusions(figures: Mapping[str, Figure]) -> list[str]:
    """What the intervals allow to be said, in sentences."""
    said = []
    gap = figures.get("risk/extrapolation_minus_end_to_end/auc")
    ranks = verdict(
        gap, "ranks patients better than", "ranks patients worse than",
        "does not measurably differ from",
    )  # fmt: skip
    if gap and ranks:
        said.append(
            f"Extrapolation {ranks} the end-to-end classifier: {shown(gap)} AUC (n = {gap.n})."
        )
    for other in ("no_change", "mean_difference"):
        gap = figures.get(f"future/extrapolation_minus_{other}/joint_space_mae_mm")
        wrong = verdict(gap, "more than", "less than", "about as much as")
        if gap and wrong:
            said.append(
                f"Its joint spaces are wrong by {wrong} with {other.replace('_', ' ')}: "
                f"{shown(gap)} mm."
            )
    labels, own = (
        figures.get(f"risk/{name}/auc") for name in ("neighbour_labels", "extrapolation")
    )
    if labels and own and labels.value >= own.value:
        said.append(
            f"What neighbours lost ranks patients as well without any picture: {shown(labels)} "
            f"against {shown(own)} AUC."
        )
    fast, slow = (figures.get(f"projection/{way}/seconds") for way in ("encoder", "optimisation"))
    if fast and slow:
        said.append(
            f"Projection by the encoder takes {fast.value:.3g} s a picture, by optimisation "
            f"{slow.value:.3g} s, {slow.value / fast.value:.0f} times as long."
        )
    gap = figures.get("projection/encoder_minus_optimisation/risk_auc")
    if gap and gap.ci95:
        said.append(
            f"Risk along styles of the encoder minus along optimised ones: {shown(gap)} AUC "
            f"(n = {gap.n})."
        )
    return said


def osteoarthritis_table(results: Results) -> str:
    """The figures of the experiment as Markdown."""
    figures, notes = results.figures, results.notes
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
        f"{key.split('/')[2].rsplit('_', 1)[1]} {figure.value:.2f} mm, in real pictures "
        f"{figures[key.replace('spread', 'true_spread')].value:.2f}"
        for key, figure in figures.items() if key.startswith("generator/spread/")
    )  # fmt: skip
    lines.append(
        f"Fréchet distance of generated pictures {shown(figures['generator/fid'])}, of real ones "
        f"{shown(figures['generator/fid_floor'])} (n = {figures['generator/fid'].n}); spread of "
        f"generated joint spaces: {spreads}.\n"
    )
    if notes.get("critic") == "features":
        lines.append(
            "The critic looks through the network that this distance is measured with, which "
            "flatters it.\n"
        )
    seconds = sum(f.value for key, f in figures.items() if key.startswith("seconds/"))
    lines.append(
        f"{figures['risk/extrapolation/auc'].n} unseen patients over "
        f"{notes['horizon_years']:g} years; trajectories of {notes['followed']} others, "
        f"{notes['outcomes']} of whose outcomes the end-to-end classifier has learnt. In brackets "
        f"95 % intervals over patients; one training of each, seed {results.seed}. It took "
        f"{seconds / 60:.0f} minutes on {results.machine['cores']} cores."
    )
    return "\n".join(lines)


def strip_picture(folder: Path) -> str:
    """Patients who progress fast: today, predicted, and what it truly became."""
    return embedded(folder / "strip.png")


def _rows(
    figures: Mapping[str, Figure], part: str, keys: tuple[str, ...]
) -> list[tuple[str, list[Figure | None]]]:
    """Methods in the order in which they were told, each with its figures."""
    names = dict.fromkeys(
        key.split("/")[1] for key in figures
        if key.startswith(f"{part}/") and key.count("/") == 2 and "_minus_" not in key
    )  # fmt: skip
    return [
        (name.replace("_", " "), [figures.get(f"{part}/{name}/{key}") for key in keys])
        for name in names
    ]
