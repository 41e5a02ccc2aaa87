"""Bring the figures and pictures of a finished experiment into the README and the documents.

    python -m vesalius.report.front_page demo/ README.md docs/

copies `results.json` to `docs/results/`, draws the picture of its experiment into `docs/pictures/`,
and fills whichever page holds the two markers of its experiment and preset: no figure there is
typed by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from vesalius.anatomy.attributes import case_values
from vesalius.evidence.figure import Figure
from vesalius.evidence.results import Results
from vesalius.report.audit_page import copies_table
from vesalius.report.front_table import with_evidence
from vesalius.report.lesions_table import lesions_table
from vesalius.report.lumbar_conclusions import TRAINED_ON, conclusions, refused_requests
from vesalius.report.lumbar_page import front_picture
from vesalius.report.machine_page import machine_table, memory_table, plans_table
from vesalius.report.on_the_fly_table import on_the_fly_table
from vesalius.report.osteoarthritis_page import SHUFFLED, osteoarthritis_table, strip_picture
from vesalius.report.pictures import montage, to_png
from vesalius.report.proof_conclusions import WITHOUT_SYNTHETIC
from vesalius.report.realism_section import PINNED, real_places, realism_table, shuffled_picture
from vesalius.report.robustness_page import robustness_picture, robustness_table
from vesalius.report.sections import grid, names, shown
from vesalius.report.staleness import mark_line
from vesalius.report.training_sections import arms_of
from vesalius.report.volumes_pictures import volumes_picture
from vesalius.report.volumes_table import volumes_table
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.writing import copy_file, write_text

ATTRIBUTE = "ventricle_volume_ml"
EACH = 7
STAGES = tuple(
    f"seconds/{stage}" for stage in (
        "phantoms", "unseen_phantoms", "fit", "control", "balance", "strip", "realism", "proof",
    )
)  # fmt: skip


def markers(results: Results) -> tuple[str, str]:
    """Between which lines of a page the figures of an experiment stand.

    >>> markers(Results("lumbar", "demo", 0, True, {}, {}))[0]
    '<!-- lumbar demo figures: begin -->'
    """
    name = " ".join(part for part in (results.protocol, results.preset, "figures") if part)
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def _spread(results: Results) -> str:
    """What intervals of the arms hold beside the choice of cases."""
    often = max(results.notes.get("trainings", {"": 1}).values())
    if often > 1:
        return f", crossed with {often} trainings where there are several"
    return (
        f"; one training each, seed {results.seed}: the spread between trainings of one arm, which "
        "is larger than most differences here, is not in them, so no order of the arms is "
        "established"
    )


def ventricles_table(results: Results) -> str:
    """The figures of the ventricles experiment as Markdown."""
    figures = results.figures
    arms = arms_of(figures)
    columns = {
        f"Dice, {figures['utility/real/dice'].n} unseen large ventricles": "utility/{row}/dice",
        "volume MAE ± SD (mL)": "utility/{row}/volume_mae_ml",
        "MAE minus real (mL)": "utility/{row}_minus_real/volume_mae_ml",
    }
    lines = grid(figures, arms, columns, "the same segmenter trained on").markdown
    control = ", ".join(
        f"{name} {shown(figures[f'control/{key}'])}"
        for name, key in (("slope", "once/slope"), ("R²", "once/r2"), ("acceptance", "acceptance"))
    )
    copies = figures["memorisation/copies"]
    distance, real_vs_real = figures["fidelity/frd"], figures["fidelity/frd_real_vs_real"]
    errors = {arm: figures[f"utility/{arm}/volume_mae_ml"] for arm in arms}
    rival = min(set(arms) & set(WITHOUT_SYNTHETIC), key=lambda arm: errors[arm].value)
    gaps = ", ".join(
        f"{arm} minus {rival.replace('_', ' ')} {shown(gap)} mL"
        for arm in ("synthetic", "augmented")
        if (gap := figures.get(f"utility/{arm}_minus_{rival}/volume_mae_ml"))
    )
    rejected = figures.get("sampling/copies_rejected")
    gate = (
        f"; the copy gate has sent back {shown(rejected)} of draws ({rejected.size})" if rejected
        else "; they were not withheld"
    )  # fmt: skip
    seconds = sum(figure.value for key, figure in figures.items() if key in STAGES)
    return "\n".join(
        [
            *lines,
            "",
            f"The strongest rival without synthetic cases is {rival.replace('_', ' ')}, volume MAE "
            f"{shown(errors[rival])} mL, against {shown(errors['synthetic'])} with synthetic cases "
            f"alone and {shown(errors['augmented'])} with both; {gaps} (below zero is better).",
            "",
            f"Requested against measured volume of {figures['control/once/slope'].n} first draws: "
            f"{control}.{_unmoved(results)} "
            f"The audit calls {copies.value:.0f} of {copies.n} synthetic cases copies of "
            f"training cases{gate}. Fréchet radiomics distance {shown(distance)} "
            f"({distance.size}), real to real {shown(real_vs_real)}. In brackets 95 % "
            f"bootstrap intervals over cases{_spread(results)}. The demo took "
            f"{seconds / 60:.0f} minutes on {results.machine['cores']} cores.",
            *_realism(figures, results.seed),
        ]
    )


def _unmoved(results: Results) -> str:
    """What first draws are before they are moved, where that makes their slope 1."""
    slope = results.figures.get("control/guidance_1/slope")
    if results.notes.get("label_autoencoder") != "deformation" or slope is None:
        return ""
    r2 = shown(results.figures["control/guidance_1/r2"])
    return (
        " First draws are moved until they measure what was requested, so their slope is near 1 by "
        f"construction; before that, uncalibrated, it is {shown(slope)}, R² {r2} ({slope.size})."
    )


def _realism(figures: Mapping[str, Figure], seed: int) -> list[str]:
    """How near generated brains are to unseen ones, in results that hold it."""
    if "brain/realism/frechet_ratio" not in figures:
        return []
    table = realism_table(figures, "brain", PINNED)
    radiomics = shown(figures["brain/realism/radiomics_ratio"])
    distance = f"Radiomics distance over that of real images: {radiomics}."
    answer = ", ".join(map(str, real_places(seed)))
    return [
        "", *table.markdown, "", f"{table.note} {distance}", "",
        f"In the shuffled picture real are {answer}.",
    ]  # fmt: skip


def lumbar_table(results: Results) -> str:
    """The figures of the lumbar experiment as Markdown."""
    figures = results.figures
    count = figures["fidelity/herniation/real_vs_real/fid"].n
    methods = [n for n in names(figures, "fidelity/herniation/{}/fid") if "_minus_" not in n]
    columns = {
        "network calls": "cost/{row}/network_calls",
        f"Fréchet distance, herniation (n = {count})": "fidelity/herniation/{row}/fid",
        "stenosis": "fidelity/stenosis/{row}/fid", "seam": "seam/{row}",
    }  # fmt: skip
    lines = grid(figures, methods, columns, "method").markdown
    sizes = "; ".join(
        f"{p} {shown(figures[f'request/{p}/first_draw/spearman'])} of first draws, mean error "
        f"{shown(figures[f'request/{p}/first_draw/mae_mm'])} mm; after the loop "
        f"{shown(figures[f'request/{p}/spearman'])} ({figures[f'request/{p}/spearman'].n} met of "
        f"{figures[f'request/{p}/met'].n} requests), {shown(figures[f'request/{p}/mae_mm'])} mm, "
        f"{shown(figures[f'request/{p}/acceptance'])} of draws kept"
        for p in ("herniation", "stenosis")
        if f"request/{p}/spearman" in figures
    )
    refused = refused_requests(results.notes)
    beside = f" {refused}" if refused else ""
    aucs = ", ".join(
        f"{arm} {shown(figures[f'utility/{arm}/auc'])}"
        for arm in TRAINED_ON
        if f"utility/{arm}/auc" in figures
    )
    notes = results.notes
    seconds = sum(f.value for key, f in figures.items() if key.startswith("seconds/"))
    return "\n".join(
        [
            *(line for said in conclusions(figures) for line in (said, "")),
            *lines,
            "",
            f"Size requested and measured, rank correlation: {sizes}.{beside} AUC of the "
            f"same classifier at a site of {notes['site_patients']} other patients with "
            f"{notes['site_findings']} findings of each pathology, tested on "
            f"{figures['utility/real/auc'].n}: {aucs}. In "
            f"brackets 95 % intervals; {len(notes['seeds'])} seed"
            f"{'s' if len(notes['seeds']) > 1 else ''} of fit and draws, "
            f"{len(notes['classifier_seeds'])} of the classifier. This run took "
            f"{seconds / 60:.0f} minutes on {results.machine['cores']} cores.",
        ]
    )


def organ_table(results: Results) -> str:
    """What tells whole volumes of a fit from unseen ones, as Markdown."""
    figures, organ = results.figures, results.notes["organ"]
    table = realism_table(figures, organ)
    copies = figures["memorisation/copies"]
    return "\n".join([
        *table.markdown, "", table.note, "",
        f"{_by_stage(figures, organ)}The audit calls {copies.value:.0f} of {copies.n} generated "
        f"volumes copies; no gate held them back. One fit, seed {results.seed}.",
    ])  # fmt: skip


def _by_stage(figures: Mapping[str, Figure], organ: str) -> str:
    """What real volumes lose on the way through the stages, where it was measured."""
    if f"{organ}/realism/through_codes/frechet_ratio" not in figures:
        return ""
    codes, detail = (
        f"{figures[f'{organ}/realism/through_{stage}/frechet_ratio']} and "
        f"{figures[f'{organ}/realism/through_{stage}/power_ratio']}"
        for stage in ("codes", "codes_and_detail")
    )
    return (
        "Fréchet ratio and power of fine detail of real volumes that went through their codes: "
        f"{codes}; with detail generated anew: {detail}. "
    )


TABLES: dict[str, Callable[[Results], str]] = {
    "ventricles": ventricles_table, "lumbar": lumbar_table, "volumes": volumes_table,
    "robustness": robustness_table, "osteoarthritis": osteoarthritis_table,
    "copies": copies_table, "memory": memory_table, "loading": machine_table,
    "shared_machine": machine_table, "sampling": machine_table,
    "breasts": organ_table, "chests": organ_table, "lesions": lesions_table,
    "plans": plans_table, "on_the_fly": on_the_fly_table,
}  # fmt: skip


def pages(readme: Path, docs: Path) -> list[Path]:
    """All pages that may show figures: the README and those of the site."""
    written = [path for path in sorted(docs.rglob("*.md")) if "_build" not in path.parts]
    return [readme, *written]


def page_of(results: Results, pages: Sequence[Path]) -> Path:
    """The page that holds the markers of an experiment and preset.

    >>> page_of(Results("lumbar", "demo", 0, True, {}, {}), [])
    Traceback (most recent call last):
    ValueError: no page has the line <!-- lumbar demo figures: begin -->
    """
    begin, _ = markers(results)
    for page in pages:
        if begin in page.read_text(encoding="utf-8"):
            return page
    raise ValueError(f"no page has the line {begin}")


def filled(page: str, results: Results) -> str:
    """The text of a page with the figures of an experiment between its markers."""
    begin, end = markers(results)
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    said = "\n\n".join(filter(None, [TABLES[results.protocol](results), mark_line(results)]))
    return f"{before}{begin}\n{said}\n{end}{after}"


def ventricles_picture(demo: Path) -> str:
    """Real cases beside synthetic ones, from small to large ventricles."""
    scans: list[tuple[str, LabelledScan]] = []
    for folder, name in (("real", "phantom"), ("balanced", "synthetic")):
        cohort = Cohort.open(demo / folder)
        values = case_values(cohort, ATTRIBUTE)
        order = np.argsort(values)
        picked = order[np.linspace(0, len(order) - 1, EACH).round().astype(int)]
        scans += [
            (f"{name}, {values[row]:.0f} mL", cohort.read(cohort.cases[row])) for row in picked
        ]
    focus = [cohort.description.labels["lateral_ventricles"]]
    return montage(scans, focus)


PICTURES: dict[str, Callable[[Path], str]] = {
    "ventricles": ventricles_picture, "lumbar": front_picture, "volumes": volumes_picture,
    "robustness": robustness_picture, "osteoarthritis": strip_picture,
}  # fmt: skip


def brains_shuffled(demo: Path, seed: int) -> str:
    """Unseen phantoms and generated brains in an order that the table gives away."""
    real, generated = (Cohort.open(demo / name) for name in ("reference", "generated"))
    picture = shuffled_picture(real, generated, ATTRIBUTE, seed)
    assert picture is not None
    return picture.source


def fill_pages(results: Results, readme: Path, docs: Path) -> None:
    """Fill the page that shows these results, and the README's table of all experiments."""
    page = page_of(results, pages(readme, docs))
    write_text(page, filled(page.read_text(encoding="utf-8"), results))
    write_text(readme, with_evidence(readme.read_text(encoding="utf-8"), docs / "results"))


def main(out: Path, readme: Path, docs: Path) -> None:
    """Write the results, the picture and the page."""
    results = Results.read(out)
    for folder in ("results", "pictures"):
        (docs / folder).mkdir(parents=True, exist_ok=True)
    name = f"{results.protocol}-{results.preset}"
    write_text(
        docs / "results" / f"{name}.json", (out / "results.json").read_text(encoding="utf-8")
    )
    to_png(PICTURES[results.protocol](out), docs / "pictures" / f"{name}.png")
    if results.protocol == "ventricles":
        to_png(brains_shuffled(out, results.seed), docs / "pictures" / "brains.png")
    if results.protocol == "osteoarthritis" and results.preset == "demo":
        copy_file(out / SHUFFLED, docs / "pictures" / "knees.png")
    fill_pages(results, readme, docs)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
