"""Files of a DICOM series put together: which slices make a volume, in which order, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from scipy import ndimage

from vesalius.scans.formats.content import refused_if_damaged
from vesalius.scans.formats.dicom_frames import frames_of
from vesalius.scans.formats.dicom_header import PROJECTIONS, DicomHeader
from vesalius.scans.formats.dicom_pixels import read_frames, without_padding
from vesalius.scans.formats.itk import lps_to_ras
from vesalius.scans.formats.volume_file import frontal
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.volume import Volume

Gaps = Literal["refuse", "resample"]
"""What to do with slices at uneven distances."""

UNEVEN = 0.01
"""Share of the slice distance by which one may differ: headers round to tenths of a millimetre."""

LEAST_SLICES = 3


@dataclass(frozen=True)
class DicomVolume:
    """One volume: files in the order of their slices, or one file of many frames.

    Attributes:
        files: slices from first to last along their normal.
        first: header of the first.
        gaps: what to do with uneven distances.
        part: which of the volumes of a file of many frames it is.
    """

    files: tuple[Path, ...]
    first: DicomHeader
    gaps: Gaps = "refuse"
    part: int = 0

    @property
    def place(self) -> Path:
        """The first file."""
        return self.files[0]

    def read(self) -> Volume:
        """Its voxels, rescaled, in RAS millimetres.

        Raises:
            InputError: for a slice that is damaged or of another size, or for uneven distances.
        """
        with refused_if_damaged(self.place, "is damaged", "export it again"):
            if self.first.modality in PROJECTIONS and self.first.frames == 1:
                return self._picture()
            if self.first.frames > 1:
                return self._enhanced()
            return self._slices()

    def _slices(self) -> Volume:
        slices: list[np.ndarray] = []
        corners: list[list[float]] = []
        for path in self.files:
            pixels, content = read_frames(path)
            if slices and pixels.shape[1:] != slices[0].shape:
                fault = f"is {pixels.shape[2]} × {pixels.shape[1]} pixels, others of its series not"
                raise InputError(path, fault, "import the series apart")
            slices.append(pixels[0])
            corners.append([float(x) for x in content.ImagePositionPatient])
        header = self.first
        return _stacked(
            self.place, without_padding(np.stack(slices)), np.array(corners),
            np.array(header.orientation), header.pixel_mm, header.thickness_mm, self.gaps,
        )  # fmt: skip

    def _enhanced(self) -> Volume:
        pixels, content = read_frames(self.place)
        own = frames_of(self.place, content)[self.part]
        return _stacked(
            self.place, without_padding(pixels)[list(own.rows)], own.corners, own.orientation,
            own.pixel_mm, own.thickness_mm, self.gaps,
        )  # fmt: skip

    def _picture(self) -> Volume:
        pixels = without_padding(read_frames(self.files[0])[0])
        size = self.first.pixel_mm
        return frontal(pixels[0], (size[0], size[1]) if len(size) == 2 else (1.0, 1.0))


def volumes_of(
    series: Sequence[DicomHeader], gaps: Gaps = "refuse"
) -> tuple[list[DicomVolume], list[InputProblem]]:
    """The volumes of one series, and what of it is none.

    Slices of one direction, size, echo, b-value and time make a volume; where several still lie at
    one place, acquisitions are told apart by the order of their instance numbers. A series of a
    single image is a volume one voxel thick. A file of many frames may hold several volumes, whose
    descriptions say what tells them apart.
    """
    once = {header.instance or str(header.path): header for header in series}
    groups: dict[tuple[object, ...], list[DicomHeader]] = {}
    volumes: list[DicomVolume] = []
    problems: list[InputProblem] = []
    for header in once.values():
        problem = _unusable(header)
        if problem is not None:
            problems.append(problem)
        elif header.modality in PROJECTIONS and header.frames == 1:
            volumes.append(DicomVolume((header.path,), header, gaps=gaps))
        elif header.frames > 1:
            for part, name in enumerate(header.parts):
                own = replace(header, description=f"{header.description} {name}".strip())
                volumes.append(DicomVolume((header.path,), own, gaps, part))
        else:
            direction = tuple(round(x, 2) + 0.0 for x in header.orientation)
            size = (header.rows, header.columns, header.pixel_mm)
            groups.setdefault((direction, size, header.stack, header.kind[2:]), []).append(header)
    for group in groups.values():
        apart = _apart(group)
        for slices in apart:
            if len(slices) < LEAST_SLICES and len(once) > 1:
                fault = f"is one of {len(slices)} slices, no volume"
                problems.append(InputProblem(str(slices[0].path), fault, "leave it out"))
            else:
                files = tuple(header.path for header in slices)
                volumes.append(DicomVolume(files, slices[0], gaps=gaps))
    return sorted(volumes, key=lambda volume: (volume.first.number, str(volume.place))), problems


def _unusable(header: DicomHeader) -> InputProblem | None:
    """Why an image cannot be part of a case."""
    place = str(header.path)
    if header.burned_in:
        return InputProblem(place, "has text burned into its pixels", "leave it out, or mask it")
    if "LOCALIZER" in header.kind:
        return InputProblem(place, "is a localiser", "nothing is lost")
    if header.samples != 1:
        return InputProblem(place, "is in colour", "export one grey channel")
    if header.modality in PROJECTIONS or header.frames > 1:
        return None
    if len(header.orientation) != 6 or len(header.position) != 3 or len(header.pixel_mm) != 2:
        fault = "says no position, direction or pixel size"
        return InputProblem(place, fault, "export it with its geometry")
    return None


def _apart(group: Sequence[DicomHeader]) -> list[list[DicomHeader]]:
    """Slices of one volume each, in order along their normal."""
    normal = _normal(np.array(group[0].orientation))
    at: dict[float, list[DicomHeader]] = {}
    for header in sorted(group, key=lambda one: (one.number, str(one.path))):
        at.setdefault(round(float(np.dot(normal, header.position)), 2), []).append(header)
    depth = max(map(len, at.values()))
    return [[at[z][turn] for z in sorted(at) if turn < len(at[z])] for turn in range(depth)]


def _normal(orientation: np.ndarray) -> np.ndarray:
    return np.cross(orientation[:3], orientation[3:])


def _stacked(
    place: Path, frames: np.ndarray, corners: np.ndarray, orientation: np.ndarray,
    pixel_mm: Sequence[float], thickness_mm: float, gaps: Gaps,
) -> Volume:  # fmt: skip
    """Slices `(N, H, W)` with their corners `(N, 3)`, LPS in mm, as one volume.

    The step from slice to slice is that of their corners, so a tilted gantry gives a sheared affine
    as it should (PS3.3 C.7.6.2.1.1).
    """
    if len(frames) > 1:
        frames, corners = _even(place, frames, corners, _normal(orientation), gaps)
        step = (corners[-1] - corners[0]) / (len(corners) - 1)
    else:
        step = _normal(orientation) * (thickness_mm or 1.0)
    affine = np.eye(4)
    affine[:3, 0] = orientation[:3] * pixel_mm[1]
    affine[:3, 1] = orientation[3:] * pixel_mm[0]
    affine[:3, 2], affine[:3, 3] = step, corners[0]
    voxels = np.ascontiguousarray(frames.transpose(2, 1, 0), dtype=np.float32)
    return Volume(voxels, lps_to_ras(affine))


def _even(
    place: Path, frames: np.ndarray, corners: np.ndarray, normal: np.ndarray, gaps: Gaps
) -> tuple[np.ndarray, np.ndarray]:
    """The slices at even distances: as they are, resampled if that is allowed, or refused."""
    at = corners @ normal
    steps = np.diff(at)
    usual = float(np.median(steps))
    if usual <= 0:
        raise InputError(place, "has two slices at one place", "import one acquisition at a time")
    count = len(at)
    line = corners[0] + np.outer(np.linspace(0, 1, count), corners[-1] - corners[0])
    tolerance = max(UNEVEN * usual, 0.02)
    if np.abs(line - corners).max() <= tolerance:
        return frames, corners
    if gaps == "refuse":
        far = float(steps.max())
        lost = f"lacks {round(far / usual) - 1} slices" if far > 1.5 * usual else "is uneven"
        fault = f"{lost}: slices are {steps.min():.2f} to {far:.2f} mm apart"
        raise InputError(place, fault, "find the missing ones, or --gaps resample")
    wanted = np.arange(at[0], at[-1] + 1e-6, usual)
    rows = np.interp(wanted, at, np.arange(count))
    resampled = ndimage.map_coordinates(
        frames, np.meshgrid(rows, *map(np.arange, frames.shape[1:]), indexing="ij"), order=1
    )
    inside = np.stack([np.interp(wanted, at, corners[:, axis]) for axis in range(3)], axis=1)
    return resampled, inside
