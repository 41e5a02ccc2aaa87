"""A prognosis as files: pictures of each time, what changed, an animation, readings as CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, PngImagePlugin

from vesalius.methods.progression.futures import Futures
from vesalius.scans.visits import Visits
from vesalius.scans.writing import make_folder, refused_if_unwritable

NOTE = "SYNTHETIC, made by Vesalius; not for diagnosis"
FRAMES, PAUSE_MS, FRAME_MS = 8, 900, 90
ENLARGED = 384
LARGEST_CHANGE = 0.35


@dataclass(frozen=True, eq=False)
class Patient:
    """One picture with its prognosis.

    Attributes:
        name: of the files.
        image: `(S, S)` in [0, 1], showing a right side.
        mirrored: whether it was turned to show one; files are turned back.
        row: of the futures.
        risk: at each time `(Y,)`, NaN where it is not known.
        grades: expected grade today and at each time `(1 + Y,)`, NaN where it is not known.
    """

    name: str
    image: np.ndarray
    mirrored: bool
    row: int
    risk: np.ndarray
    grades: np.ndarray


def write_prognoses(
    folder: str | Path, given: Visits, futures: Futures, attributes: Sequence[str],
    risk: np.ndarray, grades: np.ndarray,
) -> list[Path]:  # fmt: skip
    """The files of several pictures, see `write_prognosis`.

    Args:
        folder: that is written to.
        given: pictures of today.
        futures: of them.
        attributes: names of what was read.
        risk: `(N, Y)`.
        grades: expected ones, today and at each time `(N, 1 + Y)`.
    """
    return [
        path for row in range(len(given))
        for path in write_prognosis(
            folder,
            Patient(given.names[row], given.images[row, 0].astype(float),
                    bool(given.mirrored[row]), row, risk[row], grades[row]),
            futures, attributes,
        )
    ]  # fmt: skip


def write_prognosis(
    folder: str | Path, patient: Patient, futures: Futures, attributes: Sequence[str]
) -> list[Path]:
    """Write `NAME_now.png`, for each time some pictures, `NAME.gif` and `NAME.csv`.

    Of each time: the typical future, what changes in it (blue pixels get darker, red brighter), and
    the future of those who change more than nine in ten. Pictures of a future are marked as
    synthetic in their metadata.

    Args:
        folder: that is written to.
        patient: whose.
        futures: of several pictures.
        attributes: names of what was read.
    """
    out = make_folder(folder)
    then, fast = (one.pictures[patient.row, :, 0] for one in (futures.usual, futures.fast))
    written = [_saved(out / f"{patient.name}_now.png", patient, patient.image, generated=False)]
    for years, picture, faster in zip(futures.years, then, fast, strict=True):
        stem = f"{patient.name}_{years:g}y"
        written.append(_saved(out / f"{stem}.png", patient, picture))
        written.append(_saved(out / f"{stem}_change.png", patient, changed(patient.image, picture)))
        written.append(_saved(out / f"{stem}_fast.png", patient, faster))
    written.append(_animated(out / f"{patient.name}.gif", patient, [patient.image, *then]))
    path = out / f"{patient.name}.csv"
    with refused_if_unwritable(path), path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        ends = [f"{name}{end}" for name in attributes for end in ("", "_low", "_high")]
        rows.writerow(["years", *ends, "expected_grade", "risk"])
        for index, years in enumerate(futures.years):
            each = zip(futures.usual.readings[patient.row, index], futures.low[patient.row, index],
                       futures.high[patient.row, index], strict=True)  # fmt: skip
            reported = [f"{value:.3f}" for one in each for value in one]
            rest = f"{patient.grades[1 + index]:.2f}", f"{patient.risk[index]:.4f}"
            rows.writerow([f"{years:g}", *reported, *rest])
    return [*written, path]


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The later picture with what changed laid over it in colour, `(S, S, 3)`.

    >>> grey = np.full((2, 2), 0.5)
    >>> bool(np.allclose(changed(grey, grey), 0.5))
    True
    """
    gap = np.clip((after - before) / LARGEST_CHANGE, -1, 1)
    colour = matplotlib.colormaps["RdBu_r"](gap / 2 + 0.5)[..., :3]
    strength = np.abs(gap)[..., None]
    mixed: np.ndarray = after[..., None] * (1 - strength) + strength * colour
    return mixed


def _pixels(patient: Patient, picture: np.ndarray) -> np.ndarray:
    turned = picture[:, ::-1] if patient.mirrored else picture
    levels = (np.clip(turned, 0, 1) * 255).round().astype(np.uint8)
    times = max(1, ENLARGED // levels.shape[0])
    return levels.repeat(times, axis=0).repeat(times, axis=1)


def _saved(path: Path, patient: Patient, picture: np.ndarray, generated: bool = True) -> Path:
    reported = PngImagePlugin.PngInfo()
    if generated:
        reported.add_text("Comment", NOTE)
    with refused_if_unwritable(path):
        Image.fromarray(_pixels(patient, picture)).save(path, pnginfo=reported)
    return path


def _animated(path: Path, patient: Patient, pictures: Sequence[np.ndarray]) -> Path:
    """The pictures, one flowing into the next."""
    frames, lengths = [], []
    for one, two in zip(pictures, [*pictures[1:], pictures[-1]], strict=True):
        for step in range(FRAMES if one is not two else 1):
            share = step / FRAMES
            frames.append(Image.fromarray(_pixels(patient, (1 - share) * one + share * two)))
            lengths.append(FRAME_MS if step else PAUSE_MS)
    with refused_if_unwritable(path):
        frames[0].save(
            path, save_all=True, append_images=frames[1:], duration=lengths, loop=0, comment=NOTE
        )
    return path
