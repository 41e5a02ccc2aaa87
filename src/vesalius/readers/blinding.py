"""Images made alike, so that nothing but what they show tells where they came from.

Orientation, grid, range of values, number of grey levels, header and size of the file are the same
for all. What cannot be made alike (noise, sharpness, background) is measured: how well each such
number alone tells the origins apart.
"""

from __future__ import annotations

import csv
import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.processing import resample_from_to
from PIL import Image
from scipy import ndimage

from vesalius.evidence.discrimination import Resampling, auc_figure
from vesalius.evidence.figure import Figure
from vesalius.scans.formats.raster import FORMATS, require_picture
from vesalius.scans.pictures import picture_of
from vesalius.scans.volume import Volume

LEVELS = 1000
PERCENTILES = (0.5, 99.5)
SAME_MM = 1e-3


def alike(volumes: Sequence[Volume], span: tuple[float, float] | None) -> list[Volume]:
    """The same images on one grid, in whole numbers of one range.

    Volumes of several spacings or shapes are all resampled to the coarsest spacing and the largest
    field of view, so that none is treated as the others are not. Flat images come as `(W, H, 1)`,
    upright with the first axis to the right of the screen.

    Args:
        volumes: of any orientation.
        span: values that are black and white, which keep their units; without it each image's own
            percentiles, which become 0 and 1000.
    """
    if not volumes:
        return []
    turned = [_upright(one) for one in volumes]
    spacing = np.max([one.spacing_mm for one in turned], axis=0)
    reach = np.max([np.multiply(one.shape, one.spacing_mm) for one in turned], axis=0)
    shape = tuple(int(n) for n in np.ceil(reach / spacing - SAME_MM))
    return [_levelled(_placed(one, spacing, shape), span) for one in turned]


def written(volume: Volume) -> bytes:
    """A NIfTI file without compression and without anything but voxels and spacing."""
    affine = np.diag([*volume.spacing_mm, 1.0])
    affine[:3, 3] = -(np.array(volume.shape) - 1) / 2 * volume.spacing_mm
    image = nib.Nifti1Image(volume.voxels.astype(np.int16), affine)
    image.header.set_xyzt_units("mm")
    result: bytes = image.to_bytes()
    return result


def repainted(content: bytes, path: str | Path) -> bytes:
    """A picture as PNG with pixels alone; `path` names it in a refusal."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        require_picture(path, image.size, getattr(image, "n_frames", 1))
        plain = image.convert("RGB")
    out = io.BytesIO()
    Image.fromarray(np.asarray(plain)).save(out, format="PNG", compress_level=6)
    return out.getvalue()


def lengthened(picture: bytes, longest: int) -> bytes:
    """A PNG file as long as others of at most `longest` bytes, by a chunk that viewers pass over.

    >>> plain, busy = (io.BytesIO() for _ in range(2))
    >>> Image.new("L", (8, 8)).save(plain, "PNG")
    >>> Image.effect_noise((8, 8), 99).save(busy, "PNG")
    >>> files = [plain.getvalue(), busy.getvalue()]
    >>> longest = max(len(one) for one in files)
    >>> len({len(one) for one in files}), len({len(lengthened(one, longest)) for one in files})
    (2, 1)
    """
    end = len(_chunk(b""))
    return picture[:-end] + _chunk(bytes(longest - len(picture))) + picture[-end:]


def _chunk(content: bytes) -> bytes:
    """A chunk of PNG that is neither needed nor public (PNG specification, section 5)."""
    named = b"paDd" + content
    return struct.pack(">I", len(content)) + named + struct.pack(">I", zlib.crc32(named))


@dataclass(frozen=True)
class Cue:
    """A number of an image that cannot be made alike.

    Attributes:
        name: what it is.
        medians: of real and of synthetic cases.
        auc: how well it tells synthetic from real cases; 0.5 is not at all.
    """

    name: str
    medians: tuple[float, float]
    auc: Figure

    @property
    def reveals(self) -> bool:
        """Whether the interval of the AUC leaves out one half."""
        return self.auc.ci95 is not None and not self.auc.ci95[0] <= 0.5 <= self.auc.ci95[1]


def cues(volumes: Sequence[Volume], synthetic: Sequence[bool]) -> list[Cue]:
    """How well single numbers of images that were made alike tell their origin.

    >>> rng = np.random.default_rng(0)
    >>> noisy = [Volume(rng.normal(500, 9 + 90 * (n % 2), (9, 9, 9)).astype(np.int16), np.eye(4))
    ...          for n in range(20)]
    >>> {one.name: one.reveals for one in cues(noisy, [n % 2 == 1 for n in range(20)])}["noise"]
    True
    """
    generated = np.array(synthetic)
    if generated.all() or not generated.any():
        return []
    result = []
    for name, measure in _NUMBERS.items():
        values = np.array([measure(one.voxels.astype(np.float32)) for one in volumes])
        targets = generated.astype(np.float32)[:, None]
        figure = auc_figure(values[:, None], targets, Resampling(counts="images", resamples=2000))
        medians = float(np.median(values[~generated])), float(np.median(values[generated]))
        result.append(Cue(name, medians, figure))
    return result


def reported(found: Sequence[Cue]) -> str:
    """Cues as CSV."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["number", "real", "synthetic", "auc", "low", "high", "tells"])
    for one in found:
        ends = one.auc.ci95 or (float("nan"), float("nan"))
        rows.writerow([
            one.name, *(f"{value:.4g}" for value in (*one.medians, one.auc.value, *ends)),
            "yes" if one.reveals else "no",
        ])  # fmt: skip
    return text.getvalue()


def _noise(voxels: np.ndarray) -> float:
    """Median absolute change from one voxel to the next but one, of what is not background."""
    axis = int(np.argmax(voxels.shape))
    second = np.abs(np.diff(voxels, n=2, axis=axis))
    inside = np.take(voxels, range(1, voxels.shape[axis] - 1), axis=axis) > voxels.min()
    return float(np.median(second[inside])) if inside.any() else 0.0


def _sharpness(voxels: np.ndarray) -> float:
    """Strongest edges against the spread of values."""
    edges = ndimage.gaussian_gradient_magnitude(voxels, 0.7)
    return float(np.percentile(edges, 99) / max(float(voxels.std()), 1e-6))


_NUMBERS = {
    "mean": lambda voxels: float(voxels.mean()),
    "spread": lambda voxels: float(voxels.std()),
    "background": lambda voxels: float((voxels <= voxels.min()).mean()),
    "noise": _noise,
    "sharpness": _sharpness,
}


def _upright(volume: Volume) -> Volume:
    if 1 not in volume.shape:
        return volume.oriented("RAS")
    flat = picture_of(volume)
    return Volume(np.ascontiguousarray(flat[::-1].T)[:, :, None], np.eye(4))


def _placed(volume: Volume, spacing: np.ndarray, shape: tuple[int, ...]) -> Volume:
    if volume.shape == shape and np.allclose(volume.spacing_mm, spacing, atol=SAME_MM):
        return Volume(volume.voxels, np.diag([*spacing, 1.0]))
    if volume.shape[2] == 1:
        missing = [n - own for n, own in zip(shape, volume.shape, strict=True)]
        margins = [(one // 2, one - one // 2) for one in missing]
        low = float(volume.voxels.min())
        padded = np.pad(volume.voxels, margins, constant_values=low)
        return Volume(padded, np.diag([*spacing, 1.0]))
    image = nib.Nifti1Image(volume.voxels.astype(np.float32), volume.affine)
    affine = np.diag([*spacing, 1.0])
    middle = volume.affine[:3, :3] @ ((np.array(volume.shape) - 1) / 2) + volume.affine[:3, 3]
    affine[:3, 3] = middle - (np.array(shape) - 1) / 2 * spacing
    low = float(volume.voxels.min())
    result = resample_from_to(image, (shape, affine), order=1, cval=low)
    return Volume(np.asarray(result.dataobj, dtype=np.float32), np.diag([*spacing, 1.0]))


def _levelled(volume: Volume, span: tuple[float, float] | None) -> Volume:
    voxels = volume.voxels.astype(np.float32)
    if span is not None:
        return Volume(np.clip(voxels, *span).round().astype(np.int16), volume.affine)
    low, high = np.percentile(voxels, PERCENTILES)
    scaled = np.clip((voxels - low) / max(float(high - low), 1e-9), 0, 1) * LEVELS
    return Volume(scaled.round().astype(np.int16), volume.affine)
