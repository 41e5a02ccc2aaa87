"""Phantom breasts in T1-weighted MRI without fat suppression.

One breast with the chest wall behind it. Relaxation at 1.5 T in ms: fat and fibroglandular tissue
from Rakow-Penner et al. 2006, "Relaxation times of breast tissue at 1.5T and 3T measured using
IDEAL", muscle and blood from Stanisz et al. 2005, "T1, T2 relaxation and magnetization transfer in
tissue at 3T"; skin as fibroglandular tissue; lung, nearly without signal, is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from vesalius.anatomy.attributes import attribute_values
from vesalius.phantoms import mri
from vesalius.phantoms.painting import Painting
from vesalius.phantoms.shapes import Array, bump, rise
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import LabelledScan
from vesalius.scans.description import Description
from vesalius.scans.volume import Volume

LABELS = {"background": 0, "breast_fat": 1, "fibroglandular": 2, "chest_wall": 3}
ATTRIBUTES = (
    Attribute("fibroglandular_volume_ml", "volume_ml", ("fibroglandular",)),
    Attribute("breast_volume_ml", "volume_ml", ("breast_fat", "fibroglandular")),
)
DESCRIPTION = Description(("T1",), LABELS, attributes=ATTRIBUTES, origin="phantom")

FIELD_MM = (176.0, 160.0, 160.0)
"""Side to side, back to front, foot to head."""

PD_T1_T2 = {
    "fat": (1.00, 296.0, 53.0), "fibroglandular": (0.80, 1266.0, 57.0),
    "skin": (0.75, 1000.0, 40.0), "muscle": (0.80, 1008.0, 44.0), "blood": (0.85, 1441.0, 290.0),
    "rib": (0.45, 400.0, 20.0), "lung": (0.12, 1200.0, 6.0),
}  # fmt: skip


@dataclass(frozen=True)
class BreastAnatomy:
    """One breast in numbers; lengths in mm.

    Attributes:
        base_mm: half widths of its base on the chest, side to side and head to foot.
        reach_mm: how far it stands off the chest.
        sag: 0 firm to 1 hanging.
        density: share of fibroglandular tissue in the breast.
        clumping: 0 finely mixed with fat to 1 in large masses.
        wall_mm: of the muscle behind.
        bend: how much the chest wall curves.
    """

    base_mm: tuple[float, float]
    reach_mm: float
    sag: float
    density: float
    clumping: float
    wall_mm: float
    bend: float


@dataclass(frozen=True)
class BreastPhantom:
    """A phantom with the truth behind it."""

    scan: LabelledScan
    anatomy: BreastAnatomy
    attributes: dict[str, float]


def draw_anatomy(rng: np.random.Generator) -> BreastAnatomy:
    """Draw an individual; breasts of much and of little glandular tissue are both common."""
    size = float(np.exp(0.17 * rng.standard_normal()))
    return BreastAnatomy(
        base_mm=(60 * size ** 0.5, 62 * size ** 0.5),
        reach_mm=float(np.clip(72 * size * (1 + 0.1 * rng.standard_normal()), 42, 104)),
        sag=float(rng.beta(2, 2)),
        density=float(np.clip(rng.beta(1.6, 5.0), 0.03, 0.42)),
        clumping=float(rng.random()),
        wall_mm=float(rng.uniform(8, 16)), bend=float(rng.uniform(0.0011, 0.0022)),
    )  # fmt: skip


def draw_breast(
    seed: int, shape: tuple[int, int, int] = (64, 64, 64), density: float | None = None
) -> BreastPhantom:
    """Draw one phantom. The same arguments give the same voxels.

    Args:
        seed: of this case.
        shape: voxels of a field of 176 × 160 × 160 mm.
        density: share of fibroglandular tissue in the breast; drawn if `None`.

    >>> dense, fatty = (draw_breast(0, (32, 32, 32), share) for share in (0.5, 0.1))
    >>> name = "fibroglandular_volume_ml"
    >>> dense.attributes[name] > 3 * fatty.attributes[name]
    True
    """
    names = ("anatomy", "texture", "vessels", "scanner")
    streams = np.random.SeedSequence(seed).spawn(len(names))
    rng = {name: np.random.default_rng(s) for name, s in zip(names, streams, strict=True)}
    anatomy = draw_anatomy(rng["anatomy"])
    share = anatomy.density if density is None else density
    scanner = rng["scanner"]
    sequence = (float(scanner.uniform(6, 10)), 4.4, float(scanner.uniform(14, 24)))
    signal = {name: mri.spoiled_echo(*values, *sequence) for name, values in PD_T1_T2.items()}
    x, y, z = (side / n for side, n in zip(FIELD_MM, shape, strict=True))
    painting = Painting(shape, (x, y, z), (0.0, 30.0, 0.0), 0.0)
    _paint_breast(painting, anatomy, share, signal, rng["texture"])
    _paint_wall(painting, anatomy, signal, rng["vessels"])
    image = _acquire(painting, signal["fat"], scanner)
    label_map = Volume(painting.labels, painting.affine)
    scan = LabelledScan((Volume(image, painting.affine),), label_map)
    return BreastPhantom(scan, anatomy, attribute_values(ATTRIBUTES, label_map, LABELS))


def _wall(anatomy: BreastAnatomy, x: Array, z: Array) -> Array:
    """How far front the chest wall lies."""
    surface: Array = -anatomy.bend * (x + 25) ** 2 - 0.0006 * z**2
    return surface


def _paint_breast(
    painting: Painting, anatomy: BreastAnatomy, density: float, signal: dict[str, float],
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Skin, fat with septa, and glandular tissue that fans out from the nipple."""
    region = painting.box()
    assert region is not None
    x, y, z = region.x, region.y, region.z
    wide, tall = anatomy.base_mm
    reach = anatomy.reach_mm
    off = y - _wall(anatomy, x, z)
    ahead = np.clip(off / reach, 0, 1.2)
    drop = -anatomy.sag * 26 * ahead**1.5
    across = np.sqrt((x / wide) ** 2 + ((z - drop) / tall) ** 2)
    inside = (1 - (across**2.2 + ahead**2.2) ** (1 / 2.2)) * min(wide, reach)
    flank = 9 + 10 * rise((np.abs(x) - 30) / 60) - off
    body = np.maximum(inside, np.minimum(flank, 30.0))
    broad, fine = painting.texture(9.0, rng), painting.texture((2.6, 4.5, 2.6), rng)
    septa = painting.texture(7.0, rng)
    painting.paint(region, body, signal["skin"])
    painting.paint(region, body - 2.2, signal["fat"] * (1 + 0.03 * fine), LABELS["breast_fat"])
    fibres = np.minimum(0.9 - 7 * np.abs(septa), inside - 5)
    painting.paint(region, fibres, signal["fibroglandular"], strength=0.4)
    nipple = 5.5 - np.sqrt(x**2 + (z + anatomy.sag * 26) ** 2 + (off - reach - 1) ** 2)
    painting.paint(region, nipple, signal["skin"])

    behind = np.clip(1.05 - ahead, 0.05, None)
    fan = (across / np.sqrt(behind)) ** 2
    coarse = 0.35 + 0.65 * anatomy.clumping
    field = 1.1 - 1.15 * fan + 0.55 * coarse * broad + 0.42 * (1.2 - coarse) * fine
    field = (
        field - 1.2 * bump(off, 9.0) + 0.25 * rise((0.25 * reach - np.abs(off - 0.7 * reach)) / 9)
    )
    room = (inside > 5) & (off > 3)
    breast = (body > 2.2) & (off > 0)
    wanted = min(1.0, density * breast.sum() / max(room.sum(), 1))
    bar = float(np.quantile(field[room], 1 - wanted)) if room.any() else 9.0
    edge = np.minimum(5.0 * (field - bar), np.minimum(inside - 5, off - 3))
    gland = signal["fibroglandular"] * (1 + 0.06 * fine)
    painting.paint(region, edge, gland, LABELS["fibroglandular"], softness=1.2 * painting.softness)


def _paint_wall(
    painting: Painting, anatomy: BreastAnatomy, signal: dict[str, float],
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Pectoral muscle, ribs between muscles, lung behind; vessels that run along the muscle."""
    region = painting.box()
    assert region is not None
    x, y, z = region.x, region.y, region.z
    deep = _wall(anatomy, x, z) - y
    noise_texture = painting.texture((2.0, 2.0, 6.0), rng)
    painting.paint(region, deep, signal["fat"], 0)
    muscle = signal["muscle"] * (1 + 0.05 * noise_texture)
    painting.paint(region, deep - 1.5, muscle, LABELS["chest_wall"])
    pitch, phase = 27.0, float(rng.uniform(0, 27.0))
    along = (z + 0.35 * x + phase) % pitch - pitch / 2
    rib = 6.0 - np.hypot(0.8 * along, deep - anatomy.wall_mm - 7)
    painting.paint(region, rib, signal["rib"], LABELS["chest_wall"])
    lung = deep - anatomy.wall_mm - 15
    painting.paint(region, lung, signal["lung"], 0)
    for _ in range(4):
        start = np.array([rng.uniform(-60, 60), 0.0, rng.uniform(-60, 60)])
        end = start + rng.normal(0, 30, 3)
        for point in (start, end):
            point[1] = float(_wall(anatomy, point[0], point[2])) + rng.uniform(2, 14)
        painting.tube([start, end], 1.4, signal["blood"])


def _acquire(painting: Painting, bright: float, rng: np.random.Generator) -> Array:
    """A coil brightest near the skin, point spread, Rician noise; whole numbers."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    observed = ndimage.gaussian_filter(painting.values / bright, float(rng.uniform(0.25, 0.45)))
    near = np.exp(painting.axes[1][None, :, None] / 1000 * float(rng.uniform(1.0, 5.0)))
    field = mri.bias_field(painting.shape, 0.12, painting.softness, generator)
    noise = 0.02 + 0.02 * float(rng.random())
    sensed = torch.from_numpy((observed * near).astype(np.float32)) * field
    gain = 900 * float(np.exp(0.15 * rng.standard_normal()))
    image: Array = (gain * mri.rician(sensed, noise, generator)).round().numpy()
    return image
