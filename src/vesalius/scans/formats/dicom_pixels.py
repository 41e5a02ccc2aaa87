"""Pixels of a DICOM file as intensities: rescaled, without padding, dense being bright."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.scans.formats.content import refused_if_damaged, require_file
from vesalius.scans.formats.dicom_header import PROJECTIONS
from vesalius.scans.input_error import InputError

LARGEST_BYTES = 2**33
REMEDY = "export it as uncompressed DICOM"


def read_frames(path: Path) -> tuple[np.ndarray, Any]:
    """Intensities `(N, H, W)` as float32, and the header without pixels.

    Stored values are rescaled as the file says, frame by frame in enhanced files (PS3.3 C.7.6.16).
    Padding (PS3.3 C.7.5.1.1.2) is not a number, see `without_padding`. Radiographs with a VOI
    lookup table are passed through it (PS3.3 C.11.2); windows, which only choose what a screen
    shows, are not applied.

    Raises:
        InputError: for a file that is damaged, in colour, or compressed in a way that needs a
            library that is not there.
    """
    from pydicom import dcmread
    from pydicom.pixels import apply_voi

    require_file(path, LARGEST_BYTES)
    with refused_if_damaged(path, "holds no readable image", REMEDY):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = dcmread(path)
            _require_pixels(path, content)
            stored = _decoded(path, content)
            stored = stored.reshape(-1, int(content.Rows), int(content.Columns))
            padded = _padding(content, stored)
            frames = _rescaled(content, stored)
            if content.Modality in PROJECTIONS and content.get("VOILUTSequence"):
                values = np.round(frames).astype(np.int32)
                frames = apply_voi(values, content, index=0).astype(np.float32)
            del content.PixelData
    bad = int(frames.size - np.isfinite(frames).sum())
    if bad:
        raise InputError(path, f"holds {bad} NaN or infinite pixels", "export it again")
    if padded is not None:
        frames[padded] = np.nan
    if str(content.get("PhotometricInterpretation", "")) == "MONOCHROME1":
        # About what the bits can hold, which all slices of a series share.
        top = 2 ** int(content.BitsStored) - 1
        slope, intercept = content.get("RescaleSlope", 1), content.get("RescaleIntercept", 0)
        frames = float(slope) * top + float(intercept) - frames
    return frames, content


def without_padding(frames: np.ndarray) -> np.ndarray:
    """Frames of one volume with the lowest of its values where a scanner measured nothing.

    >>> without_padding(np.array([[[np.nan, 2.0]], [[-3.0, 4.0]]])).ravel().tolist()
    [-3.0, 2.0, -3.0, 4.0]
    """
    padded = np.isnan(frames)
    if not padded.any():
        return frames
    lowest = 0.0 if padded.all() else frames[~padded].min()
    return np.where(padded, lowest, frames).astype(frames.dtype)


def _require_pixels(path: Path, content: Any) -> None:
    if "PixelData" not in content:
        raise InputError(path, "holds no pixels", "give an image, not a report or a directory")
    if int(content.get("SamplesPerPixel") or 1) != 1:
        raise InputError(path, "is in colour", "export one grey channel")
    if int(content.BitsAllocated) not in (1, 8, 16, 32):
        raise InputError(path, f"has pixels of {content.BitsAllocated} bits", REMEDY)
    sides = int(content.Rows), int(content.Columns)
    if min(sides) < 1 or max(sides) > 2**15:
        raise InputError(path, f"promises {sides[0]} × {sides[1]} pixels", "export it again")


def _decoded(path: Path, content: Any) -> np.ndarray:
    syntax = content.file_meta.TransferSyntaxUID
    try:
        return np.asarray(content.pixel_array)
    except (RuntimeError, NotImplementedError) as error:
        if syntax.is_compressed:
            remedy = "pip install 'vesalius[formats]', or export it uncompressed"
            raise InputError(path, f"is compressed ({syntax.name})", remedy) from error
        raise


def _padding(content: Any, stored: np.ndarray) -> np.ndarray | None:
    """Where pixels are padding and no measurement; `None` if the file names no such value."""
    value = content.get("PixelPaddingValue")
    if value is None:
        return None
    low, high = sorted((int(value), int(content.get("PixelPaddingRangeLimit", value))))
    within: np.ndarray = (stored >= low) & (stored <= high)
    return within


def _rescaled(content: Any, stored: np.ndarray) -> np.ndarray:
    from pydicom.pixels import apply_modality_lut

    by_frame = content.get("PerFrameFunctionalGroupsSequence")
    if not by_frame:
        return np.asarray(apply_modality_lut(stored, content), dtype=np.float32)
    shared = content.get("SharedFunctionalGroupsSequence") or [None]
    result = stored.astype(np.float32)
    for index, group in enumerate(by_frame[: len(result)]):
        for place in (group, shared[0]):
            entries = place and place.get("PixelValueTransformationSequence")
            if entries:
                result[index] *= float(entries[0].get("RescaleSlope", 1))
                result[index] += float(entries[0].get("RescaleIntercept", 0))
                break
    return result
