"""How many planted copies the audit catches, whole and in part, and how many others it calls so.

    python benchmarks/copies.py breast --training 80 --pretrained RUN

Copies of training phantoms are planted exact, shifted, mirrored, noised, in another contrast, and
changed in three ways at once; and pieces of half their sides are set into other phantoms, exact,
shifted, noised and brightened. Other phantoms are clean. With a run of `vesalius pretrain` its
embedding is searched too. n is what is printed beside each rate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from cyclopts import App

from vesalius.evidence.alignment import AlignedSearch, detail
from vesalius.evidence.memorisation import audit_likeness, likeness_to_training
from vesalius.evidence.patches import PatchSearch, audit_patches
from vesalius.methods.pretraining.pipeline import Embedding
from vesalius.phantoms.breast import FIELD_MM as BREAST_MM
from vesalius.phantoms.breast import draw_breast
from vesalius.phantoms.chest.drawing import FIELD_MM as CHEST_MM
from vesalius.phantoms.chest.drawing import draw_chest
from vesalius.scans.case import Scan
from vesalius.scans.volume import Volume

Image = np.ndarray
GRID = (64, 64, 64)
DRAWN: dict[str, Callable[[int], Image]] = {
    "breast": lambda seed: draw_breast(seed, GRID).scan.channels[0].voxels,
    "chest": lambda seed: draw_chest(seed, GRID).scan.channels[0].voxels,
}


FIELDS = {"breast": BREAST_MM, "chest": CHEST_MM}


def embedded(pretrained: Path, organ: str, images: Sequence[Image]) -> np.ndarray:
    """What a pre-trained network sees in volumes, `(N, F)`."""
    spacing = np.array(FIELDS[organ]) / GRID
    embedding = Embedding(pretrained, channels=1)
    affine = np.diag([*spacing, 1.0])
    return np.stack([embedding.of(Scan((Volume(image, affine),))) for image in images])


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


PIECES: dict[str, Callable[[Image], Image]] = {
    "exact": lambda piece: piece,
    "shifted": lambda piece: piece,
    "noised by 5 %": lambda piece: noised(piece, 0.05),
    "brighter": lambda piece: 1.15 * piece + 20,
}


def planted(host: Image, source: Image, change: str, chance: np.random.Generator) -> Image:
    """A phantom with a piece of another near the same place; not one of a single tissue."""
    sides = [n // 2 for n in host.shape]
    for _ in range(200):
        at = [int(chance.integers(2, n - m - 2)) for n, m in zip(host.shape, sides, strict=True)]
        piece = source[*(slice(a, a + m) for a, m in zip(at, sides, strict=True))]
        if piece.std() > 0.5 * source.std():
            break
    if change == "shifted":
        at = [a + int(chance.integers(-2, 3)) for a in at]
    made = host.astype(np.float64)
    made[*(slice(a, a + m) for a, m in zip(at, sides, strict=True))] = PIECES[change](piece)
    return made


app = App(help=__doc__)


@app.default
def main(
    organ: Literal["breast", "chest"],
    *,
    training: int = 80,
    plants: int = 20,
    clean: int = 60,
    pretrained: Path | None = None,
) -> None:
    """Print one rate a line."""
    draw = DRAWN[organ]
    known = [draw(seed) for seed in range(training)]
    search, pieces = AlignedSearch([detail(image) for image in known]), PatchSearch(known)
    unseen = [draw(10_000 + i) for i in range(training // 2)]
    held_out, leads = search.likeness([detail(i) for i in unseen]), pieces.likeness(unseen)
    seen = [embedded(pretrained, organ, images) for images in (known, unseen)] if pretrained else []
    for name, change in CHANGES.items():
        made = [change(image) for image in known[:plants]]
        whole = audit_likeness(search.likeness([detail(image) for image in made]), held_out)
        part = audit_patches(pieces.likeness(made), leads)
        found = [
            judged.copies & (judged.nearest == np.arange(len(made))) for judged in (whole, part)
        ]
        told = f"whole {found[0].mean():.2f}, in part {found[1].mean():.2f}"
        either = (found[0] | found[1]).mean()
        if pretrained:
            near = likeness_to_training(*seen, embedded(pretrained, organ, made))
            judged = audit_likeness(near[1], near[0])
            own = judged.copies & (judged.nearest == np.arange(len(made)))
            told += f", by embedding {own.mean():.2f}"
        print(f"{name:<34} caught {either:.2f} ({told}; n = {len(made)})", flush=True)
    others = [draw(20_000 + i) for i in range(clean)]
    for name in PIECES:
        chance = np.random.default_rng(0)
        made = [planted(others[i], known[i], name, chance) for i in range(min(clean, 2 * plants))]
        caught = audit_patches(pieces.likeness(made), leads).copies.mean()
        print(f"{'piece, ' + name:<34} caught {caught:.2f}  (n = {len(made)})", flush=True)
    likes = audit_likeness(search.likeness([detail(i) for i in others]), held_out).copies
    parts = audit_patches(pieces.likeness(others), leads).copies
    if pretrained:
        both = likeness_to_training(*seen, embedded(pretrained, organ, others))
        alarms = audit_likeness(both[1], both[0]).copies.mean()
        print(f"{'other patients, by embedding':<34} called copies {alarms:.3f}  (n = {clean})")
    for name, called in (("whole", likes), ("in part", parts), ("either", likes | parts)):
        print(f"{'other patients, ' + name:<34} called copies {called.mean():.3f}  (n = {clean})")


if __name__ == "__main__":
    app()
