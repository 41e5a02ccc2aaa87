"""The physics of radiographs: what is left of a beam, and what a detector makes of it.

Beer and Lambert's law along parallel rays, with scatter, focal spot, quantum noise, and the
processing that turns a logarithm of counts into a picture (Samei and Peck 2019, "Hendee's physics
of medical imaging", chapters 4 and 5). One energy; rays do not diverge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.phantoms.hounsfield import WATER_PER_MM
from vesalius.phantoms.shapes import Array

SCATTER_MM = 45.0
EDGE_MM = 14.0
"""Width over which post-processing lifts detail."""
WINDOW = (2.0, 99.0)
"""Percentiles of what lies behind the patient between which the picture lies."""
PATIENT_MM = 40.0
"""Water behind which the patient begins; the open field does not count for the window."""


@dataclass(frozen=True)
class Scanner:
    """One way of taking radiographs; every single exposure differs a little from it.

    Attributes:
        photons_per_mm2: that reach the detector where there is no patient.
        scatter: share of what arrives that was scattered.
        blur_mm: standard deviation of focal spot and detector.
        sharpening: how much detail is lifted.
        gamma: of the display.
        field_mm: side of the square that is seen.
        aside_mm: largest shift of the patient from its middle.
    """

    photons_per_mm2: float
    scatter: float
    blur_mm: float
    sharpening: float
    gamma: float
    field_mm: float
    aside_mm: float


SCANNERS = {
    "source": Scanner(6000.0, 0.15, 1.5, 0.5, 1.0, 320.0, 6.0),
    "external": Scanner(1800.0, 0.32, 3.2, 1.1, 1.25, 345.0, 14.0),
}
"""`home` for what is learnt from, `other` for an external test."""


def water_mm(hounsfield: Array, thickness_mm: float, axis: int = 1) -> Array:
    """Millimetres of water that weaken the beam as much as what lies along an axis.

    >>> water_mm(np.zeros((2, 10, 3)), 5.0).tolist()
    [[50.0, 50.0, 50.0], [50.0, 50.0, 50.0]]
    """
    result: Array = thickness_mm * np.maximum(1 + hounsfield / 1000, 0).sum(axis=axis)
    return result


def expose(water: Array, pixel_mm: float, scanner: Scanner, rng: np.random.Generator) -> Array:
    """A picture in [0, 1], dense being bright, of what stands in the beam.

    Args:
        water: in mm, see `water_mm`, `(X, Z)`.
        pixel_mm: edge of a pixel.
        scanner: whose exposure, blur and processing vary by some tenths from one to the next.
        rng: of exposure and noise.

    >>> scene = np.full((16, 16), 80.0); scene[4:12, 4:12] = 120.0
    >>> observed = expose(scene, 5.0, SCANNERS["source"], np.random.default_rng(0))
    >>> bool(observed[8, 8] > 0.8), bool(observed[0, 0] < 0.2)
    (True, True)
    """
    vary = np.exp(0.15 * rng.standard_normal(4))
    primary = np.exp(-WATER_PER_MM * water)
    std = ndimage.gaussian_filter(primary, SCATTER_MM / pixel_mm)
    share = min(0.6, scanner.scatter * vary[0])
    arriving = (1 - share) * primary + share * std
    arriving = ndimage.gaussian_filter(arriving, scanner.blur_mm * vary[1] / pixel_mm)
    open_field = scanner.photons_per_mm2 * vary[2] * pixel_mm**2
    counts = rng.poisson(open_field * arriving)
    dense = -np.log((counts + 1) / open_field)
    lifted = dense - ndimage.gaussian_filter(dense, EDGE_MM / pixel_mm)
    dense = dense + scanner.sharpening * vary[3] * lifted
    patient = dense > WATER_PER_MM * PATIENT_MM
    low, high = np.percentile(dense[patient] if patient.any() else dense, WINDOW)
    observed: Array = np.clip((dense - low) / (high - low), 0, 1) ** scanner.gamma
    return observed
