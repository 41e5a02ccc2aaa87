"""Calibration: what to ask the networks for, so that what comes out is what was asked.

Decoding shrinks thin structures a little, so the measured value of an attribute departs from its
condition by a smooth curve. After the fit, label maps are generated over the range of each
attribute, they are measured, and the curve is inverted. Misses are still rejected.

The spread that an image decoder learnt holds scanner noise, but also what the code did not carry,
and blocks of voxels carry on what a network takes of noise. Either is scaled label by label until
images generated for real label maps have the noise texture of real images.
"""

from __future__ import annotations

import numpy as np

from vesalius.scans.noise_texture import interior, noise_texture
from vesalius.training.recipe import Settings


class Calibration(Settings):
    """For each attribute the polynomial in √value that takes a wanted value to a condition.

    `noise_scales` multiply the noise of images, one for each label in the networks'
    order; empty for no change.

    >>> requested = np.linspace(20, 160, 40)
    >>> half = Calibration.of({"x_volume_ml": (requested, requested / 2)})
    >>> round(half.condition("x_volume_ml", 30.0), 3)
    60.0
    >>> Calibration.of({}).condition("y_volume_ml", 30.0)
    30.0
    """

    curves: dict[str, tuple[float, ...]]
    noise_scales: tuple[float, ...] = ()

    @classmethod
    def of(
        cls,
        generated: dict[str, tuple[np.ndarray, np.ndarray]],
        noise_scales: tuple[float, ...] = (),
    ) -> Calibration:
        """Fit the curves to conditions and measured values, a pair of `(N,)` an attribute."""
        curves = {}
        for name, (requested, measured) in generated.items():
            ends = np.polyfit(np.sqrt(measured), np.sqrt(requested), 2)
            curves[name] = tuple(float(c) for c in ends)
        return cls(curves=curves, noise_scales=noise_scales)

    def condition(self, name: str, wanted: float) -> float:
        """What to ask for."""
        if name not in self.curves:
            return wanted
        root = float(np.polyval(self.curves[name], np.sqrt(max(wanted, 0.0))))
        return max(0.0, root) ** 2


def label_noise_texture(image: np.ndarray, labels: np.ndarray, label: int) -> float:
    """Noise texture of an image `(D, H, W)` where a voxel and its six neighbours share a label.

    >>> noise = np.random.default_rng(0).normal(0, 2.0, (20, 20, 20))
    >>> round(label_noise_texture(100 + noise, np.ones((20, 20, 20), dtype=int), 1), 1)
    2.0
    """
    return noise_texture(image, interior(labels) & (labels == label))
