"""Phantom brains: individuals around the MNI152 template, with ventricles of any asked volume.

The template and its tissue maps (Fonov et al. 2011, "Unbiased average age-appropriate atlases for
pediatric studies") come with nilearn. Nothing of a patient is in a phantom.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from nilearn import datasets
from scipy import ndimage
from torch import Tensor

from vesalius.anatomy.attributes import attribute_of, attribute_value
from vesalius.geometry import deformation
from vesalius.phantoms import growth, mri
from vesalius.scans.case import LabelledScan
from vesalius.scans.description import Description
from vesalius.scans.input_error import InputError
from vesalius.scans.volume import Volume

LABELS = {
    "background": 0, "grey_matter": 1, "white_matter": 2, "cerebrospinal_fluid": 3,
    "lateral_ventricles": 4,
}  # fmt: skip
DESCRIPTION = Description(("T1",), LABELS, origin="phantom")
ATTRIBUTE = "ventricle_volume_ml"

VOLUME_RANGE_ML = (6.0, 220.0)
"""Ventricular volumes that the growth was seen to reach without a fold."""

_FLOW_SPACING_MM = 4.0
_FIELD_MM = np.array([174.0, 210.0, 174.0])
_CAVITY_REACH_MM = (60.0, 85.0, 65.0)
_SKULL_SCALE = 0.93


@dataclass(frozen=True)
class Template:
    """T1 image and tissues in order of `LABELS` at 1 mm, and middles of brain and ventricles."""

    image: Tensor
    tissues: Tensor
    middle: Tensor
    ventricles: Tensor


@functools.cache
def template() -> Template:
    """Load the template and find its ventricles: the two large fluid spaces beside the midline."""
    image = datasets.load_mni152_template(resolution=1).get_fdata(dtype=np.float32)
    grey = datasets.load_mni152_gm_template(resolution=1).get_fdata(dtype=np.float32)
    white = datasets.load_mni152_wm_template(resolution=1).get_fdata(dtype=np.float32)
    extent = ndimage.find_objects((image > 0).astype(np.uint8))[0]
    box = tuple(slice(max(0, side.start - 4), side.stop + 4) for side in extent)
    midline = (image.shape[0] - 1) / 2 - box[0].start
    image, grey, white = (np.ascontiguousarray(voxels[box]) for voxels in (image, grey, white))
    brain = (image > 0).astype(np.float32)
    fluid = np.clip(brain - grey - white, 0, 1)
    parts, count = ndimage.label(fluid > 0.6)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    order = np.argsort(-sizes[1:]) + 1
    off_midline = [
        part for part in order[:8]
        if abs(ndimage.center_of_mass(parts == part)[0] - midline) > 5
    ]  # fmt: skip
    core = np.isin(parts, off_midline[:2])
    ventricles = np.where(ndimage.binary_dilation(core, iterations=2), fluid, 0)
    tissues = np.stack([1 - brain, grey, white, fluid - ventricles, ventricles])
    tissues = np.clip(tissues, 0, 1) / np.maximum(tissues.sum(axis=0), 1e-6)
    box = ndimage.find_objects(brain.astype(int))[0]
    middle = torch.tensor([(side.start + side.stop - 1) / 2 for side in box])
    cavity = torch.tensor(np.argwhere(core).mean(axis=0), dtype=torch.float32)
    return Template(torch.from_numpy(image), torch.from_numpy(tissues), middle, cavity)


@functools.cache
def _seen_at(spacing_mm: float) -> tuple[Tensor, Tensor]:
    """Tissues and T1 image of the template as voxels of `spacing_mm` average them."""
    tissues = mri.gaussian_blur(template().tissues, 0.4 * spacing_mm)
    return tissues, mri.gaussian_blur(template().image[None], 0.4 * spacing_mm)


@functools.cache
def _coarse_tissues() -> tuple[Tensor, Tensor]:
    """Solid tissue, fluid and cavity on the padded grid of the flow, and where that begins."""
    spacing = _FLOW_SPACING_MM
    size = [math.ceil(n / spacing) + 6 for n in template().image.shape]
    origin = torch.full((3,), -3 * spacing)
    points = deformation.voxel_grid(tuple(size)) * spacing + origin.reshape(3, 1, 1, 1)
    blurred = mri.gaussian_blur(template().tissues, spacing / 2.5)
    _, grey, white, fluid, cavity = deformation.sample(blurred, points)
    return torch.stack([grey + white, fluid, cavity]), origin


def skewed_volume_ml(generator: torch.Generator) -> float:
    """A ventricular volume as patients have it: median 25 mL, one in twenty enlarged above 60.

    >>> seeds = torch.Generator().manual_seed(0)
    >>> generated = np.array([skewed_volume_ml(seeds) for _ in range(4000)])
    >>> bool(24 < np.median(generated) < 26 and 0.03 < (generated > 60).mean() < 0.07)
    True
    """
    low, high = VOLUME_RANGE_ML
    everyone = 24.5 * math.exp(0.4 * float(torch.randn(1, generator=generator)))
    enlarged = 60 + 120 * float(torch.rand(1, generator=generator))
    hydrocephalus = float(torch.rand(1, generator=generator)) < 0.04
    return enlarged if hydrocephalus else min(max(everyone, low), high)


@dataclass(frozen=True)
class BrainPhantom:
    """A phantom with the truth behind it.

    `displacement` `(3, X, Y, Z)` in mm is the whole deformation on the output grid, template seen
    from the patient, without head position.
    """

    scan: LabelledScan
    volume_ml: float
    displacement: Tensor
    spacing_mm: float


def draw_brain(
    seed: int, spacing_mm: float = 3.0, volume_ml: float | tuple[float, float] | None = None
) -> BrainPhantom:
    """Draw one phantom brain. The same arguments give the same voxels.

    Args:
        seed: of this case.
        spacing_mm: edge length of a voxel.
        volume_ml: ventricular volume, a range to draw from evenly, or `None` for the skewed
            distribution of `skewed_volume_ml`.

    Raises:
        InputError: for volumes outside `VOLUME_RANGE_ML`.
    """
    rng = torch.Generator().manual_seed(seed)
    target_ml = skewed_volume_ml(rng)
    if isinstance(volume_ml, tuple):
        low, high = volume_ml
        target_ml = low + (high - low) * float(torch.rand(1, generator=rng))
    elif volume_ml is not None:
        target_ml = volume_ml
    if not VOLUME_RANGE_ML[0] <= target_ml <= VOLUME_RANGE_ML[1]:
        remedy = f"ask for {VOLUME_RANGE_ML[0]:g} to {VOLUME_RANGE_ML[1]:g} mL"
        raise InputError(ATTRIBUTE, f"{target_ml:g} mL cannot be built", remedy)

    shape = tuple(round(n) for n in _FIELD_MM / spacing_mm)
    grid = deformation.voxel_grid(shape)
    centre = (torch.tensor(shape).float() - 1).reshape(3, 1, 1, 1) / 2
    head = _head_position(rng) @ ((grid - centre) * spacing_mm).reshape(3, -1)
    head = head.reshape(3, *shape) + 4.0 * torch.randn(3, 1, 1, 1, generator=rng).clamp(-2, 2)
    individual = _individual_shape(shape, spacing_mm, rng)
    patient = head + deformation.sample(individual, head / spacing_mm + centre)
    anatomy = patient / _SKULL_SCALE + template().middle.reshape(3, 1, 1, 1)

    blurred, anatomy_t1 = _seen_at(spacing_mm)
    enlarged = _enlarge(target_ml, blurred, anatomy, spacing_mm, rng)
    points = _passing(anatomy, enlarged)
    tissues = deformation.sample(blurred, points)
    size = torch.tensor(template().image.shape).reshape(3, 1, 1, 1)
    outside = ((points < 0) | (points > size - 1)).any(dim=0)
    tissues[:, outside] = torch.eye(5)[:, :1]
    labels = _label(tissues).to(torch.uint8)
    signal = deformation.sample(anatomy_t1, points)[0]
    image = _acquire(signal, tissues, spacing_mm, rng)

    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = -(np.array(shape) - 1) / 2 * spacing_mm
    label_map = Volume(labels.numpy(), affine)
    measured = attribute_value(attribute_of(DESCRIPTION, ATTRIBUTE), label_map, LABELS)
    whole = points - template().middle.reshape(3, 1, 1, 1) - (grid - centre) * spacing_mm
    scan = LabelledScan((Volume(image.numpy(), affine),), label_map)
    return BrainPhantom(scan, measured, whole, spacing_mm)


def _label(tissues: Tensor) -> Tensor:
    """The tissue of each voxel; fluid counts more, as an average of brains blurs its sulci."""
    return (tissues * torch.tensor([1.0, 1.0, 1.0, 1.5, 1.0]).reshape(5, 1, 1, 1)).argmax(dim=0)


def _head_position(rng: torch.Generator) -> Tensor:
    """A small rotation `(3, 3)` times the size of the head."""
    angles = 0.07 * torch.randn(3, generator=rng).clamp(-2, 2)
    skew = torch.zeros(3, 3)
    skew[0, 1], skew[0, 2], skew[1, 2] = angles
    sizes = torch.exp(0.035 * torch.randn(3, generator=rng).clamp(-2, 2))
    return torch.linalg.matrix_exp(skew - skew.T) @ torch.diag(sizes)


def _individual_shape(shape: tuple[int, ...], spacing_mm: float, rng: torch.Generator) -> Tensor:
    """How this brain differs from the template: a diffeomorphism of broad and of fine scale."""
    broad = 3.2 * deformation.smooth_noise(shape, 45.0, spacing_mm, rng)
    fine = 1.5 * deformation.smooth_noise(shape, 15.0, spacing_mm, rng)
    return deformation.exponential(broad + fine, spacing_mm)


def _passing(anatomy: Tensor, displacement: Tensor) -> Tensor:
    """Points of the template, in its voxels of 1 mm, behind each voxel of the patient."""
    _, origin = _coarse_tissues()
    coarse = (anatomy - origin.reshape(3, 1, 1, 1)) / _FLOW_SPACING_MM
    return anatomy + deformation.sample(displacement, coarse)


def _enlarge(
    target_ml: float, tissues: Tensor, anatomy: Tensor, spacing_mm: float, rng: torch.Generator
) -> Tensor:  # fmt: skip
    """The displacement on the flow's grid under which the patient's label map has `target_ml`."""
    coarse, _ = _coarse_tissues()
    spacing = _FLOW_SPACING_MM
    shape = tuple(coarse.shape[1:])
    unevenness = torch.exp(0.35 * deformation.smooth_noise(shape, 60.0, spacing, rng, 1)[0])
    give = 0.03 + 0.05 * float(torch.rand(1, generator=rng))
    voxel_ml = spacing**3 / 1000

    near = (anatomy - template().ventricles.reshape(3, 1, 1, 1)).abs()
    near = (near < torch.tensor(_CAVITY_REACH_MM).reshape(3, 1, 1, 1)).all(dim=0)
    box = [near.any(dim=d1).any(dim=d2).nonzero().flatten() for d1, d2 in ((2, 1), (2, 0), (0, 0))]
    centre = anatomy[:, *[slice(int(side[0]), int(side[-1]) + 1) for side in box]]

    def strengths(displacement: Tensor) -> tuple[Tensor, Tensor, float]:
        solid, fluid, cavity = deformation.warp(coarse, displacement, spacing)
        yielding = fluid + give * solid
        return cavity * unevenness, yielding, float(cavity.sum() * voxel_ml)

    def measured_ml(displacement: Tensor) -> float:
        observed = deformation.sample(tissues, _passing(centre, displacement))
        return float((_label(observed) == 4).sum()) * spacing_mm**3 / 1000

    start = torch.zeros(3, *shape)
    volume = measured_ml(start)
    ahead = math.copysign(1.0, target_ml - volume)
    path = growth.grow(start, strengths, spacing, shrink=ahead < 0)
    displacement, cavity_ml, flow, step_ml = next(path)
    rate = volume / cavity_ml
    while ahead * (rate * (cavity_ml + 1.5 * step_ml) - target_ml) < 0:
        displacement, cavity_ml, flow, step_ml = next(path)
    low, low_ml = 0.0, measured_ml(displacement)
    reach = (target_ml - low_ml) / rate
    for _ in range(12):
        reached = growth.advance(displacement, flow, reach, spacing)
        reached_ml = measured_ml(reached)
        if abs(reached_ml - target_ml) <= 0.008 * target_ml:
            break
        slope = (reached_ml - low_ml) / (reach - low) if reach != low else rate
        low, low_ml = reach, reached_ml
        reach += (target_ml - reached_ml) / (slope if slope > 0.3 * rate else rate)
    return reached


def _acquire(signal: Tensor, tissues: Tensor, spacing_mm: float, rng: torch.Generator) -> Tensor:
    """A T1-weighted magnitude image of the anatomy in arbitrary units, whole numbers as float32."""
    _, grey, white, fluid, cavity = tissues
    change = 0.04 * torch.randn(3, generator=rng).clamp(-2, 2)
    liquid = fluid + cavity
    signal = signal + change[0] * grey + change[1] * white + (change[2] - 0.1) * liquid
    signal = signal.clamp(min=0) * (1 - tissues[0]).clamp(0, 1)
    texture = deformation.smooth_noise(tuple(signal.shape), 9.0, spacing_mm, rng, channels=1)[0]
    signal = signal * (1 + 0.02 * texture)
    sharpness = 0.45 * float(torch.rand(1, generator=rng))
    signal = mri.gaussian_blur(signal[None], sharpness)[0]
    signal = signal * mri.bias_field(tuple(signal.shape), 0.07, spacing_mm, rng)
    noise = 0.012 + 0.02 * float(torch.rand(1, generator=rng))
    gain = 1000 * math.exp(0.08 * float(torch.randn(1, generator=rng)))
    return (gain * mri.rician(signal, noise, rng)).round()
