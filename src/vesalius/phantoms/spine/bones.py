"""Vertebrae, discs and the bony arch behind the canal."""

from __future__ import annotations

import numpy as np

from vesalius.phantoms.shapes import Array, bump, rise, rounded
from vesalius.phantoms.spine.anatomy import LEVELS, VERTEBRAE, Disc, SpineAnatomy
from vesalius.phantoms.spine.canvas import Canvas
from vesalius.phantoms.spine.findings import Effects, sac_diameter
from vesalius.phantoms.spine.tissues import Sequence

ARCH_GAP_MM = 2.2
"""From the back of the healthy sac to the arch between its fat pads."""


def outline(v: Array, u: Array, depth: float, waist: Array | float, half_width: float) -> Array:
    """Distance in mm inside the kidney-shaped cross-section of a vertebra or disc."""
    half = depth / 2 - waist
    ahead = (v - depth / 2) / half
    aside = u / (half_width - waist)
    hollow = 0.03 * bump(aside, 0.35) * (v < depth / 2)
    radius = (np.abs(ahead) ** 2.5 + np.abs(aside) ** 2.5) ** 0.4
    return (1 - radius - hollow * np.clip(-ahead, 0, 1)) * half


def paint_discs(
    canvas: Canvas, anatomy: SpineAnatomy, effects: Effects, sequence: Sequence,
    numbers: dict[str, int], rng: np.random.Generator,
) -> None:  # fmt: skip
    """Annulus, nucleus and its cleft; grades darken the nucleus and blur its border."""
    names = (None, *LEVELS, None, None)
    for index, (disc, name) in enumerate(zip(anatomy.discs, names, strict=True)):
        depth = 0.5 * (anatomy.depths[index] + anatomy.depths[index + 1]) + 1.0
        ripple, cleft_at = rng.normal(0, 0.06, 3), rng.normal(0, 0.4)
        grade = effects.grade(name) if name else disc.grade
        window = canvas.window((disc.middle - 24, disc.middle + 24), (-16, depth + 6))
        if window is None:
            continue
        u, v, s = window.u, window.v, window.s
        along = s - disc.middle
        lens = 1.5 * (1 - ((v - depth / 2) / (depth / 2)) ** 2).clip(0, 1)
        half = disc.height / 2 + (lens if name else 0.3 * lens)
        bulge = disc.bulge + (effects.bulge(name, u, s) if name else 0.0)
        behind = np.where(v < depth / 2, bulge, 0.5 * max(disc.bulge, 0))
        side = outline(v, u, depth, 0.0, 22.0 * anatomy.stature) + behind
        inside = rounded(side, half - np.abs(along), 1.8)
        ring = np.clip(side / 3.6, 0, 1)
        annulus = sequence.signal("annulus")
        outer = sequence.signal("ligament")
        canvas.paint(window, inside, outer + (annulus - outer) * ring, numbers.get(f"disc_{name}"))
        blur = 0.9 + 0.5 * max(grade - 2, 0)
        core = np.minimum(side - 5.2 + ripple[0] * v, half - 0.9 - np.abs(along))
        bright = sequence.nucleus(grade) * (1 + ripple[1] * np.sin(v / 4) + ripple[2])
        canvas.paint(window, core, bright, softness=2.2 * blur)
        if 1.4 < grade < 3.6:
            cleft = 0.8 - np.abs(along - cleft_at)
            cleft = np.minimum(cleft, core - 1.5)
            canvas.paint(window, cleft, annulus, softness=1.6, strength=0.35)


def paint_vertebrae(
    canvas: Canvas, anatomy: SpineAnatomy, sequence: Sequence, texture: Array,
    numbers: dict[str, int], rng: np.random.Generator,
) -> None:  # fmt: skip
    """Bodies with end plates of uneven thickness, marrow, and the veins that enter from behind."""
    fat, red = sequence.signal("fat"), sequence.signal("red_marrow")
    bone, fluid = sequence.signal("bone"), sequence.signal("fluid")
    for index, name in enumerate(VERTEBRAE):
        middle, height = anatomy.middles[index], anatomy.heights[index]
        depth = anatomy.depths[index]
        draws = rng.normal(0, 1, 8)
        window = canvas.window((middle - height, middle + height), (-6, depth + 6))
        if window is None:
            continue
        u, v, s = window.u, window.v, window.s
        along = s - middle
        hollow = 1.3 * (1 - ((v - depth / 2) / (depth / 2)) ** 2).clip(0, 1)
        top = height / 2 - hollow * (0.9 + 0.15 * draws[0])
        waist = 1.6 * (1 - (2 * along / height) ** 2).clip(0, 1)
        side = outline(v, u, depth, waist, 22.5 * anatomy.stature)
        plates = np.minimum(top - along, top + along)
        inside = rounded(side, plates, 2.2)
        rim = np.where(along > 0, 0.75 + 0.1 * draws[1], 1.05 + 0.12 * draws[2])
        label = numbers.get(f"vertebra_{name}")
        canvas.paint(window, inside, bone, label)
        marrow = rounded(side - 0.55 - 0.12 * abs(draws[3]), plates - rim, 2.0)
        noise_texture = texture[window.place]
        share = np.clip(anatomy.marrow_fat + 0.10 * noise_texture + 0.04 * draws[4], 0, 1)
        share = share + 0.12 * bump(plates - rim, 1.6) * rise((draws[5] + 1) / 2)
        canvas.paint(window, marrow, share * fat + (1 - share) * red, softness=1.3)
        vein = 1.3 - np.abs(along - 0.6 * draws[6]) - 0.16 * v
        vein = np.minimum(vein, 5.5 - np.abs(u))
        canvas.paint(window, np.minimum(vein, 9 - v), 0.55 * fluid, softness=1.6, strength=0.6)


def arch_wall(anatomy: SpineAnatomy, u: Array, s: Array) -> Array:
    """`v` of the front of laminae and yellow ligament; fat pads stand before it in the midline."""
    wall = -sac_front_gap(anatomy, s) - sac_diameter(anatomy, s) - ARCH_GAP_MM
    for disc in anatomy.discs[:6]:
        wall = wall - 3.2 * bump(s - disc.middle + 1.5, 5.5) * bump(u, 5.0)
    forward: Array = wall + 0.22 * np.clip(np.abs(u) - 3, 0, 12)
    return forward


def sac_front_gap(anatomy: SpineAnatomy, s: Array) -> Array:
    """From the back wall of the vertebrae to the front of the healthy sac: fat, more at the end."""
    last: Disc = anatomy.discs[5]
    gap: Array = 1.3 + 4.5 * rise((last.middle + 14 - s) / 34)
    return gap


def paint_arch(
    canvas: Canvas, anatomy: SpineAnatomy, sequence: Sequence, texture: Array,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Pedicles, joints, laminae, spinous processes, and the ligaments between them."""
    fat, red = sequence.signal("fat"), sequence.signal("red_marrow")
    bone, ligament = sequence.signal("bone"), sequence.signal("ligament")
    muscle = sequence.signal("muscle")
    parts = [
        (index, window, rng.normal(0, 1, 6))
        for index in range(len(VERTEBRAE) - 1)
        if (window := canvas.window(
            (anatomy.middles[index] - 42, anatomy.middles[index] + 26), (-62, 4)
        ))
    ]  # fmt: skip
    for index, window, draws in parts:
        u, v, s = window.u, window.v, window.s
        along, aside = s - anatomy.middles[index], np.abs(u)
        behind = arch_wall(anatomy, u, s) - v
        size = _arch_size(index, anatomy)
        fibres = np.sin((along + 0.6 * behind) / 2.2 + draws[0])
        streaks = np.clip(0.40 + 0.3 * fibres + 0.22 * texture[window.place], 0.05, 0.95)
        between = np.minimum(np.minimum(behind - 1.5, 33 * size - behind), 2.6 - aside)
        between = np.minimum(between, 22 - np.abs(along + 12))
        canvas.paint(window, between, muscle + streaks * (0.7 * fat - muscle), softness=1.6)
        strap = np.minimum(1.1 - np.abs(behind - 33 * size), 3 - aside)
        canvas.paint(window, strap, ligament, softness=1.5, strength=0.8)
        flavum = np.minimum(2.2 - np.abs(behind - 1.6), 13 - aside)
        flavum = np.minimum(flavum, 18 - np.abs(along + 9))
        canvas.paint(window, flavum, 1.2 * ligament, softness=1.5)
    for index, window, draws in parts:
        middle, height = anatomy.middles[index], anatomy.heights[index]
        u, v, s = window.u, window.v, window.s
        along, aside = s - middle, np.abs(u)
        behind = arch_wall(anatomy, u, s) - v
        size = _arch_size(index, anatomy)
        noise_texture = texture[window.place]
        share = np.clip(anatomy.marrow_fat + 0.12 + 0.1 * noise_texture, 0, 1)
        marrow = share * fat + (1 - share) * red
        pedicle = rounded(7.0 - np.abs(along - 0.2 * height), 4.4 - np.abs(aside - 14.0), 3.0)
        pedicle = np.minimum(pedicle, np.minimum(v + 15, 3 - v))
        tilt = along + 0.30 * (aside - 14) + 8 + 0.6 * (v + 16)
        pillar = rounded(15.5 - np.abs(tilt + 2), 6.0 - np.abs(aside - 16.0), 3.5)
        pillar = np.minimum(pillar, 6.0 - np.abs(v + 17.5))
        lamina = rounded(8.5 - np.abs(along + 9 + 0.25 * behind), 3.0 - np.abs(behind - 3.2), 2.4)
        lamina = np.minimum(lamina, 14.0 - aside)
        reach = np.clip(behind / (31 * size), 0, 1)
        tall = (5.0 + 4.4 * rise(reach * 1.25) + 0.3 * draws[4]) * size
        droop = along + 11.5 + 0.30 * behind + 0.8 * draws[1]
        spine = rounded(tall - np.abs(droop), (31 * size + draws[2] - behind), 6.0)
        spine = np.minimum(spine, behind - 2.5)
        spine = rounded(spine, 3.6 + 1.6 * rise(reach) - np.abs(u - 0.5 * draws[3]), 1.5)
        if index > 5:
            spine = np.minimum(spine, 12 - behind)
        for part in (pedicle, pillar, lamina, spine):
            canvas.paint(window, part, bone)
            canvas.paint(window, part - 0.65 - 0.2 * noise_texture, marrow, softness=1.5)
        joint = 1.1 - np.abs(tilt - 12.5 + 0.35 * (v + 17))
        joint = np.minimum(joint, np.minimum(6 - np.abs(aside - 16), 6 - np.abs(v + 17.5)))
        canvas.paint(window, joint, sequence.signal("facet"), softness=1.4, strength=0.8)


def _arch_size(index: int, anatomy: SpineAnatomy) -> float:
    return (0.75 if index > 5 else 1.0) * anatomy.stature
