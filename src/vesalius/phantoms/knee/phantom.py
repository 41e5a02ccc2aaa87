"""A frontal radiograph of a phantom knee in one state, as one visit shows it.

Femur, tibia, fibula and patella are shapes whose distance to their border is known; their walls are
cortex, their inside is trabecular bone with a grain of its own. The beam is weakened along rays
whose samples are shifted at random from ray to ray, or slices would show as rings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.phantoms.hounsfield import HU
from vesalius.phantoms.knee.anatomy import COMPARTMENT_MM, KneeAnatomy
from vesalius.phantoms.knee.disease import LATERAL, MEDIAL, KneeState
from vesalius.phantoms.shapes import Array, bump, rise, rounded
from vesalius.phantoms.xray import Scanner, expose
from vesalius.scans.volume import Volume

FIELD_MM = 96.0
"""Side of the square that is seen, its middle on the joint."""
SCANNER = Scanner(20_000.0, 0.10, 0.45, 0.6, 1.0, FIELD_MM, 3.0)
BONES_MM = (-36.0, 54.0)
"""From back to front, where bone may be."""
SAMPLES = 30
SOFT = HU["muscle"]
SUBCHONDRAL_MM, TRABECULAR, CORTEX, MARROW = 1.6, 210.0, 1350.0, 20.0
SCLEROSIS_HU = 700.0
NOISE_TEXTURE_MM = 0.75
"""Of the grid that the trabecular pattern is drawn on."""


@dataclass(frozen=True)
class Positioning:
    """How a knee lies at one visit.

    Attributes:
        shift_mm: to the side and upwards.
        turn_degrees: about the axis of the leg.
        tilt_degrees: in the plane of the picture.
        beam_degrees: of the beam against the plateau.
        magnification: of everything.
    """

    shift_mm: tuple[float, float]
    turn_degrees: float
    tilt_degrees: float
    beam_degrees: float
    magnification: float


def draw_positioning(rng: np.random.Generator) -> Positioning:
    """Draw what differs between two visits even if nothing has changed."""
    x, z, turn, tilt_angle, beam, size = rng.standard_normal(6)
    return Positioning(
        (float(1.6 * x), float(1.6 * z)),
        float(3.0 * turn),
        float(1.5 * tilt_angle),
        float(1.5 * beam),
        float(1 + 0.012 * size),
    )


def draw_knee(
    anatomy: KneeAnatomy, state: KneeState, positioning: Positioning, rng: np.random.Generator,
    side: int = 64, scanner: Scanner = SCANNER,
) -> Volume:  # fmt: skip
    """Draw one radiograph `(side, 1, side)` in [0, 1], dense being bright.

    Args:
        anatomy: of the individual.
        state: of the joint.
        positioning: of the visit.
        rng: of the samples along rays, exposure and noise.
        side: pixels of the square of 96 mm.
        scanner: that takes it.

    >>> from vesalius.phantoms.knee.anatomy import draw_anatomy
    >>> knee = draw_anatomy(np.random.default_rng(0))
    >>> negative = KneeState((5.0, 5.5), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
    >>> place = draw_positioning(np.random.default_rng(1))
    >>> picture = draw_knee(knee, negative, place, np.random.default_rng(2)).voxels[:, 0]
    >>> edge = picture[picture.argmax() // 64]
    >>> picture.shape, bool(picture[20:44, 28:36].min() < 0.6 * edge.max())
    ((64, 64), True)
    """
    pixel = scanner.field_mm / side
    axis = ((np.arange(side) - (side - 1) / 2) * pixel).astype(np.float32)
    depth = (BONES_MM[1] - BONES_MM[0]) / SAMPLES
    along = BONES_MM[0] + depth * (
        np.arange(SAMPLES)[None, :, None] + rng.random((side, 1, side))
    ).astype(np.float32)
    x, y, z = _posed(axis[:, None, None], along, axis[None, None, :], positioning)
    u = (-x if anatomy.left else x) / anatomy.scale
    y, z = y / anatomy.scale, z / anatomy.scale
    hounsfield = _bones(u, y, z, anatomy, state, anatomy.scale)
    bone = depth / 1000 * np.where(hounsfield > SOFT, hounsfield - SOFT, 0).sum(axis=1)
    water = _leg_mm(axis, anatomy) * (1 + SOFT / 1000) + bone
    image = expose(water, pixel, scanner, rng)
    affine = np.diag([pixel, 1.0, pixel, 1.0])
    affine[:3, 3] = [axis[0], 0.0, axis[0]]
    return Volume(image.astype(np.float32)[:, None], affine)


def _posed(x: Array, y: Array, z: Array, place: Positioning) -> tuple[Array, Array, Array]:
    """From the detector to the knee."""
    x, z = (x - place.shift_mm[0]), (z - place.shift_mm[1])
    tilt_angle, turn = np.radians(place.tilt_degrees), np.radians(place.turn_degrees)
    x, z = (
        np.cos(tilt_angle) * x + np.sin(tilt_angle) * z,
        np.cos(tilt_angle) * z - np.sin(tilt_angle) * x,
    )
    x, y = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    z = z + y * np.tan(np.radians(place.beam_degrees))
    size = place.magnification
    return (x / size).astype(np.float32), y.astype(np.float32), (z / size).astype(np.float32)


def _leg_mm(axis: Array, anatomy: KneeAnatomy) -> Array:
    """Soft tissue along the beam `(side, side)`: an elliptic leg with slow variations."""
    wide, deep = anatomy.leg_mm
    chord = 2 * deep * np.sqrt(np.clip(1 - (axis / wide) ** 2, 0.05, 1))
    rng = np.random.default_rng([anatomy.noise_texture, 1])
    uneven = ndimage.gaussian_filter(rng.standard_normal((len(axis),) * 2), len(axis) / 9)
    result: Array = chord[:, None] * (1 + 0.025 * uneven / uneven.std())
    return result


def _bones(
    u: Array, y: Array, z: Array, anatomy: KneeAnatomy, state: KneeState, scale: float
) -> Array:
    """Hounsfield units at points of the knee; soft tissue is `SOFT`."""
    medial, lateral = (space / scale for space in state.joint_space_mm)
    reach = COMPARTMENT_MM
    tilt = np.arctan((lateral - medial) / (2 * reach))
    up = z - (medial + lateral) / 2
    femur_u, femur_z = np.cos(tilt) * u + np.sin(tilt) * up, np.cos(tilt) * up - np.sin(tilt) * u
    bow = np.tan(np.radians(anatomy.alignment_degrees / 2))
    spurs = tuple(mm / scale for mm in state.osteophyte_mm)

    result = np.full(u.shape, SOFT, np.float32)
    femur = _femur(femur_u, y, femur_z, anatomy, bow, spurs)
    tibia = _tibia(u, y, z, anatomy, bow, spurs)
    noise_texture = _noise_texture(anatomy, ("femur", "tibia"))
    for inside, own_u, own_z, name in (
        (femur, femur_u, femur_z, "femur"), (tibia, u, -z, "tibia")
    ):  # fmt: skip
        trabecular = (
            TRABECULAR * anatomy.density * (1 + 0.5 * _seen(noise_texture[name], own_u, own_z))
        )
        hollow = rise((own_z - 26) / 30)
        core = trabecular * (1 - hollow) + MARROW * hollow
        for compartment, at in ((MEDIAL, -reach), (LATERAL, reach)):
            hard = state.sclerosis[compartment] * np.exp(-np.maximum(own_z, 0) / 5.0)
            core = core + SCLEROSIS_HU * hard * bump(own_u - at, 11.0) * (own_z > -2)
        wall = SUBCHONDRAL_MM + (anatomy.cortex_mm - SUBCHONDRAL_MM) * rise((own_z - 15) / 35)
        _cover(result, inside, core, wall)
    fibula = _fibula(u, y, z, anatomy, bow)
    _cover(result, fibula, TRABECULAR * anatomy.density, 1.6)
    at_u, at_z = anatomy.patella_mm
    patella = _ellipsoid(u - at_u, y - 43.0, z - at_z, (20.0, 8.5, 20.0))
    _cover(result, patella, 0.9 * TRABECULAR * anatomy.density, 1.2)
    return result


def _cover(found: Array, inside: Array, core: Array | float, wall: Array | float) -> None:
    """Lay bone over what is there: trabecular inside, cortex in its wall, soft edges."""
    there = np.clip(inside / 1.2 + 0.5, 0, 1)
    shell = np.clip((wall - inside) / 1.2 + 0.5, 0, 1)
    value = core + shell * (CORTEX - core)
    found += there * (value - found)


def _femur(
    u: Array, y: Array, z: Array, anatomy: KneeAnatomy, bow: float, spurs: tuple[float, ...]
) -> Array:
    """Distance inside the femur, whose condyles stand on z = 0."""
    reach = COMPARTMENT_MM
    condyles = np.maximum(
        _ellipsoid(u + reach, y + 4, z - 20, (18.5, 29.0, 20.0)),
        _ellipsoid(u - reach, y + 4, z - 19.5, (18.5, 30.0, 19.5)),
    )
    middle = np.tan(np.radians(7.0) + np.arctan(bow)) * z
    widening = anatomy.flare * np.exp(-((np.maximum(z - 24, 0) / 32) ** 1.7))
    wide, deep = 15.5 + 23 * widening, 14 + 9 * widening
    shaft = (1 - np.hypot((u - middle) / wide, y / deep)) * np.minimum(wide, deep)
    shaft = np.minimum(shaft, z - 10)
    notch = _ellipsoid(u, y + 14, z - 7, (9.0 * anatomy.notch, 20.0, 17.0))
    bone = np.minimum(_joined(condyles, shaft, 5.0), 1 - notch)
    for side, at in ((MEDIAL, -1.0), (LATERAL, 1.0)):
        spur = spurs[side]
        lip = _ellipsoid(u - at * 34.5, y + 4, z - 7, (1.5 + spur, 15.0, 2.0 + 0.4 * spur))
        bone = _joined(bone, lip, 3.0)
    return bone


def _tibia(
    u: Array, y: Array, z: Array, anatomy: KneeAnatomy, bow: float, spurs: tuple[float, ...]
) -> Array:
    """Distance inside the tibia, whose plateau lies at z = 0 in both compartments."""
    reach = COMPARTMENT_MM
    down = np.maximum(-z - 5, 0)
    widening = np.exp(-((down / (27 * anatomy.flare)) ** 1.4))
    wide, deep = 14.5 + 25.5 * widening, 13.5 + 12 * widening
    middle = -bow * z
    column = (1 - _squarish((u - middle) / wide, y / deep)) * np.minimum(wide, deep)
    dish = 1.4 * (1 - np.maximum(bump(u + reach, 11.0), bump(u - reach, 11.0)))
    bone = rounded(column, dish * (np.abs(u) < 40) - z, 3.5)
    for at, height in zip((-5.5, 6.5), anatomy.spines_mm, strict=True):
        cone = np.minimum(0.5 * (height - z) - np.hypot(u - at, y / 2.5), z + 6)
        bone = _joined(bone, cone, 2.0)
    for side, at in ((MEDIAL, -1.0), (LATERAL, 1.0)):
        spur = spurs[side]
        lip = _ellipsoid(u - at * 36.5, y, z + 2.5, (2.5 + spur, 14.0, 2.0 + 0.4 * spur))
        bone = _joined(bone, lip, 3.0)
    return bone


def _fibula(u: Array, y: Array, z: Array, anatomy: KneeAnatomy, bow: float) -> Array:
    at_u, at_z = anatomy.fibula_mm
    head = _ellipsoid(u - at_u, y + 17, z - at_z + 6, (8.0, 8.0, 10.0))
    shaft = 5.2 - np.hypot(u - at_u - bow * (at_z - z), y + 17)
    return _joined(head, np.minimum(shaft, at_z - 6 - z), 3.0)


def _ellipsoid(u: Array, y: Array, z: Array, semi: tuple[float, float, float]) -> Array:
    """Distance inside an ellipsoid, exact on its axes."""
    a, b, c = semi
    near = np.sqrt((u / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
    slope = np.sqrt((u / a**2) ** 2 + (y / b**2) ** 2 + (z / c**2) ** 2)
    result: Array = near * (1 - near) / np.maximum(slope, 1e-6)
    return result


def _squarish(u: Array, y: Array) -> Array:
    """A norm between an ellipse's and a rectangle's."""
    result: Array = (np.abs(u) ** 3 + np.abs(y) ** 3) ** (1 / 3)
    return result


def _joined(first: Array, second: Array, width: float) -> Array:
    """Distance inside either of two bodies that flow into one another over a width."""
    share = np.clip(0.5 + 0.5 * (first - second) / width, 0, 1)
    result: Array = second + share * (first - second) + width * share * (1 - share)
    return result


def _noise_texture(anatomy: KneeAnatomy, names: tuple[str, ...]) -> dict[str, Array]:
    """Struts that run mostly along the load, the same at every visit."""
    result = {}
    for number, name in enumerate(names):
        rng = np.random.default_rng([anatomy.noise_texture, 2, number])
        noise = rng.standard_normal((160, 160), dtype=np.float32)
        fine = ndimage.gaussian_filter(noise, (0.9, 4.0)) + 0.5 * ndimage.gaussian_filter(
            noise[::-1], (3.0, 1.0)
        )
        coarse = ndimage.gaussian_filter(noise.T, 9.0)
        mixed = fine / fine.std() + 0.8 * coarse / coarse.std()
        result[name] = mixed / mixed.std()
    return result


def _seen(noise_texture: Array, u: Array, z: Array) -> Array:
    """The grain at points of a bone."""
    rows = np.clip(np.rint(u / NOISE_TEXTURE_MM).astype(int) + 80, 0, 159)
    columns = np.clip(np.rint(z / NOISE_TEXTURE_MM).astype(int) + 40, 0, 159)
    result: Array = noise_texture[rows, columns]
    return result
