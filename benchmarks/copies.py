"""How many planted copies the audit catches, and how many other patients it calls copies.

    python benchmarks/copies.py breast --training 80

Copies of training phantoms are planted exact, shifted, mirrored, noised, in another contrast, and
changed in three ways at once; other phantoms are clean. n is what is printed beside each rate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from cyclopts import App

from vesalius.evidence.alignment import AlignedSearch, detail
from vesalius.evidence.memorisation import audit_likeness
from vesalius.phantoms.breast import draw_breast
from vesalius.phantoms.chest.drawing import draw_chest

Image = np.ndarray
GRID = (64, 64, 64)
DRAWN: dict[str, Callable[[int], Image]] = {
    "breast": lambda seed: draw_breast(seed, GRID).scan.channels[0].voxels,
    "chest": lambda seed: draw_chest(seed, GRID).scan.channels[0].voxels,
}


def shifted(image: Image) -> Image:
    """By two to four voxels."""
    return np.roll(image, (4, -2, 2), axis=(0, 1, 2))


def noised(image: Image, share: float = 0.1) -> Image:
    """Gaussian noise of a share of the range."""
    spread = share * float(np.ptp(np.percentile(image, [1, 99])))
    return image + np.random.default_rng(0).normal(0, spread, image.shape)


def recontrasted(image: Image) -> Image:
    """A gamma of 1.6."""
    scaled: Image = ((image - image.min()) / np.ptp(image)) ** 1.6
    return scaled


CHANGES: dict[str, Callable[[Image], Image]] = {
    "exact": lambda image: image,
    "shifted": shifted,
    "mirrored": lambda image: image[::-1].copy(),
    "noised by 10 %": noised,
    "noised by 25 %": lambda image: noised(image, 0.25),
    "other contrast": recontrasted,
    "shifted, noised, other contrast": lambda image: noised(shifted(recontrasted(image))),
}


app = App(help=__doc__)


@app.default
def main(
    organ: Literal["breast", "chest"], *, training: int = 80, planted: int = 20, clean: int = 60
) -> None:
    """Print one rate a line."""
    draw = DRAWN[organ]
    known = [draw(seed) for seed in range(training)]
    search = AlignedSearch([detail(image) for image in known])
    held_out = search.likeness([detail(draw(10_000 + i)) for i in range(training // 2)])
    for name, change in CHANGES.items():
        made = [detail(change(image)) for image in known[:planted]]
        judged = audit_likeness(search.likeness(made), held_out)
        caught = (judged.copies & (judged.nearest == np.arange(len(made)))).mean()
        print(f"{name:<34} caught {caught:.2f}  (n = {len(made)})", flush=True)
    others = search.likeness([detail(draw(20_000 + i)) for i in range(clean)])
    alarms = audit_likeness(others, held_out).copies.mean()
    print(f"{'other patients':<34} called copies {alarms:.3f}  (n = {clean})")


if __name__ == "__main__":
    app()
