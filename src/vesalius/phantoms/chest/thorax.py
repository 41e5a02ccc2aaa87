"""Chest wall and bones: skin, fat, muscle, ribs with cartilage, sternum, spine, clavicles."""

from __future__ import annotations

import numpy as np

from vesalius.phantoms.chest.anatomy import APEX_MM, ChestAnatomy
from vesalius.phantoms.hounsfield import HU
from vesalius.phantoms.painting import Painting, Region
from vesalius.phantoms.shapes import Array, bump, rise, rounded

RIBS = 12
_DROP_MM = (22, 34, 46, 56, 64, 70, 74, 72, 64, 56, 40, 30)
_ENDS = (2.3, 2.3, 2.3, 2.25, 2.2, 2.15, 2.1, 2.0, 1.9, 1.75, 1.25, 0.95)
"""Where bone ends, as an angle from the spine around the chest; cartilage joins it to the sternum
down to the seventh rib."""


def spine_line(anatomy: ChestAnatomy, z: Array) -> Array:
    """How far front or back the middle of the vertebral bodies lies: the thoracic kyphosis."""
    _, deep = anatomy.widths(np.asarray(0.0))
    line: Array = -deep + 12.0 + 14.0 * (z / 130.0) ** 2
    return line


def paint_wall(
    painting: Painting, anatomy: ChestAnatomy, texture: Array
) -> None:  # fmt: skip
    """Skin, fat with strands, and muscle around the chest's inside, which is filled with fat."""
    region = painting.box()
    assert region is not None
    x, y, z = region.x, region.y, region.z
    inner = anatomy.inner(x, y, np.minimum(z, 0.72 * APEX_MM * anatomy.stature))
    back = 10.0 * bump(np.abs(x) - 42, 30) * rise((-y - 30) / 40)
    chest = 8.0 * bump(np.abs(x) - 70, 40) * rise((y - 20) / 40) * rise((z + 20) / 60)
    muscle = inner + anatomy.wall_mm + back + chest
    skin = muscle + anatomy.fat_mm * (1.0 + 0.35 * rise(y / 60) * rise((50 - z) / 60))
    painting.paint(region, skin, HU["skin"])
    painting.paint(region, skin - 2.5, HU["fat"] + 12 * texture)
    streaks = HU["muscle"] - 45 * np.clip(texture - 1.0, 0, 2)
    painting.paint(region, muscle, streaks)
    between = np.minimum(1.3 - np.abs(inner + 0.62 * anatomy.wall_mm), 40.0)
    painting.paint(region, between, HU["fat"], strength=0.6)
    painting.paint(region, anatomy.inner(x, y, z), HU["fat"] + 8 * texture)


def paint_bones(painting: Painting, anatomy: ChestAnatomy, texture: Array, bone: int) -> None:
    """All bones, each with a dense shell around its marrow."""
    _paint_spine(painting, anatomy, texture, bone)
    _paint_ribs(painting, anatomy, bone)
    _, deep = anatomy.widths(np.asarray(40.0))
    region = painting.box((-34, 34), (0.5 * float(deep), float(deep) + 34), (-55, 112))
    if region is not None:
        x, y, z = region.x, region.y, region.z
        _, front = anatomy.widths(z)
        half = 15 + 12 * rise((z - 62) / 20)
        inside = rounded(half - np.abs(x), 5.5 - np.abs(y - front - 6), 4.0)
        inside = np.minimum(inside, np.minimum(z + 48, 104 * anatomy.stature - z))
        _paint_bone(painting, region, inside, bone)
    for side in (-1, 1):
        line = [(side * 18, float(deep) + 2, 98), (side * 70, float(deep) - 8, 112),
                (side * 130, 0.4 * float(deep), 128)]  # fmt: skip
        painting.tube(line, 6.0, HU["cortex"], bone)
        painting.tube(line, 3.6, HU["marrow"], bone)


def _paint_bone(
    painting: Painting, region: Region, inside: Array, bone: int, shell: float = 1.3
) -> None:
    painting.paint(region, inside, HU["cortex"], bone)
    painting.paint(region, inside - shell, HU["marrow"])


def _paint_spine(painting: Painting, anatomy: ChestAnatomy, texture: Array, bone: int) -> None:
    """Bodies and discs by turns, the canal with its cord, arches and spinous processes."""
    middle = spine_line(anatomy, np.asarray(0.0))
    region = painting.box((-45, 45), (float(middle) - 62, float(middle) + 40))
    if region is None:
        return
    x, y, z = region.x, region.y, region.z
    pitch = 23.5 * anatomy.stature
    along = (z / pitch + 0.5) % 1.0 - 0.5
    apart = pitch * (0.5 - np.abs(along))
    ahead = y - spine_line(anatomy, z)
    side = 1 - np.sqrt((x / 17.5) ** 2 + (ahead / 14.5) ** 2)
    column = 14.5 * side * anatomy.stature
    painting.paint(region, np.broadcast_to(column, painting.values[region.place].shape), HU["disc"])
    body = np.minimum(column, apart - 2.6)
    painting.paint(region, body, HU["cortex"], bone)
    marrow = HU["marrow"] + 25 * texture[region.place]
    painting.paint(region, body - 1.3, marrow)
    behind = -(ahead + 13.0)
    arch = 12.5 - np.hypot(x, 1.1 * (behind - 9.0))
    arch = np.minimum(arch, 8.5 - np.abs(pitch * along + 1))
    painting.paint(region, arch, HU["cortex"] * 0.7, bone)
    wing = rounded(6 - np.abs(pitch * along - 3), 5 - np.abs(behind - 8), 3.0)
    painting.paint(region, np.minimum(wing, 33 - np.abs(x)), HU["cortex"] * 0.55, bone)
    spinous = rounded(5.0 - np.abs(pitch * along + 0.45 * (behind - 12)), 3.2 - np.abs(x), 2.0)
    spinous = np.minimum(spinous, np.minimum(behind - 12, 44 - behind))
    painting.paint(region, spinous, HU["cortex"] * 0.6, bone)
    canal = 8.5 - np.hypot(x, behind - 7.5)
    canal = np.broadcast_to(canal, painting.values[region.place].shape)
    painting.paint(region, canal, HU["disc"] * 0.2, 0)
    painting.paint(region, canal - 3.5, HU["cord"])


def _paint_ribs(painting: Painting, anatomy: ChestAnatomy, bone: int) -> None:
    """Twelve pairs that fall from the spine to the front, on the wall of the chest."""
    for index in range(RIBS):
        head = (112 - 20.3 * index) * anatomy.stature
        drop, end = _DROP_MM[index] * anatomy.stature, _ENDS[index]
        region = painting.box(z=(head - drop - 12, head + 12))
        if region is None:
            continue
        x, y, z = region.x, region.y, region.z
        wide, deep = anatomy.widths(np.minimum(z, 96 * anatomy.stature))
        around = np.arctan2(np.abs(x) / wide, -y / deep)
        height = z - (head - drop * np.sin(np.clip(around / np.pi, 0, 1) * np.pi / 2) ** 1.5)
        outside = -anatomy.inner(x, y, np.minimum(z, 96 * anatomy.stature)) - 5.0
        across = np.hypot(outside / 3.6, height / 6.4)
        tube = 4.4 * (1 - across)
        ring = wide * (end - around)
        rib = np.minimum(tube, np.minimum(ring, wide * (around - 0.12)))
        if index < 10:
            joined = np.minimum(tube, -ring - 0.5)
            reach = 2.85 if index < 7 else 2.5
            joined = np.minimum(joined, wide * (reach - around))
            painting.paint(region, joined, HU["cartilage"])
        _paint_bone(painting, region, rib, bone, 1.0)
