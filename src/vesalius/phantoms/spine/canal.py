"""The canal: fat around the sac, fluid, cord, nerve roots, ligaments, and herniated material."""

from __future__ import annotations

import numpy as np

from vesalius.phantoms.shapes import Array, bump, rise
from vesalius.phantoms.spine.anatomy import LEVELS, SpineAnatomy
from vesalius.phantoms.spine.bones import arch_wall, sac_front_gap
from vesalius.phantoms.spine.canvas import Canvas, Window
from vesalius.phantoms.spine.findings import Effects, sac_diameter
from vesalius.phantoms.spine.tissues import Sequence

_ROOTS = 22


def paint_canal(
    canvas: Canvas, anatomy: SpineAnatomy, effects: Effects, sequence: Sequence,
    numbers: dict[str, int], rng: np.random.Generator,
) -> None:  # fmt: skip
    """All of the canal from T12 to S3, over vertebrae, discs and arch."""
    window = canvas.window((anatomy.middles[8] - 8, anatomy.knots[0] + 60), (-34, 8), (-22, 22))
    if window is None:
        return
    u, v, s = window.u, window.v, window.s
    gap, diameter = sac_front_gap(anatomy, s), sac_diameter(anatomy, s)
    limit = effects.front(u, s)
    wall = arch_wall(anatomy, u, s)
    ligament = sequence.signal("ligament")

    _paint_fat(canvas, window, anatomy, wall, sequence)
    thick = effects.back(u, s)
    flavum = np.minimum(v - wall, 1.2 * np.clip(thick, 0, None) - (v - wall))
    canvas.paint(window, np.where(thick > 0.4, flavum, -9.0), 1.3 * ligament, softness=1.3)

    half_width = np.clip(0.66 * diameter * effects.narrowed(s), 0.1, None)
    across = np.sqrt(np.clip(1 - (u / half_width) ** 2, 0, 1)) ** 0.8
    centre = -gap - diameter / 2
    front = np.minimum(centre + diameter / 2 * across, -limit - 0.7 - np.where(limit > 0.3, 0.5, 0))
    back = centre - diameter / 2 * across + thick
    sac = np.where(np.abs(u) < half_width, np.minimum(front - v, v - back), -9.0)
    canvas.paint(window, sac + 0.8, 1.1 * ligament, softness=1.1, strength=0.8)
    fluid = sequence.signal("fluid")
    canvas.paint(window, sac, fluid, numbers["canal"], softness=canvas.softness)
    _paint_nerves(canvas, window, anatomy, half_width, front, back, sac, sequence, numbers, rng)

    _paint_herniations(canvas, window, effects, sequence, numbers, rng)
    behind_wall = -0.35 - np.maximum(limit, 0)
    line = 0.55 - np.abs(v - behind_wall + 0.3)
    line = np.minimum(line, 8 - np.abs(u))
    near = sum(bump(s - disc.middle, 7.0) for disc in anatomy.discs[:6])
    canvas.paint(window, line, ligament, softness=1.2, strength=0.35 + 0.45 * np.clip(near, 0, 1))


def _paint_fat(
    canvas: Canvas, window: Window, anatomy: SpineAnatomy, wall: Array, sequence: Sequence
) -> None:
    """Epidural fat, bright pads before the arch, and the foramina with their nerves."""
    u, v, s = window.u, window.v, window.s
    fat = 0.88 * sequence.signal("fat")
    space = np.minimum(-0.2 - v, v - wall)
    canvas.paint(window, np.minimum(space, 12.5 - np.abs(u)), fat, softness=1.4)
    for index in range(1, 6):
        middle = anatomy.discs[index].middle
        aside = np.abs(u) - 15.5
        open_ = 1 - np.hypot((s - middle - 3.5) / 9.0, (v + 5.5) / 5.2)
        hole = np.minimum(4.5 * open_, 5.5 - np.abs(aside))
        canvas.paint(window, hole, fat, softness=1.6)
        root = 2.3 - np.hypot(s - middle - 7.0, v + 4.6)
        canvas.paint(window, np.minimum(root, 6 - np.abs(aside)), sequence.signal("nerve"),
                     softness=1.4)  # fmt: skip


def _paint_nerves(
    canvas: Canvas, window: Window, anatomy: SpineAnatomy, half_width: Array, front: Array,
    back: Array, sac: Array, sequence: Sequence, numbers: dict[str, int],
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """The cord down to its conus, and the roots of the cauda that sink to the back of the sac."""
    u, v, s = window.u, window.v, window.s
    tip = anatomy.conus
    nerve, cord = sequence.signal("nerve"), sequence.signal("cord")
    middle = front + (back - front) * 0.56
    below = np.clip((s - tip) / 26, 0, 1) ** 0.6
    radius = 4.3 * below
    body = radius - np.hypot(0.85 * u, v - middle)
    canvas.paint(window, np.minimum(body, sac), cord, numbers["cord"], softness=1.3)

    crowd: Array = np.zeros(np.broadcast_shapes(u.shape, v.shape, s.shape), np.float32)
    exits = np.linspace(anatomy.middles[1] - 8, anatomy.middles[7], _ROOTS // 2)
    for index in range(_ROOTS):
        ending = exits[index // 2]
        side = 1.0 if index % 2 else -1.0
        sway, phase, place, lag = rng.normal(0, 1, 4)
        start = tip + 10 - 3 * (index % 5)
        gone = np.clip((start - s) / max(start - ending, 1.0), 0, 1.3)
        aside = side * (0.10 + 0.05 * abs(place) + 0.72 * gone**1.6) + 0.05 * sway
        depth = 0.56 + (0.24 + 0.07 * place) * rise((start - s) / 40)
        depth = depth + 0.03 * np.sin(s / (9 + 2 * abs(sway)) + 3 * phase)
        depth = np.clip(depth - 0.25 * np.clip(gone - 0.75, 0, 1), 0.08, 0.93)
        here = (s < start + 2) & (gone < 1.12)
        thickness = 0.75 + 0.12 * lag
        far = ((u - aside * half_width) / (1.25 * thickness)) ** 2
        far = far + ((v - front - (back - front) * depth) / thickness) ** 2
        crowd += np.where(here, np.exp(-0.5 * far), 0).astype(np.float32)
    cover = 1 - np.exp(-1.1 * crowd)
    canvas.paint(window, np.where(sac > 0, 9.0, -9.0), nerve, strength=cover)
    lower = (s < tip + 4) & (sac > 0) & (cover > 0.33)
    here = canvas.labels[window.place]
    np.copyto(here, np.uint8(numbers["cauda_equina"]), where=lower & (here == numbers["canal"]))


def _paint_herniations(
    canvas: Canvas, window: Window, effects: Effects, sequence: Sequence,
    numbers: dict[str, int], rng: np.random.Generator,
) -> None:  # fmt: skip
    """Material of the disc beyond its edge: of middling signal inside a dark rim.

    A small protrusion is part of the disc, and labelled so.
    """
    u, v, s = window.u, window.v, window.s
    for level in LEVELS:
        shade = rng.uniform(0.25, 0.75)
        for finding in (*effects.findings, *effects.protrusions):
            if finding.pathology == "stenosis" or finding.level != level:
                continue
            herniated = finding.pathology == "herniation"
            label = numbers["herniation" if herniated else f"disc_{level}"]
            edge = effects.anatomy.disc(level).bulge
            shifted = effects.drifted(finding, v + edge, s)
            reach = effects.herniated(finding, u, shifted)
            inside = np.minimum(v + edge + reach, 0.4 - edge - v + 0.8)
            inside = np.where(reach > 0.4, inside, -9.0)
            dark, light = sequence.signal("ligament"), sequence.nucleus(3.6)
            material = shade * sequence.signal("annulus") + (1 - shade) * light
            beyond = np.where(v < -edge, inside, -9.0)
            canvas.paint(window, inside, dark, softness=1.2)
            canvas.paint(window, inside - 0.9, material, softness=1.6)
            here = canvas.labels[window.place]
            np.copyto(here, np.uint8(label), where=beyond > 0)
