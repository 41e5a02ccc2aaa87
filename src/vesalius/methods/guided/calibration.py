"""Calibration: what to ask the networks for, so that what comes out is what was asked.

Decoding shrinks thin structures a little, so the measured value of an attribute departs from its
condition by a smooth curve. After the fit, label maps are generated over the range of each
attribute, they are measured, and the curve is inverted. Misses are still rejected.

The spread that an image decoder learnt holds scanner noise, but also what the code did not carry,
and blocks of voxels carry on what a network takes of noise. Either is scaled until images generated
for real label maps have as much fine detail as real ones in the quietest tissue, where there is
nothing but noise. The scanner's noise is the same in all tissues: what another lacks is structure,
for which noise cannot stand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.evidence.spectrum import fine_detail
from vesalius.scans.noise_texture import interior, matching_scale, noise_texture
from vesalius.training.recipe import Settings

FEWEST_VOXELS = 200
"""Of a label in a case, below which its noise is not measured."""


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


def textures(
    image: np.ndarray, labels: np.ndarray, numbers: Sequence[int] | np.ndarray
) -> list[float]:
    """How noisy an image `(D, H, W)` is in each label, where a voxel's neighbours share it.

    The first, the background, by its noise texture, which borders of the body do not disturb; the
    others by the SD of their fine detail. NaN where there is too little of one.

    >>> rng = np.random.default_rng(0)
    >>> labels = np.zeros((24, 24, 24), dtype=int); labels[:, 12:] = 1
    >>> image = 100 + rng.normal(0, np.array([2.0, 4.0])[labels])
    >>> [round(one) for one in textures(image, labels, [0, 1, 2])[:1]]
    [2]
    >>> bool(np.isnan(textures(image, labels, [0, 1, 2])[2]))
    True
    """
    inside, fine = interior(labels), fine_detail(image)
    result = [noise_texture(image, inside & (labels == numbers[0]))]
    for number in numbers[1:]:
        own = fine[inside & (labels == number)]
        result.append(float(own.std()) if own.size >= FEWEST_VOXELS else float("nan"))
    return result


def scales_of(rows: Sequence[tuple[float, float, float]]) -> tuple[float, ...]:
    """Factors on the noise of each label, the background first.

    Args:
        rows: of each label the texture of real images, and of images generated without noise and
            with all of it; NaN where it was nowhere to be seen.

    >>> scales_of([(1.0, 0.0, 1.0), (3.0, 0.0, 6.0), (8.0, 0.0, 8.0)])
    (1.0, 0.5, 0.5)
    """
    background, *tissues = rows
    seen = [row for row in tissues if np.isfinite(row).all()]
    quietest = min(seen, default=(1.0, 0.0, 1.0))
    return (matching_scale(*background), *(matching_scale(*quietest) for _ in tissues))
