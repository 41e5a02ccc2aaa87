"""`report.html` of the experiment of whole volumes, as far as it has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas

from vesalius.evidence.figure import Figure, Results
from vesalius.report.pictures import REAL, SYNTHETIC, encoded, plot
from vesalius.report.rendering import figures_of, rendered, shown
from vesalius.report.sources import cohort_if_there, results_if_there
from vesalius.report.verdict import verdict
from vesalius.scans.case import Scan
from vesalius.scans.writing import write_text

matplotlib.use("Agg")

ARMS = ("scratch", "synthetic", "real", "scrambled", "noise", "longer")
CONTROLLED = {"scrambled": "volumes with their octants exchanged", "noise": "noise"}
EACH = 4
COLOURS = {"scratch": "#8a97a5", "synthetic": SYNTHETIC, "real": REAL}


def write_volumes_report(folder: Path) -> Path:
    """Write `report.html` into the folder of the experiment from what is there already."""
    results = results_if_there(folder)
    figures, notes = results.figures, results.notes
    found = [path.parent.name for path in sorted(folder.glob("*/real"))]
    organs = []
    for organ in found:
        own = figures_of(figures, organ)
        organs.append(
            {
                "name": organ, "figures": own, "notes": notes.get(organ, {}),
                "picture": volumes_picture(folder, [organ]),
                "curve": _curve(own), "fractions": _fractions(own), "primary": _primary(own),
                "distances": {k[9:]: f for k, f in own.items() if k.startswith("fidelity/fid")},
                "paces": {k[15:]: f for k, f in own.items() if k.startswith("seconds/volume_")},
            }
        )  # fmt: skip
    finished = bool(figures) and all(
        any(key.startswith("pretraining/primary") for key in o["figures"]) for o in organs
    )
    said = [line for o in organs for line in conclusions(o["name"], o["figures"], o["notes"])]
    content: dict[str, Any] = {
        "title": "whole volumes", "phantoms": True, "finished": finished, "results": results,
        "figures": {key.replace("/seconds/", " "): f for key, f in figures.items()} | {
            f"seconds/{key.replace('/seconds', '')}": f
            for key, f in figures.items()
            if "/seconds/" in key and "/volume_" not in key
        },
        "conclusions": said, "organs": organs,
    }  # fmt: skip
    report = folder / "report.html"
    write_text(report, rendered("volumes.html.j2", content))
    return report


def volumes_picture(folder: Path, organs: Sequence[str] | None = None) -> str:
    """Real volumes beside generated ones, the middle slices across three axes, nothing picked."""
    chosen = organs or [path.parent.name for path in sorted(folder.glob("*/real"))]
    rows = []
    for organ in chosen:
        sets = []
        for name, reported in (("unseen", "phantom"), ("drawn", "synthetic")):
            cohort = cohort_if_there(folder / organ / name, labelled=False)
            if cohort:
                scans = [cohort.read_images(case) for case in cohort.cases[:EACH]]
                sets.append((f"{organ}, {reported}", scans))
        if sets:
            rows.append(sets)
    return three_planes(rows) if rows else ""


def three_planes(rows: Sequence[Sequence[tuple[str, Sequence[Scan]]]]) -> str:
    """Sets of scans side by side, each as three rows of slices: axial, coronal, sagittal."""
    columns = max(sum(len(scans) for _, scans in sets) for sets in rows)
    heights: list[float] = []
    for sets in rows:
        first = sets[0][1][0].channels[0].oriented("RAS")
        x, y, z = (n * mm for n, mm in zip(first.shape, first.spacing_mm, strict=True))
        heights += [y / x, z / x, z / y]
    canvas = Canvas(figsize=(1.4 * columns, 1.4 * sum(heights) + 0.3 * len(rows)))
    canvas.set_facecolor("black")
    axes = canvas.subplots(
        3 * len(rows), columns, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for ax in axes.flat:
        ax.axis("off")
    for block, sets in enumerate(rows):
        every = [scan for _, scans in sets for scan in scans]
        pooled = np.concatenate([scan.channels[0].voxels.ravel()[::31] for scan in every])
        low, high = np.percentile(pooled, [1, 99.5])
        for column, scan in enumerate(every):
            image = scan.channels[0].oriented("RAS")
            a, b, c = (side // 2 for side in image.shape)
            x, y, z = image.spacing_mm
            planes = (
                (image.voxels[:, :, c], y / x),
                (image.voxels[:, b], z / x),
                (image.voxels[a], z / y),
            )
            for row, (pixels, aspect) in enumerate(planes):
                axes[3 * block + row, column].imshow(
                    pixels.T, cmap="gray", origin="lower", vmin=low, vmax=high, aspect=aspect
                )
        start = 0
        for name, scans in sets:
            axes[3 * block, start].set_title(name, color="white", fontsize=9, loc="left")
            start += len(scans)
    canvas.subplots_adjust(0.002, 0.002, 0.998, 0.95, wspace=0.03, hspace=0.15)
    return encoded(canvas, dpi=100)


def _fractions(figures: Mapping[str, Figure]) -> list[dict[str, Any]]:
    """Dice of the three main arms at each fraction."""
    names = sorted(
        {k.split("/")[1] for k in figures if k.startswith("pretraining/") and k.endswith("/dice")},
        key=float,
    )
    return [
        {"fraction": name, **{a: figures.get(f"pretraining/{name}/{a}/dice") for a in ARMS[:3]}}
        for name in names
    ]


def _primary(figures: Mapping[str, Figure]) -> list[dict[str, Any]]:
    """Every paired difference at the primary fraction."""
    start = "pretraining/primary/"
    return [
        {"name": stated_gain(key.removeprefix(start)), "figure": figure}
        for key, figure in figures.items()
        if key.startswith(start)
    ]


def stated_gain(name: str) -> str:
    """The name of a paired difference in words.

    >>> stated_gain("dice_gain"), stated_gain("real_gain"), stated_gain("synthetic_minus_noise")
    ('synthetic minus scratch', 'real minus scratch', 'synthetic minus noise')
    """
    if name == "dice_gain":
        return "synthetic minus scratch"
    if name.endswith("_gain"):
        return f"{name.removesuffix('_gain')} minus scratch"
    return name.replace("_", " ")


def _curve(figures: Mapping[str, Figure]) -> str:
    """Dice over the fraction of labelled cases, an interval for each arm."""
    rows = _fractions(figures)
    if not rows:
        return ""
    canvas, ax = plot(5.4, 3.4)
    for place, arm in enumerate(ARMS[:3]):
        found = [(float(row["fraction"]), row[arm]) for row in rows if row[arm]]
        x = np.array([100 * fraction for fraction, _ in found]) * (1 + 0.03 * (place - 1))
        y = np.array([f.value for _, f in found])
        bounds = np.array([f.ci95 or [f.value] * 2 for _, f in found]).T
        ax.errorbar(
            x, y, np.abs(bounds - y), fmt="o-", color=COLOURS[arm], markersize=4, label=arm,
            capsize=2, linewidth=1,
        )  # fmt: skip
    ax.set_xscale("log")
    ticks = [100 * float(row["fraction"]) for row in rows]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set(xlabel="labelled cases fine-tuned on (%)", ylabel="Dice, unseen cases")
    ax.legend(frameon=False, fontsize=8)
    return encoded(canvas)


def conclusions(organ: str, figures: Mapping[str, Figure], notes: dict[str, Any]) -> list[str]:
    """What the intervals allow to be said of one organ, in sentences."""
    name = organ.capitalize()
    said = _gains(name, figures, notes)
    idle = [
        f"{100 * float(row['fraction']):g} % ({row['scratch'].n} trainings)"
        for row in _fractions(figures)
        if row["synthetic"] and row["scratch"] and row["synthetic"].value <= row["scratch"].value
    ]
    if idle:
        said.append(
            f"{name}: on average it brought nothing at {' and '.join(idle)} of the labelled cases."
        )
    alone = [row["scratch"].value for row in _fractions(figures) if row["scratch"]]
    if any(after < before for before, after in pairwise(alone)):
        said.append(
            f"{name}: from scratch more labelled cases did not always help, so "
            f"{notes['fine_tuning_steps']} steps are short of where training would end; part of "
            "what pre-training brings is a surer start."
        )
    fid, real_vs_real = figures.get("fidelity/fid"), figures.get("fidelity/fid_floor")
    if fid and real_vs_real:
        said.append(
            f"{name}: Fréchet distance of generated volumes {shown(fid)}, of real ones among "
            f"themselves {shown(real_vs_real)} (n = {fid.n} each)."
        )
    alike = [figures.get(f"diversity/ms_ssim/{which}") for which in ("synthetic", "real")]
    if all(alike):
        said.append(
            f"{name}: pairs of generated volumes have an MS-SSIM of {shown(alike[0])}, pairs of "
            f"real ones {shown(alike[1])}."
        )
    copies = figures.get("memorisation/copies")
    if copies:
        said.append(
            f"{name}: {copies.value:.0f} of {copies.n} generated volumes are called copies of a "
            f"training case; false alarms {shown(figures.get('memorisation/false_alarms'))}."
        )
    return said


def _gains(name: str, figures: Mapping[str, Figure], notes: dict[str, Any]) -> list[str]:
    """What pre-training brings, and whether the anatomy of synthetic volumes is what brings it."""
    said = []
    gain = figures.get("pretraining/primary/dice_gain")
    change = verdict(gain, "raises", "lowers", "does not measurably change")
    if gain and change:
        said.append(
            f"{name}: pre-training on synthetic volumes {change} Dice at the fraction named "
            f"beforehand ({100 * notes['primary_fraction']:g} % of {notes['labelled_cases']} "
            f"labelled cases): {shown(gain)} over {gain.n} paired trainings."
        )
        for arm in ("scrambled", "noise", "longer", "real"):
            figure = figures.get(f"pretraining/primary/synthetic_minus_{arm}")
            against = verdict(figure, "more", "less", "not measurably more")
            if against:
                reported = {
                    "scrambled": "the same volumes with their octants exchanged",
                    "noise": "noise of the same histogram",
                    "longer": "training longer from scratch on as many voxels",
                    "real": "pre-training on as many real volumes",
                }[arm]
                said.append(f"{name}: it brings {against} than {reported} ({shown(figure)}).")
        carriers = [reported for arm, reported in CONTROLLED.items() if _carries(figures, arm)]
        if carriers:
            said.append(
                f"{name}: pre-training on {' or '.join(carriers)} brings as much, so anatomy is "
                "not what carries the gain here; having learnt the tasks, on whatever, is."
            )
    return said


def _carries(figures: Mapping[str, Figure], arm: str) -> bool:
    """Whether a control gains over scratch, and synthetic volumes gain no more than it."""
    gain, ahead = (
        figures.get(f"pretraining/primary/{name}")
        for name in (f"{arm}_gain", f"synthetic_minus_{arm}")
    )
    gains = verdict(gain, "gains", "", "")
    no_less = verdict(ahead, "", "no less", "no less")
    return bool(gains and no_less)


def volumes_table(results: Results) -> str:
    """The figures of the experiment as Markdown."""
    organs = list(results.notes)
    every = {organ: figures_of(results.figures, organ) for organ in organs}
    rows = (
        ("held-out volumes through the VQ-GAN, PSNR (dB)", "reconstruction/psnr"),
        ("the same, SSIM", "reconstruction/ssim"),
        ("share of codes in use", "reconstruction/codes_used"),
        ("held-out volumes through the KL autoencoder, PSNR (dB)", "reconstruction_gaussian/psnr"),
        ("Fréchet distance, generated", "fidelity/fid"),
        ("Fréchet distance, generated by the KL autoencoder's diffusion", "fidelity/fid_gaussian"),
        ("Fréchet distance, generated in 300 ancestral steps", "fidelity/fid_ddpm_300"),
        ("Fréchet distance, generated in 10 fast steps", "fidelity/fid_dpm_solver_2m_10"),
        ("Fréchet distance, real ones through the VQ-GAN", "fidelity/fid_reconstructed"),
        ("Fréchet distance, real to real", "fidelity/fid_floor"),
        ("Fréchet radiomics distance, generated", "fidelity/frd"),
        ("Fréchet radiomics distance, real to real", "fidelity/frd_floor"),
        ("MS-SSIM of pairs, generated", "diversity/ms_ssim/synthetic"),
        ("MS-SSIM of pairs, real", "diversity/ms_ssim/real"),
        ("SSIM of neighbouring slices, generated", "slices/ssim/synthetic"),
        ("SSIM of neighbouring slices, real", "slices/ssim/real"),
        ("attribute asked for and measured, slope", "control/drawn/slope"),
        ("the same, R²", "control/drawn/r2"),
        ("attribute of unseen phantoms and measured, slope", "control/unseen/slope"),
        ("called copies", "memorisation/copies"),
        ("membership AUC", "memorisation/membership_auc"),
        ("gain of synthetic pre-training, Dice", "pretraining/primary/dice_gain"),
        ("gain of real pre-training, Dice", "pretraining/primary/real_gain"),
        ("gain of scrambled volumes, Dice", "pretraining/primary/scrambled_gain"),
        ("gain of noise, Dice", "pretraining/primary/noise_gain"),
        ("gain of longer training from scratch, Dice", "pretraining/primary/longer_gain"),
    )
    lines = [f"| | {' | '.join(organs)} |", "|---|" + "---|" * len(organs)]
    for reported, key in rows:
        if any(key in own for own in every.values()):
            cells = " | ".join(_cell(own.get(key)) for own in every.values())
            lines.append(f"| {reported} | {cells} |")
    for organ, own in every.items():
        dice = "; ".join(
            f"{100 * float(row['fraction']):g} %: scratch {shown(row['scratch'])}, synthetic "
            f"{shown(row['synthetic'])}, real {shown(row['real'])}"
            for row in _fractions(own)
        )
        lines += ["", f"Dice, {organ}, by share of {_labelled(results, organ)}: {dice}."]
        said = conclusions(organ, own, results.notes[organ])
        lines += [
            f"\n{line}" for line in said if any(part in line for part in ("pre-training", "it br"))
        ]
    minutes = ", ".join(f"{organ} {_seconds(own) / 60:.0f}" for organ, own in every.items())
    lines.append(
        f"\nIn brackets 95 % intervals; of Dice over trainings, which differ in labelled cases, "
        f"weights and order (two trainings have none). One fit of the method, "
        f"seed {results.seed}. Minutes on {results.machine['cores']} cores: {minutes}."
    )
    return "\n".join(lines)


def _cell(figure: Figure | None) -> str:
    """A figure, or a number of cases among how many."""
    if figure and figure.unit == "cases":
        return f"{figure.value:.0f} of {figure.n}"
    return shown(figure)


def _seconds(figures: Mapping[str, Figure]) -> float:
    """What all stages of one organ took; a volume's own pace is no stage."""
    return float(
        sum(
            f.value
            for key, f in figures.items()
            if key.startswith("seconds/") and "volume_" not in key
        )
    )


def _labelled(results: Results, organ: str) -> str:
    notes = results.notes[organ]
    return f"{notes['labelled_cases']} labelled cases ({', '.join(notes['targets'])})"
