"""A DICOM file of one frame as intensities."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.scans.formats.content import refused_if_damaged, require_file
from vesalius.scans.formats.raster import (
    LARGEST_BYTES,
    require_finite,
    require_picture,
)
from vesalius.scans.input_error import InputError

DEFLATED = "1.2.840.10008.1.2.1.99"
LARGEST_DEFLATED = 2**20
"""Bytes of a deflated file, which the library unpacks as a whole: at most a thousandfold."""

REMEDY = "export it as uncompressed DICOM or PNG"


def read_dicom(path: Path) -> np.ndarray:
    """Intensities `(H, W)` as float32, rescaled as the file says, dense being bright.

    Raises:
        InputError: for what is no DICOM, is damaged, holds several frames, or promises an absurd
            size.
    """
    from pydicom import dcmread
    from pydicom.filereader import read_file_meta_info
    from pydicom.pixels import apply_modality_lut

    size = require_file(path, LARGEST_BYTES)
    with refused_if_damaged(path, "holds no readable picture", REMEDY):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            meta = read_file_meta_info(path)
            if meta.get("TransferSyntaxUID") == DEFLATED and size > LARGEST_DEFLATED:
                raise InputError(path, "is a deflated DICOM of unusual size", REMEDY)
            content = dcmread(path)
            _require_plausible(path, content)
            stored = content.pixel_array
            frame = np.asarray(apply_modality_lut(stored, content), dtype=np.float32)
    if frame.ndim != 2:
        raise InputError(path, f"holds pixels of shape {frame.shape}", "give a single grey frame")
    require_finite(path, frame)
    inverted = str(content.get("PhotometricInterpretation", "")) == "MONOCHROME1"
    return frame.max() - frame if inverted else frame


def _require_plausible(path: Path, content: Any) -> None:
    """Refuse what the header promises before any of it is taken."""
    if "PixelData" not in content:
        raise InputError(path, "holds no pixels", "give an image, not a report or a directory")
    rows, columns = int(content.Rows), int(content.Columns)
    require_picture(path, (columns, rows), int(content.get("NumberOfFrames") or 1))
    samples = int(content.get("SamplesPerPixel") or 1)
    if samples != 1:
        raise InputError(path, f"holds {samples} values a pixel", "give a single grey frame")
    if int(content.BitsAllocated) not in (1, 8, 16, 32, 64):
        raise InputError(path, f"has pixels of {content.BitsAllocated} bits", REMEDY)
