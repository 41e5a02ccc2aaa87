"""`report.html` of the experiment of interpretable classifiers, as far as it has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vesalius.evidence.discrimination import INDIFFERENCE
from vesalius.evidence.figure import Figure
from vesalius.evidence.results import Results
from vesalius.report.pictures import embedded, encoded, plot
from vesalius.report.rendering import write_page
from vesalius.report.rivals import against_rivals, rivals_of
from vesalius.report.sections import (
    Page,
    Picture,
    Section,
    Table,
    figures_of,
    grid,
    names,
    section,
    shown,
)
from vesalius.report.sources import results_if_there, table_if_there

ARMS = ("standard", "adversarial", "dual")
COLOURS = {"standard": "#8a97a5", "adversarial": "#3b6ea5", "dual": "#c2572b"}
ROWS = {
    "auc": "AUC, same scanner", "external_auc": "AUC, other scanner",
    "calibration_error": "calibration error",
    "robust_auc_published": "robust AUC, published routing",
    "robust_auc_clean_path": "robust AUC, clean-path routing",
    "robust_auc_own_budget": "the same, first images, first training",
    "robust_auc_full_budget": "these with all that AutoAttack spends",
    "pointing_game": "pointing game", "saliency_in_mask": "share of saliency in the mask",
    "pixel_precision": "average precision of pixels", "cost": "cost of training",
}  # fmt: skip


METHODS = {
    "blurred_gradient": "blurred gradient", "smoothgrad": "SmoothGrad",
    "integrated_gradients": "integrated gradients", "gradcam": "Grad-CAM",
}  # fmt: skip
RIVALS = {
    "standard": "gradients of the standard network",
    "adversarial": "adversarial training alone",
    "mean_mask": "the mean mask, which ignores the image",
    **{
        f"{arm}_{method}": f"{name} on {network}"
        for method, name in METHODS.items()
        for arm, network in (
            ("standard", "the standard network"), ("adversarial", "the adversarial one")
        )
    },
}  # fmt: skip
"""What a map of dual training is held against."""


MAPS = {
    "pointing game": "{row}/pointing_game", "share in the mask": "{row}/saliency_in_mask",
    "average precision": "{row}/pixel_precision",
}  # fmt: skip
SIZES = {
    "standard": "size/{row}/standard/auc", "dual": "size/{row}/dual/auc",
    "dual minus standard, paired": "size/{row}/dual_minus_standard/auc",
}  # fmt: skip
OF_A_LABEL = (
    "auc", "external_auc", "pointing_game", "saliency_in_mask", "pixel_precision",
)  # fmt: skip


def write_robustness_report(folder: Path) -> Path:
    """Write `report.html` into the folder of the experiment from what is there already."""
    results = results_if_there(folder)
    kinds = {
        path.parent.name: figures_of(results.figures, path.parent.name)
        for path in sorted(folder.glob("*/real"))
    }
    sections = [
        one for data, own in kinds.items()
        for one in _sections(folder / data, data, own, results.notes.get(data, {}))
    ]  # fmt: skip
    page = Page(
        "interpretable classifiers", results, sections,
        [line for data, own in kinds.items() for line in conclusions(data, own)],
        phantom_note=(
            "Every image was made by construction, so where a disease is, is known; what holds "
            "for phantoms need not hold for patients."
        ),
        finished=bool(kinds) and all("dual/pointing_game" in own for own in kinds.values()),
    )  # fmt: skip
    return write_page(page, folder / "report.html")


def _sections(
    folder: Path, data: str, figures: Mapping[str, Figure], notes: Mapping[str, Any]
) -> list[Section]:
    maps = Picture(
        embedded(folder / "maps.png"), "images with the saliency maps of three trainings",
        "The first test images that show a headline label, nothing picked: the image, and the "
        "input gradient of each training; of dual training through its "
        f"{notes.get('map_path', 'adversarial')} path, the one whose maps lay more inside the "
        "masks of held-out images. Blue: where the disease is. Maps of the adversarial path "
        "explain a predictor that answers a little worse than the clean path, which is the one "
        "deployed.",
    )  # fmt: skip
    curve = Picture(
        _curve(folder), "AUC over the size of the attack",
        "As published each image takes the path of its kind, which needs somebody who knows which "
        "images are attacked. Clean-path: all take the clean path, and it is attacked itself.",
    )  # fmt: skip
    note = (
        "In brackets 95 % bootstrap intervals over patients. Maps: "
        f"{', '.join(notes.get('headline', ()))}."
    )
    others = [n for n in names(figures, "{}/pixel_precision")
              if n not in ARMS and "_minus_" not in n]  # fmt: skip
    labels = [
        section(
            label.replace("_", " "), by_arm(figures, OF_A_LABEL, ending=f"/{label}"), level=3
        )
        for label in sorted(names(figures, "dual/auc/{}"))
    ]  # fmt: skip
    return [
        section(data, maps, by_arm(figures, ROWS, note=note), curve),
        section("Other maps, and what any must beat", grid(figures, others, MAPS), level=3),
        section(
            "By number of training images",
            grid(
                figures, names(figures, "size/{}/dual_minus_standard/auc"), SIZES, "images",
                "AUC on the same scanner; one training of each.",
            ),
            level=3,
        ),
        *labels,
    ]  # fmt: skip


def by_arm(
    figures: Mapping[str, Figure], keys: Iterable[str], ending: str = "", note: str = "",
    head: str = "",
) -> Table:  # fmt: skip
    """Measures of the three trainings, those of dual training that are there."""
    rows = {ROWS[key]: key for key in keys if f"dual/{key}{ending}" in figures}
    columns = {arm: f"{arm}/{{row}}{ending}" for arm in ARMS}
    return grid(figures, rows, columns, head, note)


def conclusions(data: str, figures: Mapping[str, Figure]) -> list[str]:
    """What the intervals allow to be said of one kind of data, in sentences."""
    said: list[str] = []
    trainings = {"standard": "ordinary training", "adversarial": "adversarial training alone"}
    for key, reported in (("auc", "on the same scanner"), ("external_auc", "on the other scanner")):
        rivals = rivals_of(figures, f"{{}}/{key}", f"dual_minus_{{}}/{key}", trainings)
        said += against_rivals(
            f"{data}: dual training", f"AUC {reported}", figures.get(f"dual/{key}"), rivals,
            margin=INDIFFERENCE,
        )  # fmt: skip
    for key in ("pointing_game", "saliency_in_mask", "pixel_precision"):
        rivals = rivals_of(figures, f"{{}}/{key}", f"dual_minus_{{}}/{key}", RIVALS)
        said += against_rivals(
            f"{data}: dual training", f"{ROWS[key]} of its maps", figures.get(f"dual/{key}"), rivals
        )
    published, clean_path = (
        figures.get(f"dual/robust_auc_{routing}") for routing in ("published", "clean_path")
    )
    if published and clean_path:
        said.append(
            f"{data}: under attack dual training keeps an AUC of {shown(published)} as published, "
            f"when attacked images are known as such, and {shown(clean_path)} in a deployment that "
            f"cannot know ({clean_path.size})."
        )
    return said


def robustness_table(results: Results) -> str:
    """The figures of the experiment as Markdown."""
    kinds = [name for name in results.notes if f"{name}/dual/auc" in results.figures]
    lines: list[str] = []
    for data in kinds:
        own = figures_of(results.figures, data)
        lines += by_arm(own, ROWS, head=data).markdown
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
        for routing, style in (("published", "--"), ("clean_path", "-")):
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
