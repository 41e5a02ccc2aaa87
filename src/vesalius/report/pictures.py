"""Pictures of cohorts and figures, as PNG in memory."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from vesalius.scans.case import LabelledScan
from vesalius.scans.writing import replacing

matplotlib.use("Agg")

OUTLINES = ("#58a6ff", "#f2cc60", "#56d364", "#ff7b72", "#d2a8ff", "#ffa657", "#79c0ff", "#a5d6ff")
REAL, SYNTHETIC = "#3b6ea5", "#c2572b"


def montage(
    scans: Sequence[tuple[str, LabelledScan]], focus: Sequence[int], outline: bool = True
) -> str:
    """Three planes through each scan, sagittal, coronal and axial, with the outlines of labels.

    Args:
        scans: caption and voxels of each.
        focus: labels through whose middle the planes go, as numbers.
        outline: draw the borders of the `focus` labels.

    Returns:
        a data URI.
    """
    canvas = Canvas(figsize=(1.55 * len(scans), 4.9), facecolor="black")
    axes = canvas.subplots(3, len(scans), squeeze=False)
    for column, (caption, scan) in enumerate(scans):
        image = scan.channels[0].oriented("RAS")
        labels = scan.label_map.oriented("RAS").voxels
        low, high = np.percentile(image.voxels, [1, 99.7])
        inside = np.argwhere(np.isin(labels, focus))
        middle = (
            inside.mean(axis=0).round().astype(int) if len(inside) else np.array(labels.shape) // 2
        )
        x, y, z = image.spacing_mm
        off_midline = int(middle[0] + round(9 / x))
        planes = [
            (image.voxels[off_midline], labels[off_midline], z / y),
            (image.voxels[:, middle[1]], labels[:, middle[1]], z / x),
            (image.voxels[:, :, middle[2]], labels[:, :, middle[2]], y / x),
        ]
        for row, (pixels, marks, aspect) in enumerate(planes):
            ax = axes[row, column]
            ax.imshow(pixels.T, cmap="gray", origin="lower", vmin=low, vmax=high, aspect=aspect)
            _outlined(ax, marks, focus if outline else ())
            ax.axis("off")
        axes[0, column].set_title(caption, color="white", fontsize=8)
    canvas.subplots_adjust(0.002, 0.002, 0.998, 0.95, wspace=0.02, hspace=0.02)
    return encoded(canvas, dpi=110)


def before_and_after(
    rows: Sequence[Sequence[tuple[str, LabelledScan]]], focus: Sequence[int], slices: Sequence[int],
    around: Sequence[tuple[float, float]] | None = None, half_mm: float = 0.0,
) -> str:  # fmt: skip
    """Sagittal slices of scans before and after an edit, and below each what it changed.

    Args:
        rows: for each patient the scan before the edit, then those after it, with captions.
        focus: labels to outline, as numbers.
        slices: of the RAS-oriented scan, one a row.
        around: middle of the part shown, in voxels along the slice's two axes, one a row.
        half_mm: half the side of that part; 0 shows the whole slice.

    Returns:
        a data URI.
    """
    columns = max(len(row) for row in rows)
    _, y, z = rows[0][0][1].label_map.oriented("RAS").spacing_mm
    first = rows[0][0][1].label_map.oriented("RAS").shape
    tall = 1.0 if half_mm else (first[2] * z) / (first[1] * y)
    canvas = Canvas(figsize=(1.9 * columns, 2 * 1.9 * tall * len(rows)), facecolor="black")
    axes = canvas.subplots(2 * len(rows), columns, squeeze=False)
    for index, row in enumerate(rows):
        before = row[0][1].channels[0].oriented("RAS")
        bottom, top = (float(x) for x in np.percentile(before.voxels, (0.5, 99.3)))
        bottom = min(bottom, 0.0)
        window = (slice(None), slice(None))
        if around is not None and half_mm:
            reach = (round(half_mm / y), round(half_mm / z))
            window = tuple(
                slice(max(0, round(at) - r), round(at) + r)
                for at, r in zip(around[index], reach, strict=True)
            )  # type: ignore[assignment]
        for column, (caption, scan) in enumerate(row):
            shown = scan.channels[0].oriented("RAS").voxels[slices[index]]
            marks = scan.label_map.oriented("RAS").voxels[slices[index]][window]
            ax, below = axes[2 * index, column], axes[2 * index + 1, column]
            ax.imshow(shown[window].T, cmap="gray", origin="lower", vmin=bottom, vmax=top,
                      aspect=z / y)  # fmt: skip
            ax.set_title(caption, color="white", fontsize=7)
            if column == 0:
                below.imshow(shown[window].T, cmap="gray", origin="lower", vmin=bottom, vmax=top,
                             aspect=z / y)  # fmt: skip
                _outlined(below, marks, focus)
            else:
                change = (shown - before.voxels[slices[index]])[window]
                below.imshow(change.T, cmap="RdBu_r", origin="lower", vmin=-0.5 * (top - bottom),
                             vmax=0.5 * (top - bottom), aspect=z / y)  # fmt: skip
                _outlined(below, marks, focus)
    for ax in axes.ravel():
        ax.axis("off")
    top_of_axes = 1 - 0.25 / float(canvas.get_size_inches()[1])
    canvas.subplots_adjust(0.004, 0.004, 0.996, top_of_axes, wspace=0.03, hspace=0.15)
    return encoded(canvas, dpi=120)


def sagittal_row(scans: Sequence[LabelledScan]) -> str:
    """The middle sagittal slice of each scan, side by side."""
    first = scans[0].label_map.oriented("RAS")
    _, y, z = first.spacing_mm
    tall = first.shape[2] * z / (first.shape[1] * y)
    canvas = Canvas(figsize=(1.7 * len(scans), 1.7 * tall), facecolor="black")
    for ax, scan in zip(canvas.subplots(1, len(scans), squeeze=False)[0], scans, strict=True):
        voxels = scan.channels[0].oriented("RAS").voxels
        top = float(np.percentile(voxels, 99.3))
        ax.imshow(voxels[len(voxels) // 2].T, cmap="gray", origin="lower", vmin=0, vmax=top,
                  aspect=z / y)  # fmt: skip
        ax.axis("off")
    canvas.subplots_adjust(0.002, 0.002, 0.998, 0.998, wspace=0.02)
    return encoded(canvas, dpi=110)


def _outlined(ax: Axes, marks: np.ndarray, focus: Sequence[int]) -> None:
    """The borders of the labels in focus."""
    for index, value in enumerate(focus):
        if (marks == value).any():
            colour = OUTLINES[(index + 3) % len(OUTLINES)]
            ax.contour((marks == value).T, [0.5], colors=colour, linewidths=0.7)


def histograms(before: np.ndarray, added: np.ndarray, name: str, unit: str) -> str:
    """One attribute of a cohort before, and with what was added."""
    canvas, ax = plot(6.4, 3.2)
    edges = np.linspace(0, float(max(before.max(), added.max())) * 1.02, 22)
    ax.hist([before, added], edges.tolist(), stacked=True, color=[REAL, SYNTHETIC],
            label=[f"real (n = {len(before)})", f"synthetic (n = {len(added)})"])  # fmt: skip
    ax.set(xlabel=f"{name} ({unit})", ylabel="cases")
    ax.legend(frameon=False)
    return encoded(canvas)


def requested_against_measured(
    requested: np.ndarray, measured: np.ndarray, accepted: np.ndarray, unit: str
) -> str:
    """Every draw: those that were kept, and those that were generated again."""
    canvas, ax = plot(4.2, 4.0)
    top = float(max(requested.max(), measured.max())) * 1.05
    ax.fill_between([0, top], [0, 0.9 * top], [0, 1.1 * top], color="#e8eef4", label="± 10 %")
    ax.plot([0, top], [0, top], color="#8a97a5", linewidth=0.8)
    ax.plot(requested[~accepted], measured[~accepted], "x", color="#b0b8c1", markersize=4,
            label=f"generated again ({int((~accepted).sum())})")  # fmt: skip
    ax.plot(requested[accepted], measured[accepted], "o", color=SYNTHETIC, markersize=3.5,
            label=f"kept ({int(accepted.sum())})")  # fmt: skip
    ax.set(xlabel=f"requested ({unit})", ylabel=f"measured ({unit})", xlim=(0, top), ylim=(0, top))
    ax.legend(frameon=False, fontsize=8)
    return encoded(canvas)


def requested_panels(
    panels: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], unit: str
) -> str:
    """Requested against measured, a panel for each name, draws that missed as crosses."""
    canvas = Canvas(figsize=(3.9 * len(panels), 3.5), facecolor="white")
    axes = canvas.subplots(1, len(panels), squeeze=False)[0]
    for ax, (name, (requested, measured, taken)) in zip(axes, panels.items(), strict=True):
        kept = taken > 0
        top = float(max(requested.max(), measured.max())) * 1.05
        ax.plot([0, top], [0, top], color="#8a97a5", linewidth=0.8)
        ax.plot(requested[~kept], measured[~kept], "x", color="#b0b8c1", markersize=4,
                label=f"generated again ({int((~kept).sum())})")  # fmt: skip
        ax.plot(requested[kept], measured[kept], "o", color=SYNTHETIC, markersize=3.5,
                label=f"kept ({int(kept.sum())})")  # fmt: skip
        ax.set(title=name, xlabel=f"requested ({unit})", ylabel=f"measured ({unit})")
        ax.legend(frameon=False, fontsize=8)
        _tidy(ax)
    canvas.tight_layout()
    return encoded(canvas)


def predicted_against_true(
    arms: Mapping[str, tuple[np.ndarray, np.ndarray]], unit: str
) -> str:  # fmt: skip
    """Predicted minus true value over the true value, a panel an arm."""
    canvas = Canvas(figsize=(2.4 * len(arms), 2.6), facecolor="white")
    panels = canvas.subplots(1, len(arms), sharex=True, sharey=True, squeeze=False)[0]
    for ax, (name, (true, predicted)) in zip(panels, arms.items(), strict=True):
        ax.axhline(0, color="#8a97a5", linewidth=0.8)
        ax.plot(true, predicted - true, "o", color=REAL, markersize=3)
        ax.set_title(name.replace("_", " "), fontsize=9)
        ax.set_xlabel(f"true ({unit})", fontsize=8)
        _tidy(ax)
    panels[0].set_ylabel(f"predicted − true ({unit})", fontsize=8)
    canvas.tight_layout()
    return encoded(canvas)


def similarity_and_lead(audits: Mapping[str, Mapping[str, Any]]) -> str:
    """Similarity of each case to its nearest training case against how far that one leads.

    One panel a way of comparing; copies lie top right.
    """
    canvas = Canvas(figsize=(3.4 * len(audits), 3.2), facecolor="white")
    panels = canvas.subplots(1, len(audits), squeeze=False)[0]
    for ax, (way, audit) in zip(panels, audits.items(), strict=True):
        for side, colour, name in (
            ("held_out", REAL, "held-out real"), ("synthetic", SYNTHETIC, "synthetic"),
        ):  # fmt: skip
            points = audit[side], audit[f"{side}_lead"]
            ax.plot(*points, "o", color=colour, markersize=3.5, label=name)
        ax.axvline(audit["threshold"], color="black", linewidth=0.8, linestyle="--")
        ax.axhline(audit["lead_threshold"], color="black", linewidth=0.8, linestyle="--")
        ax.set_title(way, fontsize=9)
        ax.set_xlabel("cosine with the nearest training case", fontsize=8)
        _tidy(ax)
    panels[0].set_ylabel("lead over next five (z)", fontsize=8)
    panels[-1].legend(frameon=False, fontsize=8)
    canvas.tight_layout()
    return encoded(canvas)


def plot(width: float, height: float) -> tuple[Canvas, Axes]:
    """An empty diagram."""
    canvas = Canvas(figsize=(width, height), facecolor="white")
    ax = canvas.subplots()
    _tidy(ax)
    return canvas, ax


def _tidy(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)


def to_png(uri: str, path: Path) -> None:
    """Write a picture made here into a file."""
    with replacing(path) as partial:
        partial.write_bytes(base64.b64decode(uri.partition(",")[2]))


def embedded(path: Path) -> str:
    """A picture that a stage has written, as a data URI; empty while there is none."""
    if not path.is_file():
        return ""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def encoded(canvas: Canvas, dpi: int = 120) -> str:
    """A picture as a data URI."""
    stream = io.BytesIO()
    tight = {} if canvas.get_facecolor()[:3] == (0, 0, 0) else {"bbox_inches": "tight"}
    canvas.savefig(stream, format="png", dpi=dpi, facecolor=canvas.get_facecolor(), **tight)  # type: ignore[arg-type]
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
