"""From a generated crop to the edited scan: map, blend, image and label; the rest to the last
bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from torch import Tensor

from vesalius.diffusion.noise_maps import on_latent_grid
from vesalius.methods.inpainting.latent import LATENT_FACTORS, LabelKinds, from_latent
from vesalius.scans.case import LabelledScan
from vesalius.scans.crop import Crop
from vesalius.scans.noise_texture import noise_texture
from vesalius.scans.volume import Volume
from vesalius.training.fingerprint import Fingerprint

SPECK_VOXELS = 5
IN_SLICE = (1, 2)


@dataclass(frozen=True)
class EditMap:
    """Where and how much a crop may change.

    Attributes:
        latent: the noise map on the latent grid `(1, 1, D, H/2, W/2)`.
        blend: share of the generated image in the result `(D, H, W)`, 0 outside the map.
    """

    latent: Tensor
    blend: np.ndarray


def edit_map(weight: Tensor, spacing_mm: Sequence[float], blend_mm: float) -> EditMap:
    """The noise map of a crop on the latent grid, and the blend inside its border.

    Args:
        weight: the map `(D, H, W)`; see `noise_map`.
        spacing_mm: of the crop.
        blend_mm: width over which the edit fades into the scan.
    """
    support = np.pad(weight.numpy() > 0, 1)
    depth = ndimage.distance_transform_edt(support, sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    blend = np.clip(depth / max(blend_mm, 1e-3), 0, 1)
    return EditMap(on_latent_grid(weight[None, None], LATENT_FACTORS), blend)


def edited(
    scan: LabelledScan, crop: Crop, generated: Tensor, blend: np.ndarray, fingerprint: Fingerprint,
    kinds: LabelKinds, seed: int | None = None,
) -> LabelledScan:  # fmt: skip
    """The scan with a generated latent `(1, C, D, H, W)` blended in.

    Samplers without noise average the scanner's noise texture away. With a `seed` it is put back at
    the strength that the same part of the scan had before.

    Voxels where the blend is 0 keep their value to the last bit. A label changes only where what
    it shows has changed; its level is that of the nearest label of the same kind.
    """
    image, kind = from_latent(generated, len(scan.channels))
    units = fingerprint.unscaled(image[0].numpy())
    before = crop.scan.label_map.voxels
    numbers = _numbers(kind[0].numpy(), before, fingerprint, kinds)
    numbers = np.where(blend > 0, numbers, before)
    upright = scan.label_map.oriented("RAS")
    box, share = _onto(blend, crop, upright.shape, order=1)
    channels = []
    for channel, own, new in zip(scan.channels, crop.scan.channels, units, strict=True):
        voxels = channel.oriented("RAS").voxels.copy()
        generated_image = new if seed is None else with_noise_texture(new, own.voxels, blend, seed)
        change = _onto(generated_image - own.voxels, crop, upright.shape, order=1)[1]
        here = voxels[box]
        mixed = here + share * change
        if _whole(channel.voxels):
            mixed = np.round(mixed)
        voxels[box] = np.where(share > 0, mixed, here)
        channels.append(_back(voxels, channel))
    labels = upright.voxels.copy()
    moved = _onto((numbers != before).astype(np.float32), crop, upright.shape, order=0)[1] > 0
    there = _onto(numbers.astype(np.float32), crop, upright.shape, order=0)[1]
    labels[box] = np.where(moved & (share > 0), there.astype(labels.dtype), labels[box])
    return LabelledScan(tuple(channels), _back(labels, scan.label_map))


def _numbers(
    kind: np.ndarray, before: np.ndarray, fingerprint: Fingerprint, kinds: LabelKinds
) -> np.ndarray:
    """Label numbers of kinds: as before where the kind is the same, else the nearest level's.

    Changes of a few voxels by themselves are specks and are taken back.
    """
    position = np.searchsorted(fingerprint.label_numbers, before)
    old = kinds.of_position.numpy()[position]
    numbers = before.copy()
    for index, name in enumerate(kinds.names):
        changed = without_specks((kind == index) & (old != index))
        if not changed.any():
            continue
        own = kinds.numbers[name]
        numbers[changed] = own[0]
        if len(own) > 1 and (old == index).any():
            _, nearest = ndimage.distance_transform_edt(
                old != index, sampling=fingerprint.spacing_mm, return_indices=True
            )
            numbers[changed] = before[tuple(axis[changed] for axis in nearest)]
    return numbers


def with_noise_texture(
    generated: np.ndarray, source: np.ndarray, blend: np.ndarray, seed: int
) -> np.ndarray:
    """A generated image `(D, H, W)` with as much noise texture inside the edit as the source has
    there.

    >>> rng = np.random.default_rng(0)
    >>> source, flat = rng.normal(100, 5, (4, 24, 24)), np.full((4, 24, 24), 100.0)
    >>> grainy = with_noise_texture(flat, source, np.ones((4, 24, 24)), seed=1)
    >>> bool(abs(grainy.std() - 5) < 0.5)
    True
    """
    inside = blend >= 1
    if inside.sum() < 50:
        return generated
    missing = (
        noise_texture(source, inside, IN_SLICE) ** 2
        - noise_texture(generated, inside, IN_SLICE) ** 2
    )
    if missing <= 0:
        return generated
    noise = np.random.default_rng(seed).standard_normal(generated.shape)
    grainy: np.ndarray = generated + np.sqrt(missing) * noise
    return grainy


def without_specks(mask: np.ndarray, fewest: int = SPECK_VOXELS) -> np.ndarray:
    """A mask `(D, H, W)` without connected parts of less than `fewest` voxels.

    >>> spots = np.zeros((1, 6, 6), dtype=bool); spots[0, 0, 0] = True; spots[0, 2:5, 2:5] = True
    >>> int(without_specks(spots, 4).sum())
    9
    """
    parts, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())
    kept: np.ndarray = mask & (sizes[parts] >= fewest)
    return kept


def _onto(
    values: np.ndarray, crop: Crop, shape: tuple[int, int, int], order: int
) -> tuple[tuple[slice, ...], np.ndarray]:
    """Values on the crop's grid, brought to the scan's voxels that it covers."""
    ends = crop.start + crop.zoom * (np.array(values.shape) - 1)
    first = np.clip(np.ceil(crop.start - 1e-6), 0, shape).astype(int)
    last = np.clip(np.floor(ends + 1e-6) + 1, first, shape).astype(int)
    box = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    if np.allclose(crop.zoom, 1):
        inner = tuple(
            slice(a - int(s), b - int(s)) for a, b, s in zip(first, last, crop.start, strict=True)
        )
        return box, values[inner]
    moved = ndimage.affine_transform(
        values, 1 / crop.zoom, (first - crop.start) / crop.zoom,
        output_shape=tuple(last - first), order=order, mode="constant",
    )  # fmt: skip
    return box, moved


def _whole(voxels: np.ndarray) -> bool:
    return bool((voxels == np.round(voxels)).all())


def _back(voxels: np.ndarray, like: Volume) -> Volume:
    """RAS-oriented voxels in the axis order of `like`, with its very affine."""
    upright = Volume(voxels, like.oriented("RAS").affine)
    return Volume(upright.oriented(like.orientation).voxels, like.affine)
