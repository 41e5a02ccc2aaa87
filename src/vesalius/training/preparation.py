"""Images as segmenters see them: upright, of one spacing, cropped to the body, at unit SD."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from vesalius.scans.case import Case, Scan
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.volume import Volume

Box = tuple[slice, slice, slice]
LARGEST_VOXEL_COUNT = 2**29


def prepared(
    channels: Sequence[Volume], spacing_mm: tuple[float, float, float]
) -> tuple[np.ndarray, Box]:
    """Images as the segmenter sees them, RAS, one spacing, unit SD, `(C, D, H, W)`.

    Returns:
        the part of them that holds the body, and where that part lies.
    """
    image = np.stack([resampled(one.oriented("RAS"), spacing_mm, order=1) for one in channels])
    box = body_box(image)
    return normalised(image[:, *box]), box


def body_box(image: np.ndarray) -> Box:
    """The box around what stands out from the background of `(C, D, H, W)`, with a margin.

    >>> image = np.zeros((1, 10, 10, 10)); image[0, 3:7, 3:7, 3:7] = 1
    >>> body_box(image)[0]
    slice(1, 9, None)
    """
    smooth = ndimage.uniform_filter(image[0].astype(np.float32), 3, mode="nearest")
    low, high = np.percentile(smooth, [1, 99])
    parts = ndimage.find_objects((smooth > low + 0.2 * (high - low)).astype(np.uint8))
    if not parts or parts[0] is None:
        return slice(0, image.shape[1]), slice(0, image.shape[2]), slice(0, image.shape[3])
    x, y, z = (
        slice(max(0, side.start - 1), min(full, side.stop + 1))
        for side, full in zip(parts[0], image.shape[1:], strict=True)
    )
    return x, y, z


def working_shape(
    volume: Volume, spacing_mm: tuple[float, float, float]
) -> tuple[int, ...]:  # fmt: skip
    """Shape of a volume once it is resampled to another spacing.

    Raises:
        InputError: for one that becomes larger than any scan.
    """
    zoom = np.array(volume.spacing_mm) / np.array(spacing_mm)
    result = tuple(int(n) for n in np.maximum(1, np.round(np.array(volume.shape) * zoom)))
    if math.prod(result) > LARGEST_VOXEL_COUNT:
        fault = f"of {volume.shape} becomes {result} at {spacing_mm} mm"
        raise InputError("scan", fault, "check its spacing, or crop it")
    return result


def resampled(volume: Volume, spacing_mm: tuple[float, float, float], order: int) -> np.ndarray:
    """Voxels of a volume at another spacing, covering the same field of view."""
    shape = working_shape(volume, spacing_mm)
    if shape == volume.shape:
        return volume.voxels
    step = np.array(volume.shape) / shape
    out: np.ndarray = ndimage.affine_transform(
        volume.voxels, step, 0.5 * step - 0.5, output_shape=shape, order=order, mode="nearest"
    )
    return out


def normalised(image: np.ndarray) -> np.ndarray:
    """An image `(C, D, H, W)` with each channel at zero mean and unit SD above its background.

    >>> done = normalised(np.arange(16.0).reshape(1, 1, 4, 4))
    >>> bool(abs(done.mean()) < 1)
    True
    """
    out = np.empty(image.shape, dtype=np.float32)
    for channel, voxels in enumerate(image):
        low, high = np.percentile(voxels, [1, 99])
        body = voxels[voxels > low + 0.1 * (high - low)]
        body = body if body.size else voxels
        out[channel] = (voxels - body.mean()) / max(float(body.std()), 1e-6)
    return np.clip(out, -6, 6)


def body_sides_mm(channels: Sequence[Volume]) -> tuple[float, ...]:
    """Sides in mm of the box around the body, as `prepared` will crop to it.

    >>> voxels = np.zeros((10, 10, 10)); voxels[3:7, 3:7, 3:7] = 1
    >>> body_sides_mm([Volume(voxels, np.diag([2.0, 2.0, 2.0, 1.0]))])
    (16.0, 16.0, 16.0)
    """
    upright = [one.oriented("RAS") for one in channels]
    box = body_box(np.stack([one.voxels for one in upright]))
    sides = zip(box, upright[0].spacing_mm, strict=True)
    return tuple((side.stop - side.start) * size for side, size in sides)


def sides_of_body(
    case: Case, scan: Scan
) -> tuple[tuple[float, ...], list[InputProblem]]:  # fmt: skip
    """`body_sides_mm` of a scan, as `Measuring` asks for it."""
    return body_sides_mm(scan.channels), []


def common_shape(
    sides_mm: Sequence[Sequence[float]], spacing_mm: Sequence[float]
) -> tuple[int, int, int]:
    """The shape that all bodies fit into at a spacing.

    >>> common_shape([(16.0, 8.0, 8.0), (12.0, 9.0, 8.0)], (2.0, 2.0, 2.0))
    (8, 5, 4)
    """
    x, y, z = np.ceil(np.max(sides_mm, axis=0) / np.array(spacing_mm) - 1e-6).astype(int)
    return int(x), int(y), int(z)


def in_shape(voxels: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The last three axes centred in a shape, filled up with the least value.

    Resampling may leave a voxel of margin more than the shape has; it is cut off.

    >>> in_shape(np.ones((2, 2, 3)), (4, 2, 2))[:, 0, 0].tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    over = np.maximum(0, np.array(voxels.shape[-3:]) - np.array(shape)) // 2
    x, y, z = (slice(int(n), int(n) + side) for n, side in zip(over, shape, strict=True))
    voxels = voxels[..., x, y, z]
    missing = np.array(shape) - np.array(voxels.shape[-3:])
    sides = [(0, 0)] * (voxels.ndim - 3) + [(int(m // 2), int(m - m // 2)) for m in missing]
    return np.pad(voxels, sides, constant_values=min(0, voxels.min()))
