"""Figures of lesions that were set into healthy scans, as the documents show them."""

from __future__ import annotations

from vesalius.evidence.results import Results
from vesalius.report.sections import grid, shown

ROWS = ("edited", "pasted", "unedited")
COLUMNS = {
    "Fréchet distance over real to real": "lesions/{row}/realism/frechet_ratio",
    "AUC of a small network": "lesions/{row}/realism/two_sample_auc",
    "AUC of pinned features": "lesions/{row}/realism/two_sample_auc_of_features",
    "power of fine detail": "lesions/{row}/realism/power_ratio",
    "error of the size (mm)": "lesions/control/{row}/mae_mm",
    "inside (HU)": "lesions/{row}/core_hu",
    "border (HU)": "lesions/{row}/border_hu",
}


def lesions_table(results: Results) -> str:
    """Edits beside pasted lesions, unedited scans and the truth, as Markdown."""
    figures = results.figures
    low, high = results.notes["size_mm"]
    count = figures["lesions/control/edited/mae_mm"].n
    truth = ", ".join(
        f"{name} {shown(figures[f'lesions/truth/{key}'])} HU"
        for name, key in (("inside", "core_hu"), ("at the border", "border_hu"))
    )
    control = ", ".join(
        f"{name} {shown(figures[f'lesions/control/edited/{key}'])}"
        for name, key in (("slope", "slope"), ("R²", "r2"))
    )
    strongest = min(
        ("edited", "pasted"), key=lambda row: figures[f"lesions/{row}/realism/frechet_ratio"].value
    )
    other = "pasted" if strongest == "edited" else "edited"
    met, tries = figures["lesions/control/met"], figures["lesions/control/tries"]
    kept = figures["lesions/control/met/mae_mm"]
    spared = [figures[f"lesions/context/spared_mae_hu{end}"] for end in ("", "_unedited")]
    outside = figures["lesions/context/changed_outside_the_map"]
    nothing, edited = (
        figures[f"lesions/{row}/realism/frechet_ratio"] for row in ("unedited", "edited")
    )
    blind = nothing.ci95 is not None and nothing.ci95[0] <= edited.value
    said = (
        " Crops without any nodule are not separated from real ones either "
        f"({shown(nothing)}), so these distances say little of nodules." if blind else ""
    )  # fmt: skip
    return "\n".join([
        f"Nearest to real nodules are {strongest} ones: Fréchet ratio "
        f"{shown(figures[f'lesions/{strongest}/realism/frechet_ratio'])}, {other} ones "
        f"{shown(figures[f'lesions/{other}/realism/frechet_ratio'])}.{said}", "",
        *grid(figures, ROWS, COLUMNS, "nodules").markdown, "",
        f"First draws, n = {count} unseen patients, each asked for the nodule that its "
        f"counterfactual truth has: real ones hold {truth}. Requested against measured diameter, "
        f"{low:.0f} to {high:.0f} mm: {control}. With tries until it is within 1 mm, at most ten: "
        f"{shown(met)} met, mean error {shown(kept)} mm, {shown(tries)} tries. In the map but "
        f"beside the nodules the edit is {shown(spared[0])} HU from the truth, the unedited scan "
        f"{shown(spared[1])} HU. Edits with a voxel changed outside of the map: "
        f"{shown(outside)} of {outside.n}. Learnt from "
        f"{figures['lesions/training/lesions'].value:.0f} nodules of phantoms, one fit, edits of "
        f"seed {results.seed}; in brackets 95 % intervals.",
    ])  # fmt: skip
