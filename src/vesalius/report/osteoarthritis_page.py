"""`report.html` of the experiment of progression, as far as it has come."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius.evidence.figure import Figure
from vesalius.evidence.results import Results
from vesalius.report.pictures import embedded
from vesalius.report.realism_section import realism_table
from vesalius.report.rendering import write_page
from vesalius.report.rivals import against_rivals, rivals_of
from vesalius.report.sections import Page, Picture, Table, Text, grid, names, section, shown
from vesalius.report.sources import results_if_there

RISK = {
    "AUC": "risk/{row}/auc", "sensitivity": "risk/{row}/sensitivity",
    "specificity": "risk/{row}/specificity",
}  # fmt: skip
FUTURE = {
    "joint space error (mm)": "future/{row}/joint_space_mae_mm",
    "SSIM in the joint": "future/{row}/ssim", "own patient first": "future/{row}/identity_rank1",
    "of what the unchanged picture has": "future/{row}/identity_share_of_true",
}  # fmt: skip
FILTERS = "a fixed bank of filters, which no critic looks through"
PROJECTION = {
    "seconds": "projection/{row}/seconds", "difference of pixels": "projection/{row}/lpips_or_l2",
    "joint space error (mm)": "projection/{row}/joint_space_mae_mm",
    "AUC of the risk": "projection/{row}/risk_auc",
}  # fmt: skip
RANKING = {
    "forecast_only": "networks that predict the change from the first picture",
    "baseline_only": "the grade of the first picture",
    "neighbour_labels": "what neighbours lost, without any picture",
    "reconstruction_only": "the grade of the projected first picture",
    "diffusion": "a diffusion model of the future",
}  # fmt: skip
"""What ranks patients without extrapolated pictures."""
NEIGHBOURS = {
    "AUC": "neighbours/{row}/auc", "joint space error (mm)": "neighbours/{row}/joint_space_mae_mm",
}  # fmt: skip


SHUFFLED = "shuffled.png"


def write_osteoarthritis_report(folder: Path) -> Path:
    """Write `report.html` into the folder of the experiment from what is there already."""
    results = results_if_there(folder)
    figures, notes = results.figures, results.notes
    strip = Picture(
        strip_picture(folder), "knees today, predicted and true",
        "The first test patients whose grade rises by more than one, nothing picked. Typical: "
        "along the trajectory of the neighbour whose change is nearest to that of all; 90th "
        "percentile: along one that changes more than nine in ten of them.",
    )  # fmt: skip
    risk = _by_method(figures, RISK)
    meaning = Text(
        f"A grade that rises by more than one within {notes['horizon_years']} years. End-to-end "
        f"classifiers learnt {_counts(notes)} outcomes, extrapolation the pictures and joint "
        f"spaces of {notes['followed']} patients without outcomes. Decisions are taken at the "
        "point that was best on held-out patients. In brackets 95 % intervals over patients."
    ) if risk.rows else None  # fmt: skip
    page = Page(
        "what will it look like", results, [
            section("Today, predicted, true", strip), section("Fast progression", meaning, risk),
            section("Predicted and true pictures", _by_method(figures, FUTURE)),
            section("Generated or real?", _shuffled(folder, notes),
                    realism_table(figures, "knee", FILTERS), _alone(figures)),
            section("Number of neighbours", _by_method(figures, NEIGHBOURS)),
            section("Projection", _by_method(figures, PROJECTION)),
        ], conclusions(figures), phantom_note=(
            "Every knee was made by construction, so its future is known; what holds for phantoms "
            "need not hold for patients."
        ), finished="risk/extrapolation/auc" in figures,
    )  # fmt: skip
    return write_page(page, folder / "report.html")


def _by_method(figures: Mapping[str, Figure], columns: Mapping[str, str]) -> Table:
    """Methods in the order in which they were measured, each with its figures.

    A column of which nothing was measured is left out.
    """
    found = {
        title: [name for name in names(figures, column.replace("{row}", "{}"))
                if "_minus_" not in name]
        for title, column in columns.items()
    }  # fmt: skip
    rows = [name for own in found.values() for name in own]
    there = {title: column for title, column in columns.items() if found[title]}
    return grid(figures, list(dict.fromkeys(rows)), there)


def conclusions(figures: Mapping[str, Figure]) -> list[str]:
    """What the intervals allow to be said, in sentences."""
    said: list[str] = []
    by_risk = rivals_of(
        figures, "risk/{}/auc", "risk/extrapolation_minus_{}/auc", ranking(figures)
    )  # fmt: skip
    spaces = rivals_of(
        figures, "future/{}/joint_space_mae_mm",
        "future/extrapolation_minus_{}/joint_space_mae_mm",
        {"no_change": "no change", "mean_difference": "the mean change of all"},
    )  # fmt: skip
    own, space = (
        figures.get(name)
        for name in ("risk/extrapolation/auc", "future/extrapolation/joint_space_mae_mm")
    )
    said += against_rivals("Extrapolation", "AUC of fast progression", own, by_risk)
    said += against_rivals("Extrapolation", "error of joint spaces", space, spaces, lower=True)
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
            f"({gap.size})."
        )
    return said


def ranking(figures: Mapping[str, Figure]) -> dict[str, str]:
    """What ranks patients without extrapolated pictures, classifiers by their outcomes."""
    found = [name for name in names(figures, "risk/{}/auc") if name.startswith("end_to_end")]
    counts = {name: name.removeprefix("end_to_end").strip("_") for name in found}
    return RANKING | {
        name: f"the end-to-end classifier{f' of {count} outcomes' if count else ''}"
        for name, count in counts.items()
    }


def _counts(notes: Mapping[str, Any]) -> str:
    """Outcomes of the classifiers, in words."""
    counts = notes["outcomes"]
    return " or ".join(map(str, counts if isinstance(counts, list) else [counts]))


def osteoarthritis_table(results: Results) -> str:
    """The figures of the experiment as Markdown."""
    figures, notes = results.figures, results.notes
    fast = {"AUC, fast progression" if k == "AUC" else k: name for k, name in RISK.items()}
    lines = _by_method(figures, fast | FUTURE).markdown
    lines += ["", *(f"{line}\n" for line in conclusions(figures))]
    deviations = "; ".join(
        f"{key.split('/')[2].rsplit('_', 1)[1]} {figure.value:.2f} mm, in real pictures "
        f"{figures[key.replace('spread', 'true_spread')].value:.2f}"
        for key, figure in figures.items() if key.startswith("generator/spread/")
    )  # fmt: skip
    lines.append(
        f"Fréchet distance of generated pictures {shown(figures['generator/fid'])}, of real ones "
        f"{shown(figures['generator/fid_real_vs_real'])} ({figures['generator/fid'].size}); spread "
        f"of generated joint spaces: {deviations}.\n"
    )
    if notes.get("critic") == "features":
        lines.append(
            "The critic looks through the network that this distance is measured with, which "
            "flatters it.\n"
        )
    if "knee/realism/frechet_ratio" in figures:
        table = realism_table(figures, "knee", FILTERS)
        lines += [*table.markdown, "", f"{table.note}\n"]
    if alone := without_detail(figures):
        lines.append(f"{alone}\n")
    if "real_among_shuffled" in notes:
        lines.append(f"In the shuffled picture: {answer(notes)[0].lower()}{answer(notes)[1:]}\n")
    seconds = sum(f.value for key, f in figures.items() if key.startswith("seconds/"))
    lines.append(
        f"{figures['risk/extrapolation/auc'].n} unseen patients over "
        f"{notes['horizon_years']:g} years; trajectories of {notes['followed']} others, "
        f"{_counts(notes)} of whose outcomes the end-to-end classifier has learnt. In brackets "
        f"95 % intervals over patients; one training of each, seed {results.seed}. It took "
        f"{seconds / 60:.0f} minutes on {results.machine['cores']} cores."
    )
    return "\n".join(lines)


def _shuffled(folder: Path, notes: Mapping[str, Any]) -> Picture | None:
    """Unseen and generated knees, once the experiment has written them."""
    if "real_among_shuffled" not in notes:
        return None
    return Picture(
        embedded(folder / SHUFFLED), "real and generated knees, shuffled",
        f"Unseen and generated knees, shuffled. {answer(notes)}",
    )  # fmt: skip


def answer(notes: Mapping[str, Any]) -> str:
    """Which of the shuffled knees are real.

    >>> answer({"real_among_shuffled": [2, 3]})
    'Real are 2, 3.'
    """
    return f"Real are {', '.join(map(str, notes['real_among_shuffled']))}."


def _alone(figures: Mapping[str, Figure]) -> Text | None:
    said = without_detail(figures)
    return Text(said) if said else None


def without_detail(figures: Mapping[str, Figure]) -> str:
    """What the style-based generator reaches alone, in a sentence; empty where it was not held
    against real pictures.
    """
    ratio = figures.get("knee/without_detail/frechet_ratio")
    power = figures.get("knee/without_detail/power_ratio")
    if ratio is None or power is None:
        return ""
    return (
        f"Without the fine stage, from noise of its own, the generator's pictures have a Fréchet "
        f"ratio of {ratio} and {power} of the power of fine detail."
    )


def strip_picture(folder: Path) -> str:
    """Patients who progress fast: today, predicted, and what it truly became."""
    return embedded(folder / "strip.png")
