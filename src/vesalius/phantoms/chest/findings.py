"""What radiographs of the chest are taken for: fluid, air, infiltrates, a large heart, nodules.

Each is drawn in numbers first and then painted over a healthy chest, so that a case and the same
seed without it are a patient with and without the disease.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vesalius.phantoms.chest.anatomy import APEX_MM, ChestAnatomy
from vesalius.phantoms.chest.lungs import Lung
from vesalius.phantoms.chest.nodules import draw_nodule, paint_nodule
from vesalius.phantoms.hounsfield import HU
from vesalius.phantoms.painting import Painting
from vesalius.phantoms.shapes import rise

FLUID_HU = 12.0
Paint = Callable[[Painting, ChestAnatomy, list[Lung], np.random.Generator], None]


def enlarged(anatomy: ChestAnatomy, rng: np.random.Generator) -> ChestAnatomy:
    """The same person with a heart that is a tenth to two fifths wider."""
    factor = rng.uniform(1.1, 1.4)
    long, wide, deep = anatomy.heart_mm
    return replace(anatomy, heart_mm=(long * factor, wide * factor, deep * (1 + factor) / 2))


def paint_effusion(
    painting: Painting, anatomy: ChestAnatomy, lungs: list[Lung], rng: np.random.Generator
) -> None:
    """Fluid at the bottom of one pleural space, which climbs along the wall."""
    lung = lungs[int(rng.integers(2))]
    region = painting.box()
    assert region is not None
    x, y, z = region.x, region.y, region.z
    dome = anatomy.domes_mm[0 if lung.side > 0 else 1]
    level, climb = dome - 71 + rng.uniform(0, 50), rng.uniform(6, 30)
    wall = anatomy.inner(x, y, z)
    surface = level + climb * np.exp(-np.clip(wall, 0, None) / 9)
    painting.paint(region, np.minimum(lung.inside, surface - z), FLUID_HU)


def paint_pneumothorax(
    painting: Painting, anatomy: ChestAnatomy, lungs: list[Lung], rng: np.random.Generator
) -> None:
    """Air between wall and lung, widest at the top; the lung's edge is a thin line."""
    lung = lungs[int(rng.integers(2))]
    region = painting.box()
    assert region is not None
    x, y, z = region.x, region.y, region.z
    top, reach = APEX_MM * anatomy.stature, rng.uniform(100, 200)
    wide = rng.uniform(14, 36) * rise((z - top + reach) / reach) + 0 * (x + y)
    wall = np.minimum(anatomy.inner(x, y, z), top - z)
    line = np.minimum(wide - 1.2, wide + 1.2 - wall)
    painting.paint(region, np.minimum(lung.inside, line), HU["wall"], strength=0.7)
    painting.paint(region, np.minimum(lung.inside, wide - wall), HU["air"])


def paint_consolidation(
    painting: Painting, anatomy: ChestAnatomy, lungs: list[Lung], rng: np.random.Generator
) -> None:
    """A part of a lung without air, dense in its middle and fraying towards its border."""
    lung = lungs[int(rng.integers(2))]
    wide = rng.uniform(18, 38)
    room = np.argwhere(lung.inside > 0.5 * wide)
    if not len(room):
        room = np.argwhere(lung.inside >= lung.inside.max())
    at = painting.points_mm(room[int(rng.integers(len(room)))])
    region = painting.box()
    assert region is not None
    stretch = rng.uniform(0.7, 1.4, 3)
    far = np.sqrt(sum(
        ((axis - c) / (wide * s)) ** 2
        for axis, c, s in zip((region.x, region.y, region.z), at, stretch, strict=True)
    ))  # fmt: skip
    ragged = far + 0.3 * painting.texture(9.0, rng)
    share = rng.uniform(0.45, 0.9) * np.clip(1.6 * (1.15 - ragged), 0, 1)
    painting.paint(region, lung.inside, FLUID_HU, strength=share)


def paint_lone_nodule(
    painting: Painting, anatomy: ChestAnatomy, lungs: list[Lung], rng: np.random.Generator
) -> None:
    """A nodule of 23 to 30 mm, of either kind."""
    volume = float(np.exp(rng.uniform(np.log(6000), np.log(14_000))))
    form = replace(draw_nodule(rng), volume_mm3=volume, density=HU["nodule"])
    paint_nodule(painting, lungs, form, label=0)


FINDINGS: dict[str, Paint] = {
    "effusion": paint_effusion,
    "consolidation": paint_consolidation,
    "pneumothorax": paint_pneumothorax,
    "nodule": paint_lone_nodule,
}
"""Painted over the lungs, in this order."""


def paint_devices(painting: Painting, anatomy: ChestAnatomy, rng: np.random.Generator) -> None:
    """What is no disease: nipples, leads with their pads, now and then a tube or a line."""
    _, deep = anatomy.widths(np.asarray(-20.0))
    front = float(deep) + anatomy.wall_mm + 0.5 * anatomy.fat_mm
    height = rng.normal(-42, 9)
    for side in (-1, 1):
        at = np.array([side * rng.normal(82, 5), 0.8 * front, height + rng.normal(0, 4)])
        painting.tube([at, at + np.array([0, 6, 0])], 3.2, HU["muscle"])
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(1, 4))):
            pad = np.array([rng.uniform(-95, 95), front, rng.uniform(-70, 95)])
            painting.tube([pad, pad + np.array([0, 4, 0])], 4.0, HU["cortex"])
            bends = np.cumsum(rng.normal((0, 0, 24), (22, 0, 10), (5, 3)), axis=0)
            painting.tube([pad, *(pad + bend for bend in bends)], 0.8, 2 * HU["cortex"])
    if rng.random() < 0.2:
        side = rng.choice((-1, 1))
        line = [(side * 60, 30, 125), (side * 24, 20, 96), (24, 10, 60), (24, 6, 20)]
        painting.tube(line, 1.3, HU["cortex"])
    if rng.random() < 0.12:
        painting.tube([(1, -14, 150), (0, -14, 62)], 3.5, HU["calcium"])
