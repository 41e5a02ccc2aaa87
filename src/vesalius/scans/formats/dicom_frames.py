"""Frames of an enhanced multi-frame file: which of them make one volume, and where they lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.scans.input_error import InputError

SHARED, BY_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"


def _gradient(diffusion: Any) -> str | None:
    """The direction of a diffusion gradient."""
    found = diffusion.get("DiffusionGradientDirectionSequence")
    if not found:
        return None
    return " ".join(f"{float(x):.2f}" for x in found[0].DiffusionGradientOrientation)


APART: dict[str, tuple[str, Callable[[Any], object]]] = {
    "stack": ("FrameContentSequence", lambda own: own.get("StackID")),
    "echo": ("MREchoSequence", lambda own: own.get("EffectiveEchoTime")),
    "b": ("MRDiffusionSequence", lambda own: own.get("DiffusionBValue")),
    "gradient": ("MRDiffusionSequence", _gradient),
    "component": ("MRImageFrameTypeSequence", lambda own: own.get("ComplexImageComponent")),
    "time": ("FrameContentSequence", lambda own: own.get("TemporalPositionIndex")),
}  # fmt: skip
"""What tells volumes of one file apart: its name, and where a frame says it (PS3.3 C.7.6.16)."""


@dataclass(frozen=True)
class Frames:
    """Frames of one volume, in order along their normal.

    Attributes:
        name: what tells them from others of their file, such as `echo 80`; empty if nothing does.
        rows: numbers of the frames in the file, from 0.
        corners: of the first pixels, LPS in mm, `(N, 3)`.
        orientation: of rows and columns, LPS.
        pixel_mm: height and width of a pixel.
        thickness_mm: of a slice; 0 if unknown.
    """

    name: str
    rows: tuple[int, ...]
    corners: np.ndarray
    orientation: np.ndarray
    pixel_mm: tuple[float, float]
    thickness_mm: float


def frames_of(path: Path, content: Any) -> list[Frames]:
    """The volumes that the frames of a file make, in the order in which they begin.

    Frames of one direction and, as far as the file says, of one echo, b-value, time and so on make
    a volume; where several still lie at one place, they are told apart by their order.

    Raises:
        InputError: for frames without their places.
    """
    shared = (content.get(SHARED) or [None])[0]
    by_frame = content.get(BY_FRAME)
    count = int(content.get("NumberOfFrames") or 1)
    if by_frame is None or len(by_frame) != count:
        fault = f"holds {count} frames without their places"
        raise InputError(path, fault, "export it as a series of slices")
    corners, turns = [], []
    groups: dict[tuple[object, ...], list[int]] = {}
    for row, group in enumerate(by_frame):
        place = _entry(path, group, shared, "PlanePositionSequence").ImagePositionPatient
        turn = _entry(path, group, shared, "PlaneOrientationSequence").ImageOrientationPatient
        corners.append([float(x) for x in place])
        turns.append([float(x) for x in turn])
        direction = tuple(round(x, 2) + 0.0 for x in turns[-1])
        told = [read(_found(group, shared, name)) for name, read in APART.values()]
        groups.setdefault((direction, *told), []).append(row)
    measures = _entry(path, by_frame[0], shared, "PixelMeasuresSequence")
    height, width = (float(x) for x in measures.PixelSpacing)
    thickness = float(measures.get("SliceThickness") or 0)
    volumes = []
    for key, rows in groups.items():
        turn = np.array(turns[rows[0]])
        own = np.array(corners)
        apart = _by_place(rows, own @ np.cross(turn[:3], turn[3:]))
        for number, ordered in enumerate(apart, start=1):
            name = _name(key, list(groups), number if len(apart) > 1 else 0)
            volumes.append(
                Frames(name, tuple(ordered), own[ordered], turn, (height, width), thickness)
            )
    return volumes


def _by_place(rows: list[int], along: np.ndarray) -> list[list[int]]:
    """Frames of one volume each, in order along their normal."""
    at: dict[float, list[int]] = {}
    for row in rows:
        at.setdefault(round(float(along[row]), 2), []).append(row)
    depth = max(map(len, at.values()))
    return [[at[z][turn] for z in sorted(at) if turn < len(at[z])] for turn in range(depth)]


def _name(key: tuple[object, ...], every: list[tuple[object, ...]], number: int) -> str:
    """What differs between the volumes of a file, in words."""
    names = ("direction", *APART)
    columns = list(zip(*every, strict=True))
    directions = list(dict.fromkeys(columns[0]))
    told = [directions.index(key[0]) + 1, *key[1:]]
    said = [
        f"{name} {value}" for name, value, column in zip(names, told, columns, strict=True)
        if len(set(column)) > 1 and value is not None
    ]  # fmt: skip
    return ", ".join([*said, *([f"acquisition {number}"] if number else [])])


def _found(group: Any, shared: Any, name: str) -> Any:
    """An entry of a frame, or of all frames; an empty one if neither has it."""
    for place in (group, shared):
        found = place and place.get(name)
        if found:
            return found[0]
    return {}


def _entry(path: Path, group: Any, shared: Any, name: str) -> Any:
    """An entry that must be there."""
    found = _found(group, shared, name)
    if not found:
        raise InputError(path, f"says no {name.removesuffix('Sequence')}", "export it again")
    return found
