"""PNG, JPEG, TIFF and BMP as grey intensities."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from vesalius.scans.formats.content import read_bytes, refused_if_damaged
from vesalius.scans.input_error import InputError

ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
"""Named to the library, which would else go by content and start Ghostscript for an EPS."""

LARGEST_BYTES, LARGEST_PIXELS = 2**28, 2**26
"""The largest detectors of radiographs have 2 · 10⁷ pixels."""


def read_raster(path: Path) -> np.ndarray:
    """Intensities `(H, W)` as float32; colour is made grey.

    Raises:
        InputError: for what is no such picture, is damaged, too large, several pictures, or holds
            NaN.
    """
    return raster_of(read_bytes(path, LARGEST_BYTES), path)


def raster_of(content: bytes, path: str | Path) -> np.ndarray:
    """The same of the bytes of a file; `path` names it in a refusal."""
    with refused_if_damaged(path, "is no readable picture", "export it again"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                require_picture(path, image.size, getattr(image, "n_frames", 1))
                plain = image.mode in ("L", "I", "F") or "16" in image.mode
                result = np.asarray(image if plain else image.convert("L"), dtype=np.float32)
    require_finite(path, result)
    return result


def require_picture(path: str | Path, size: tuple[int, int], frames: int) -> None:
    """Refuse a file that promises no single picture, or one of impossible size."""
    if frames != 1:
        raise InputError(path, f"holds {frames} pictures", "give one picture a file")
    if min(size) < 1 or size[0] * size[1] > LARGEST_PIXELS:
        raise InputError(path, f"promises {size[0]} × {size[1]} pixels", "export it again")


def require_finite(path: str | Path, picture: np.ndarray) -> None:
    """Refuse intensities that are no numbers."""
    bad = int(picture.size - np.isfinite(picture).sum())
    if bad:
        raise InputError(path, f"holds {bad} NaN or infinite pixels", "export it again")
