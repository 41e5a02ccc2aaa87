"""One phantom lumbar spine from a seed: anatomy, findings, and what a scanner makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from vesalius.anatomy.attributes import attribute_values
from vesalius.anatomy.spine import spine_attributes
from vesalius.phantoms import mri
from vesalius.phantoms.spine.anatomy import LEVELS, SpineAnatomy, draw_anatomy
from vesalius.phantoms.spine.bones import paint_arch, paint_discs, paint_vertebrae, sac_front_gap
from vesalius.phantoms.spine.canal import paint_canal
from vesalius.phantoms.spine.canvas import Canvas
from vesalius.phantoms.spine.curve import SpineCurve
from vesalius.phantoms.spine.findings import Effects, Finding, draw_finding, sac_diameter
from vesalius.phantoms.spine.surroundings import paint_surroundings
from vesalius.phantoms.spine.tissues import Sequence as SpinEcho
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import LabelledScan
from vesalius.scans.description import Description
from vesalius.scans.landmarks import Landmark
from vesalius.scans.volume import Volume

LABELS = {
    "background": 0,
    **{f"vertebra_{name}": i for i, name in enumerate(("L1", "L2", "L3", "L4", "L5", "S1"), 1)},
    **{f"disc_{level}": i for i, level in enumerate(LEVELS, 7)},
    "canal": 12, "cord": 13, "cauda_equina": 14, "herniation": 15,
}  # fmt: skip
DESCRIPTION = Description(("T2",), LABELS, origin="phantom")
ATTRIBUTES: tuple[Attribute, ...] = spine_attributes(LABELS)
GRADES = tuple(f"degeneration_grade_{level}" for level in LEVELS)

FIELD_MM = (64.0, 170.0, 230.0)
"""Left to right, back to front, foot to head."""


@dataclass(frozen=True)
class SpinePhantom:
    """A phantom with the truth behind it; `landmarks` are those of its findings, in mm.

    `wear` is the severity of the discs' degeneration, by level.
    """

    scan: LabelledScan
    anatomy: SpineAnatomy
    findings: tuple[Finding, ...]
    landmarks: tuple[Landmark, ...]
    attributes: dict[str, float]
    wear: dict[str, float]


def grid_of(
    spacing_mm: tuple[float, float, float], field_mm: tuple[float, float, float] = FIELD_MM
) -> tuple[tuple[int, int, int], np.ndarray]:
    """Shape and affine of a field at a spacing: sagittal slices along the first axis.

    >>> grid_of((4.0, 1.0, 1.0))[0]
    (16, 170, 230)
    """
    x, y, z = (round(side / size) for side, size in zip(field_mm, spacing_mm, strict=True))
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = -(np.array([x, y, z]) - 1) / 2 * np.array(spacing_mm)
    return (x, y, z), affine


def draw_spine(
    seed: int,
    spacing_mm: tuple[float, float, float] = (4.0, 1.0, 1.0),
    findings: Sequence[Finding] | None = None,
    prevalence: Mapping[str, float] | None = None,
    worn: Mapping[str, float] | None = None,
    about: tuple[str, tuple[float, float, float]] | None = None,
) -> SpinePhantom:
    """Draw one phantom. The same arguments give the same voxels.

    Anatomy, texture, noise and findings each have a stream of chance of their own: a case and the
    same seed with `findings=()` are a patient and the healthy counterfactual.

    Args:
        seed: of this case.
        spacing_mm: slice distance, then voxel size in the slice.
        findings: what is wrong; drawn by `prevalence` if `None`.
        prevalence: probability of each pathology at each level, higher where a disc is worn.
        worn: severity, 0 to 1, of the discs' degeneration at levels that may have no finding.
        about: a level and the field in mm about the back of its disc, rather than all of the spine.

    >>> positive = draw_spine(1, (8.0, 2.0, 2.0), [Finding("herniation", "L4-L5", 8.0)])
    >>> negative = draw_spine(1, (8.0, 2.0, 2.0), [])
    >>> positive.attributes["herniation_mm_L4-L5"] > 5, negative.attributes["herniation_mm_L4-L5"]
    (True, 0.0)
    """
    rng = _streams(seed)
    anatomy = draw_anatomy(rng["anatomy"])
    if findings is None:
        findings = _generated_findings(anatomy, prevalence or {}, rng["findings"])
    effects = Effects(anatomy, findings, worn)
    shape, affine = grid_of(spacing_mm, about[1] if about else FIELD_MM)
    shift = (float(rng["anatomy"].normal(6, 3)), float(rng["anatomy"].normal(8, 4)))
    curve = SpineCurve(anatomy)
    if about:
        y, z = curve.point(np.array([anatomy.disc(about[0]).middle]), np.zeros(1))
        shift = (-float(y[0]), -float(z[0]))
    canvas = Canvas(shape, spacing_mm, curve, shift)
    canvas.bend = effects.bend
    texture = _texture(canvas, 1.6, rng["texture"])
    broad = _texture(canvas, 7.0, rng["texture"])
    echo = rng["scanner"]
    sequence = SpinEcho(float(echo.uniform(2800, 4200)), float(echo.uniform(88, 112)))

    paint_surroundings(canvas, anatomy, sequence, texture, broad, rng["surroundings"])
    paint_arch(canvas, anatomy, sequence, texture, rng["bones"])
    paint_discs(canvas, anatomy, effects, sequence, LABELS, rng["bones"])
    paint_vertebrae(canvas, anatomy, sequence, texture, LABELS, rng["bones"])
    paint_canal(canvas, anatomy, effects, sequence, LABELS, rng["nerves"])
    signal, labels = canvas.slices()
    image = _acquire(signal, spacing_mm, echo)
    label_map = Volume(labels, affine)
    attributes = attribute_values(ATTRIBUTES, label_map, LABELS)
    attributes |= {
        name: round(effects.grade(level), 2) for name, level in zip(GRADES, LEVELS, strict=True)
    }
    landmarks = tuple(
        _landmark(finding, anatomy, curve, shift, attributes) for finding in effects.findings
    )
    scan = LabelledScan((Volume(image, affine),), label_map)
    return SpinePhantom(scan, anatomy, effects.findings, landmarks, attributes, effects.wear)


def _streams(seed: int) -> dict[str, np.random.Generator]:
    """A stream of chance for each part of a phantom, so that changing one leaves the others."""
    names = ("anatomy", "bones", "nerves", "texture", "surroundings", "scanner", "findings")
    streams = np.random.SeedSequence(seed).spawn(len(names))
    return {name: np.random.default_rng(s) for name, s in zip(names, streams, strict=True)}


def _generated_findings(
    anatomy: SpineAnatomy, prevalence: Mapping[str, float], rng: np.random.Generator
) -> list[Finding]:
    """At most one finding a level; likelier where the disc is worn."""
    result: list[Finding] = []
    for level in LEVELS:
        wear = np.exp(0.45 * (anatomy.disc(level).grade - 2.7))
        for pathology in sorted(prevalence):
            draw = draw_finding(pathology, level, rng)
            hit = rng.random() < prevalence[pathology] * wear
            if hit and all(other.level != level for other in result):
                result.append(draw)
    return result


def _landmark(
    finding: Finding, anatomy: SpineAnatomy, curve: SpineCurve, shift: tuple[float, float],
    attributes: Mapping[str, float],
) -> Landmark:  # fmt: skip
    """The point an expert would mark: where disc meets canal, or the middle of the canal."""
    disc = anatomy.disc(finding.level)
    s = np.array([disc.middle])
    if finding.pathology == "herniation":
        u, v, measure = finding.side_mm, np.array([-disc.bulge]), "herniation_mm"
    else:
        v = -sac_front_gap(anatomy, s) - sac_diameter(anatomy, s) / 2
        u, measure = 0.0, "canal_diameter_mm"
    y, z = curve.point(s, v)
    point = (u + float(curve.lateral(s)[0]), float(y[0]) + shift[0], float(z[0]) + shift[1])
    size = attributes[f"{measure}_{finding.level}"]
    return Landmark(finding.pathology, finding.level, point, size)


def _texture(canvas: Canvas, width_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise of unit SD over the canvas, the same whatever is painted."""
    noise = rng.standard_normal(canvas.signal.shape, dtype=np.float32)
    _, y, z = canvas.spacing_mm
    sheet = canvas.spacing_mm[0] / 3
    smooth = ndimage.gaussian_filter(noise, (width_mm / sheet, width_mm / y, width_mm / z),
                                     truncate=2.5)  # fmt: skip
    scaled: np.ndarray = smooth / smooth.std()
    return scaled


def _acquire(
    signal: np.ndarray, spacing_mm: tuple[float, float, float], rng: np.random.Generator
) -> np.ndarray:
    """Point spread, coil falling off from the back, bias and noise; whole numbers as float32."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    blur = float(rng.uniform(0.35, 0.6))
    observed = ndimage.gaussian_filter(signal, (0, blur / spacing_mm[1], blur / spacing_mm[2]))
    depth = np.arange(signal.shape[1]) * spacing_mm[1]
    coil = np.exp(-depth / 1000 * float(rng.uniform(0.5, 4.0)))
    observed = torch.from_numpy((observed * coil[None, :, None]).astype(np.float32))
    field = mri.bias_field((signal.shape[0] * 2, *signal.shape[1:]), 0.06, spacing_mm[1], generator)
    noise = 0.008 + 0.010 * float(rng.random())
    gain = 1500 * float(np.exp(0.15 * rng.standard_normal()))
    magnitude = mri.rician(observed * field[: signal.shape[0]], noise, generator)
    image: np.ndarray = (gain * magnitude).round().numpy()
    return image
