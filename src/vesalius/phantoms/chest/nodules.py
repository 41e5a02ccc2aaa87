"""Nodules in a lung: size, lobes and spicules, and what they mean.

Malignant nodules are larger and spiculated more often (McWilliams et al. 2013, "Probability of
cancer in pulmonary nodules detected on first screening CT"); here they are lobulated more often as
well, and some benign ones calcified. The two overlap, so that shape tells much and not everything.
How far is chosen, not taken from a study.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.phantoms.chest.lungs import Lung
from vesalius.phantoms.hounsfield import HU
from vesalius.phantoms.painting import Painting
from vesalius.phantoms.shapes import Array

VOLUME_MM3 = (60.0, 6000.0)
_LOBES, _SPICULES = 5, 22


@dataclass(frozen=True)
class Nodule:
    """One nodule.

    Attributes:
        malignant: what it is.
        volume_mm3: of all of it.
        lobulation: 0 round to 1 in clear lobes.
        spiculation: 0 smooth to 1 with long spicules.
        density: in HU.
        place: 0 to 1 each, where in the lungs: which lung and which of its voxels.
        seed: of its form.
    """

    malignant: bool
    volume_mm3: float
    lobulation: float
    spiculation: float
    density: float
    place: tuple[float, float]
    seed: int


def draw_nodule(rng: np.random.Generator, malignant: bool | None = None) -> Nodule:
    """A nodule of either kind, by even chance if `None`.

    >>> generated = [draw_nodule(np.random.default_rng(i)) for i in range(300)]
    >>> spicules = [np.mean([n.spiculation for n in generated if n.malignant == kind])
    ...             for kind in (False, True)]
    >>> bool(spicules[0] < 0.3 < 0.55 < spicules[1])
    True
    """
    positive = bool(rng.random() < 0.5) if malignant is None else malignant
    centre = 900.0 if positive else 350.0
    volume = float(np.clip(centre * np.exp(0.85 * rng.standard_normal()), *VOLUME_MM3))
    spiculation = float(rng.beta(4, 2.4) if positive else rng.beta(1.3, 4.5))
    lobulation = float(rng.beta(3, 2) if positive else rng.beta(1.6, 3))
    calcified = not positive and rng.random() < 0.2
    density = HU["calcium"] if calcified else HU["nodule"] + 20 * rng.standard_normal()
    place = (float(rng.random()), float(rng.random()))
    form = int(rng.integers(2**31))
    return Nodule(positive, volume, lobulation, spiculation, float(density), place, form)


def paint_nodule(
    painting: Painting, lungs: list[Lung], nodule: Nodule, label: int
) -> tuple[float, float, float] | None:
    """Paint a nodule well inside a lung; its middle in mm, `None` where no lung has room."""
    largest = float(_Surface(nodule).radii.max())
    sides = sorted(lungs, key=lambda lung: lung.name)
    lung = sides[min(int(nodule.place[0] * len(sides)), len(sides) - 1)]
    room = np.argwhere(lung.inside > 0.6 * largest + 2)
    if not len(room):
        return None
    voxel = room[min(int(nodule.place[1] * len(room)), len(room) - 1)]
    x, y, z = (float(axis[i]) for axis, i in zip(painting.axes, voxel, strict=True))
    paint_nodule_at(painting, (x, y, z), nodule, label)
    return x, y, z


def paint_nodule_at(
    painting: Painting, at: tuple[float, float, float], nodule: Nodule, label: int
) -> None:
    """Paint a nodule about a point in mm."""
    surface = _Surface(nodule)
    largest = float(surface.radii.max())
    region = painting.box(*((c - largest - 1, c + largest + 1) for c in at))
    if region is None:
        return
    offsets = np.stack(
        np.broadcast_arrays(region.x - at[0], region.y - at[1], region.z - at[2]), axis=-1
    )
    far = np.linalg.norm(offsets, axis=-1)
    reach = surface.radius(offsets / np.maximum(far, 1e-6)[..., None])
    painting.paint(region, reach - far, nodule.density, label)


class _Surface:
    """How far a nodule reaches in each direction: a ball with lobes and spicules, in mm."""

    def __init__(self, nodule: Nodule) -> None:
        rng = np.random.default_rng(nodule.seed)
        self.lobes = _directions(_LOBES, rng)
        self.spicules = _directions(_SPICULES, rng)
        self.lengths = rng.uniform(0.4, 1.3, _SPICULES)
        self.nodule, self.scale = nodule, 1.0
        even = _directions(4000, np.random.default_rng(0))
        raw = self.radius(even)
        self.scale = float((3 * nodule.volume_mm3 / (4 * np.pi) / (raw**3).mean()) ** (1 / 3))
        self.radii = self.radius(even)

    def radius(self, directions: Array) -> Array:
        """In mm, of directions `(..., 3)`."""
        lobes = np.exp(3.0 * (directions @ self.lobes.T - 1)).sum(axis=-1)
        form = 1 + 0.55 * self.nodule.lobulation * (lobes - 0.5)
        spikes = np.exp(60.0 * (directions @ self.spicules.T - 1)) @ self.lengths
        result: Array = self.scale * (form + 0.9 * self.nodule.spiculation * spikes)
        return result


def _directions(count: int, rng: np.random.Generator) -> Array:
    vectors = rng.standard_normal((count, 3))
    result: Array = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return result
