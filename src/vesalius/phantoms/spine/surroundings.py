"""What lies around the spine: muscle, fat under the skin, great vessels, bowel, air."""

from __future__ import annotations

import numpy as np

from vesalius.phantoms.shapes import Array, rise
from vesalius.phantoms.spine.anatomy import SpineAnatomy
from vesalius.phantoms.spine.canvas import Canvas, Window
from vesalius.phantoms.spine.tissues import Sequence


def paint_surroundings(
    canvas: Canvas, anatomy: SpineAnatomy, sequence: Sequence, texture: Array, broad: Array,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Everything behind what is painted later.

    Args:
        texture, broad: noise of some 2 and 8 mm, `(X, Y, Z)` of the canvas.
    """
    whole = tuple(slice(0, n) for n in canvas.signal.shape)
    v, s = canvas.v[None], canvas.s[None]
    u = canvas.x[:, None, None] - canvas.lateral[None]
    window = Window((whole[0], whole[1], whole[2]), u, v, s)
    fat, muscle = sequence.signal("fat"), sequence.signal("muscle")
    bowel, ligament = sequence.signal("bowel"), sequence.signal("ligament")
    draws = rng.normal(0, 1, 6)

    content = np.clip(0.5 + 0.55 * broad + 0.15 * texture, 0, 1)
    abdomen = 0.35 * fat + (0.75 * bowel - 0.35 * fat) * content
    saturated = 1 - 0.72 * rise((v - 58) / 40)
    canvas.signal[:] = abdomen * saturated

    back_of_muscle = -56 + 3 * draws[0] + 0.10 * np.abs(u)
    fibres = np.sin((0.9 * v + 0.35 * s) / 2.1 + 2.2 * broad) * 0.5 + 0.5
    streaks = np.clip(0.12 + 0.35 * fibres**3 + 0.35 * texture, 0, 0.9)
    streaks = streaks * (0.35 + 0.35 * rise((-s - 10) / 60))
    canvas.paint(window, 2.0 - v, muscle + streaks * (fat - muscle), softness=2.0)

    psoas = 1 - np.hypot((np.abs(u) - 34) / 15, (v - 16) / 19)
    canvas.paint(window, 12 * psoas, muscle * (1 + 0.12 * texture), softness=2.0)
    fore = float(np.mean(anatomy.depths[2:6]))
    cushion = 1 - np.abs(v - fore - 3) / 7
    canvas.paint(window, 6 * cushion, 0.75 * fat * (1 + 0.2 * broad), softness=4.0,
                 strength=0.85 * (v > fore * 0.5))  # fmt: skip
    fork = anatomy.middles[4] - 6
    for side, size, ahead in ((-7.0, 9.0, fore + 13), (12.0, 8.5, fore + 11)):
        std = np.clip((fork - s) / 40, 0, 1)
        u0 = side + np.sign(side) * 16 * std
        lumen = size * (1 - 0.35 * std) - np.hypot(u - u0, v - ahead - 2 * np.sin(s / 45))
        canvas.paint(window, lumen, ligament, softness=1.5)
        canvas.paint(window, lumen - 1.0, 0.35 * ligament * (1 + 0.5 * texture), softness=1.5)

    upper, lower = anatomy.fat_mm
    thickness = upper + (lower - upper) * rise((60 - s) / 150)
    fascia = back_of_muscle - 1.0
    septa = np.clip(np.sin(v / 3.1 + 2.5 * broad + s / 11), 0.8, 1) - 0.8
    canvas.paint(window, fascia - v, fat * (1 - 0.9 * septa + 0.04 * texture), softness=1.5)
    canvas.paint(window, 0.7 - np.abs(v - fascia), 1.5 * ligament, softness=1.5, strength=0.7)
    skin = back_of_muscle - thickness
    canvas.paint(window, 1.3 - np.abs(v - skin), 0.6 * muscle, softness=1.4)
    canvas.paint(window, skin - 1.3 - v, 0.0, softness=1.4)
