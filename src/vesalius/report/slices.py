"""Slices of whole scans to page through, and edits to wipe, as pictures of a report."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from vesalius.report.sections import Stack, Wiper
from vesalius.scans.case import Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.volume import Volume

FRAMES, WIDTH, QUALITY, EACH = 24, 900, 82, 3
WINDOW = (1.0, 99.7)
"""Percentiles that are shown black and white."""


def slice_stack(scans: Sequence[Scan], alt: str, caption: str, across: int = 2) -> Stack:
    """The same share of the way through each scan, side by side, from one end to the other.

    Args:
        scans: of any size.
        alt: what is shown, for who does not see it.
        caption: below.
        across: the axis (of RAS) that is cut.

    >>> scan = Scan((Volume(np.zeros((8, 8, 6), np.float32), np.eye(4)),))
    >>> len(slice_stack([scan, scan], "two", "").frames)
    6
    """
    volumes = [scan.channels[0].oriented("RAS") for scan in scans]
    if not volumes:
        return Stack((), alt, caption)
    count = min(FRAMES, *(volume.shape[across] for volume in volumes))
    windows = [_window(volume) for volume in volumes]
    frames = []
    for share in np.linspace(0.12, 0.88, count):
        tiles = [
            _tile(volume, round(share * (volume.shape[across] - 1)), across, window)
            for volume, window in zip(volumes, windows, strict=True)
        ]
        frames.append(_encoded(_row(tiles)))
    return Stack(tuple(frames), alt, caption)


def beside(real: Cohort | None, synthetic: Cohort | None, across: int = 2) -> Stack:
    """The first cases of two cohorts to page through; nothing while either is missing."""
    if real is None or synthetic is None:
        return Stack((), "")
    scans = [one.read_images(case) for one in (real, synthetic) for case in one.cases[:EACH]]
    count = min(EACH, len(real.cases))
    caption = (
        f"The first {count} of {real.folder.name} (left) and the first {len(scans) - count} of "
        f"{synthetic.folder.name} (right): move the slider to page through them."
    )
    return slice_stack(scans, "slices of real and synthetic cases", caption, across)


def wiper(before: Volume, after: Volume, alt: str, caption: str, across: int) -> Wiper:
    """One slice before and after an edit: that which the edit changes most.

    Args:
        before, after: scans of one grid.
        alt: what is shown, for who does not see it.
        caption: below.
        across: the axis (of RAS) that is cut.
    """
    old, new = before.oriented("RAS"), after.oriented("RAS")
    change = np.abs(new.voxels - old.voxels)
    others = tuple(axis for axis in range(3) if axis != across)
    place, window = int(change.sum(axis=others).argmax()), _window(old)
    pictures = [_encoded(_tile(one, place, across, window)) for one in (old, new)]
    return Wiper(pictures[0], pictures[1], alt, caption)


def _window(volume: Volume) -> tuple[float, float]:
    low, high = (float(one) for one in np.percentile(volume.voxels, WINDOW))
    return low, high


def _tile(volume: Volume, place: int, across: int, window: tuple[float, float]) -> Image.Image:
    """A slice as radiologists hang it, with square pixels."""
    low, high = window
    pixels = np.clip((volume.voxels.take(place, axis=across) - low) / max(high - low, 1e-6), 0, 1)
    shown = Image.fromarray(np.ascontiguousarray((255 * pixels).astype(np.uint8).T[::-1, ::-1]))
    wide, tall = np.delete(np.asarray(volume.spacing_mm), across)
    height = max(1, round(shown.height * tall / wide))
    return shown.resize((shown.width, height), Image.Resampling.BILINEAR)


def _row(tiles: Sequence[Image.Image]) -> Image.Image:
    side = WIDTH // len(tiles)
    row = Image.new("L", (side * len(tiles), side))
    for column, tile in enumerate(tiles):
        factor = side / max(tile.size)
        size = (max(1, round(tile.width * factor)), max(1, round(tile.height * factor)))
        fitted = tile.resize(size, Image.Resampling.BILINEAR)
        left = column * side + (side - fitted.width) // 2
        row.paste(fitted, (left, (side - fitted.height) // 2))
    return row


def _encoded(picture: Image.Image) -> str:
    kept = io.BytesIO()
    picture.save(kept, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(kept.getvalue()).decode("ascii")
