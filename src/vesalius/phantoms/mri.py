"""What a scanner adds to anatomy: contrast, coil sensitivity, noise, resolution."""

from __future__ import annotations

import math

import torch
from scipy import ndimage
from torch import Tensor

from vesalius.geometry.deformation import smooth_noise


def gaussian_blur(image: Tensor, sigma_voxels: float) -> Tensor:
    """`image` `(C, X, Y, Z)` blurred by a Gaussian, the edges continued.

    >>> point = torch.zeros(1, 9, 9, 9); point[0, 4, 4, 4] = 1
    >>> round(float(gaussian_blur(point, 1.0).sum()), 4)
    1.0
    """
    if sigma_voxels < 0.05:
        return image
    blurred = torch.empty_like(image)
    for channel, voxels in enumerate(image):
        ndimage.gaussian_filter(
            voxels.numpy(), sigma_voxels, output=blurred[channel].numpy(), mode="nearest",
            truncate=3.0,
        )  # fmt: skip
    return blurred


def bias_field(
    shape: tuple[int, ...], strength: float, spacing_mm: float, generator: torch.Generator
) -> Tensor:
    """Coil sensitivity `(X, Y, Z)`: the exponential of a field that varies over some 90 mm."""
    wave = smooth_noise(shape, 90.0, spacing_mm, generator, channels=1)[0]
    return torch.exp(strength * wave)


def rician(image: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Magnitude of a signal with complex Gaussian noise, √((s + n₁)² + n₂²).

    Source: Gudbjartsson and Patz 1995, "The Rician distribution of noisy MRI data".

    >>> noise = rician(torch.zeros(100_000), 1.0, torch.Generator().manual_seed(0))
    >>> abs(float(noise.mean()) - (torch.pi / 2) ** 0.5) < 0.01
    True
    """
    real = image + sigma * torch.randn(image.shape, generator=generator)
    return torch.hypot(real, sigma * torch.randn(image.shape, generator=generator))


def random_contrast(
    label_map: Tensor, label_count: int, spacing_mm: float, generator: torch.Generator
) -> Tensor:
    """An image of arbitrary contrast from a label map, in [0, 1].

    Each label draws a mean and a spread; blur, bias and noise follow (Billot et al. 2023,
    "SynthSeg: segmentation of brain MRI scans of any contrast and resolution without retraining").

    Args:
        label_map: whole numbers `(X, Y, Z)` below `label_count`.
        label_count: number of labels, the background included.
        spacing_mm: of the grid.
        generator: the only source of chance.

    Returns:
        `(X, Y, Z)` floats.
    """
    means = torch.rand(label_count, generator=generator)
    deviations = 0.1 * torch.rand(label_count, generator=generator)
    if float(torch.rand(1, generator=generator)) < 0.5:
        means[0], deviations[0] = 0.0, 0.0
    image = means[label_map] + deviations[label_map] * torch.randn(
        label_map.shape, generator=generator
    )
    width = 0.3 + 0.7 * float(torch.rand(1, generator=generator))
    image = gaussian_blur(image[None], width)[0].clamp(min=0)
    image = image * bias_field(tuple(label_map.shape), 0.2, spacing_mm, generator)
    image = image + 0.03 * torch.rand(1, generator=generator) * torch.randn(
        image.shape, generator=generator
    )
    low, high = image.min(), image.max()
    return (image - low) / (high - low).clamp(min=1e-6)


def spin_echo(density: float, t1: float, t2: float, repetition: float, echo: float) -> float:
    """Signal of a spin echo, PD · (1 − exp(−TR/T1)) · exp(−TE/T2); all times in one unit.

    Source: Hahn 1950, "Spin echoes", for echo times far below the repetition time.

    >>> spin_echo(1.0, t1=1.0, t2=1e9, repetition=1e9, echo=0.0)
    1.0
    """
    return density * (1 - math.exp(-repetition / t1)) * math.exp(-echo / t2)


def spoiled_echo(
    density: float, t1: float, t2: float, repetition: float, echo: float, flip_degrees: float
) -> float:
    """Signal of a spoiled gradient echo, with E = exp(−TR/T1):

    PD · sin α · (1 − E) / (1 − E · cos α) · exp(−TE/T2*), all times in one unit.

    Source: Haase et al. 1986, "FLASH imaging: rapid NMR imaging using low flip-angle pulses".

    >>> short, long = (spoiled_echo(1.0, t1, 50.0, 8.0, 4.0, 20.0) for t1 in (300.0, 1300.0))
    >>> short > 2 * long
    True
    """
    kept, turn = math.exp(-repetition / t1), math.radians(flip_degrees)
    steady = math.sin(turn) * (1 - kept) / (1 - kept * math.cos(turn))
    return density * steady * math.exp(-echo / t2)
