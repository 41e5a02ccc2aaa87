"""Any geometry: into a grid and back, through a file, and under an edit, nothing moves."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import Phase, assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from scipy import ndimage
from scipy.spatial.transform import Rotation

from vesalius.methods.inpainting.editing import edit_map, edited
from vesalius.methods.inpainting.latent import LabelKinds, from_latent
from vesalius.methods.inpainting.noise_map import landmark_map
from vesalius.methods.inpainting.recipe import MapRecipe
from vesalius.scans.case import LabelledScan, Scan
from vesalius.scans.crop import cut, voxel_of
from vesalius.scans.formats.nifti import read_nifti, write_nifti
from vesalius.scans.grid import Grid, fit_grid, whole_grid
from vesalius.scans.volume import Volume
from vesalius.training.fingerprint import Fingerprint

SHORT = (Phase.explicit, Phase.generate, Phase.shrink)
ANY = settings(derandomize=True, deadline=None, max_examples=75, phases=SHORT)
FEW = settings(ANY, max_examples=15)

ORIENTATIONS = [
    "".join(pair[sign] for pair, sign in zip(order, signs, strict=True))
    for order in itertools.permutations(("RL", "AP", "SI"))
    for signs in itertools.product((0, 1), repeat=3)
]
LABELS = {"background": 0, "disc_L3-L4": 1, "disc_L4-L5": 2, "cord": 3}
SEEDS = st.integers(0, 2**32 - 1)
SIDES = st.tuples(*[st.integers(1, 9)] * 3)
TILTS = st.one_of(st.just(0.0), st.floats(-44, 44))
HALF_RIGHT = st.sampled_from([0.0, 45.0, -45.0, 90.0, 135.0])
RATIOS = st.tuples(*[st.floats(0.4, 2.5)] * 3)


@st.composite
def affines(draw: DrawFn, tilts: SearchStrategy[float] = TILTS, gantry: bool = True) -> np.ndarray:
    """Any axis order and handedness, spacing, oblique tilt, tilted gantry, and place."""
    axes = np.eye(3)[:, draw(st.permutations(range(3)))]
    axes = axes * draw(st.tuples(*[st.sampled_from([1.0, -1.0])] * 3))
    sheared = np.eye(3)
    if gantry:
        sheared[1, 2] = np.tan(np.deg2rad(draw(st.one_of(st.just(0.0), st.floats(-20, 20)))))
    turn = Rotation.from_euler("xyz", draw(st.tuples(*[tilts] * 3)), degrees=True).as_matrix()
    affine = np.eye(4)
    spacing = draw(st.tuples(*[st.floats(0.1, 10.0)] * 3))
    columns = turn @ sheared @ axes
    affine[:3, :3] = columns / np.linalg.norm(columns, axis=0) * spacing
    affine[:3, 3] = draw(st.tuples(*[st.floats(-1000, 1000)] * 3))
    return affine


def order_of(affine: np.ndarray) -> str:
    """The axis order of an affine, such as `LPS`."""
    return "".join(nib.aff2axcodes(affine))


def sure_of_its_axes(affine: np.ndarray) -> bool:
    """Whether only one axis order is nearest, so that a name such as `LPS` has one meaning."""
    directions = np.abs(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    ahead = np.sort(directions, axis=0)
    return bool((ahead[2] - ahead[1] > 1e-3).all() and len(set(directions.argmax(axis=0))) == 3)


def in_mm(affine: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """Voxels `(..., 3)` to mm."""
    return voxels @ affine[:3, :3].T + affine[:3, 3]


def in_voxels(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points `(..., 3)` in mm to voxels, without rounding."""
    return np.linalg.solve(affine[:3, :3], (points - affine[:3, 3])[..., None])[..., 0]


def everywhere(volume: Volume) -> np.ndarray:
    """All voxel indices of a volume `(X, Y, Z, 3)`."""
    return np.stack(np.indices(volume.shape), axis=-1)


def seen_from(volume: Volume, other: Volume, fill: float) -> np.ndarray:
    """What `other` holds at the voxels of `volume`, which must lie on voxels of `other`, in mm."""
    at = in_voxels(other.affine, in_mm(volume.affine, everywhere(volume)))
    nearest = np.round(at)
    assert np.abs(at - nearest).max() < 1e-5
    index = nearest.astype(int)
    inside = ((index >= 0) & (index < other.shape)).all(axis=-1)
    values = np.full(volume.shape, fill, other.voxels.dtype)
    values[inside] = other.voxels[tuple(index[inside].T)]
    return values


def speckled(affine: np.ndarray, shape: tuple[int, int, int], seed: int) -> LabelledScan:
    """A scan of noise, some of it negative zeros, whose labels lie anywhere, edges included."""
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 1, shape).astype(np.float32)
    image[rng.random(shape) < 0.1] = -0.0
    image.flat[0] = 0.3  # an image of whole numbers would be edited in whole numbers
    labels = np.where(rng.random(shape) < 0.3, rng.integers(1, 4, shape), 0).astype(np.uint8)
    labels[tuple(rng.integers(0, shape))] = 1
    return LabelledScan((Volume(image, affine),), Volume(labels, affine))


def smooth(affine: np.ndarray, radii: np.ndarray, place: np.ndarray) -> LabelledScan:
    """A soft ellipsoid well inside its scan, off centre by `place` voxels; a core within it."""
    shape = tuple(int(side) for side in 2 * np.ceil(radii) + 7)
    middle = (np.array(shape) - 1) / 2 + place
    axes = np.stack(np.indices(shape), axis=-1)
    away = np.linalg.norm((axes - middle) / radii, axis=-1)
    image = np.where(away < 1, (1 - np.minimum(away, 1) ** 2) ** 3, 0).astype(np.float32)
    labels = (away < 1).astype(np.uint8) + (away < 0.6)
    return LabelledScan((Volume(image - 100, affine),), Volume(labels, affine))


def grid_at(scan: LabelledScan, ratios: tuple[float, float, float]) -> Grid:
    """The grid of a cohort that `scan` comes first in, and whose spacing is another."""
    upright = scan.label_map.oriented("RAS")
    dot = Volume(np.ones((1, 1, 1), np.uint8), upright.affine @ np.diag([*ratios, 1.0]))
    return fit_grid([scan, *[LabelledScan((), dot)] * 2])


def has_a_margin(labels: Volume) -> bool:
    """Whether the outermost voxels of a placed label map are all background."""
    return (labels.voxels > 0).sum() == (labels.voxels[1:-1, 1:-1, 1:-1] > 0).sum()


def centre_of_mass(volume: Volume, weights: np.ndarray) -> np.ndarray:
    """In mm."""
    voxels = (everywhere(volume) * weights[..., None]).sum(axis=(0, 1, 2)) / weights.sum()
    return in_mm(volume.affine, voxels)


@ANY
@given(affines(), SIDES, SEEDS, st.sampled_from(ORIENTATIONS))
def test_every_axis_order_keeps_each_voxel_where_it_is_in_mm(
    affine: np.ndarray, shape: tuple[int, int, int], seed: int, orientation: str
) -> None:
    assume(sure_of_its_axes(affine))
    stored = Volume(np.random.default_rng(seed).permutation(np.prod(shape)).reshape(shape), affine)
    turned = stored.oriented(orientation)
    assert turned.orientation == orientation
    assert sorted(turned.shape) == sorted(stored.shape)
    assert np.array_equal(seen_from(turned, stored, -1), turned.voxels)
    back = turned.oriented(stored.orientation)
    assert np.array_equal(back.voxels, stored.voxels)
    assert np.allclose(back.affine, stored.affine, rtol=0, atol=1e-9)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@FEW
@given(affine=affines())
def test_all_48_axis_orders_lead_there_and_back(orientation: str, affine: np.ndarray) -> None:
    assume(sure_of_its_axes(affine))
    stored = Volume(np.arange(24).reshape(2, 3, 4), affine)
    assert np.array_equal(
        stored.oriented(orientation).oriented(stored.orientation).voxels, stored.voxels
    )


@ANY
@given(affines(HALF_RIGHT, gantry=False))
def test_a_scan_halfway_between_two_axes_is_turned_upright_and_back(affine: np.ndarray) -> None:
    stored = Volume(np.arange(24).reshape(2, 3, 4), affine)
    upright = stored.oriented("RAS")
    assert upright.orientation == "RAS"
    back = upright.oriented(stored.orientation)
    assert np.array_equal(back.voxels, stored.voxels)
    assert np.allclose(back.affine, stored.affine, rtol=0, atol=1e-9)


@ANY
@given(affines(), SIDES, SEEDS, st.sampled_from([1, 2, 4]))
@example(np.diag([0.49, 0.49, 0.49, 1.0]), (10, 3, 3), 0, 4)
def test_placing_at_its_own_spacing_keeps_every_voxel_where_it_is_in_mm(
    affine: np.ndarray, shape: tuple[int, int, int], seed: int, multiple: int
) -> None:
    scan = speckled(affine, shape, seed)
    grid = fit_grid([scan], multiple=multiple)
    placed = grid.place(scan)
    image, labels = placed.channels[0], placed.label_map
    assert labels.shape == grid.shape and not (np.array(labels.shape) % multiple).any()
    assert has_a_margin(labels)
    box = np.ptp(np.argwhere(labels.voxels > 0), axis=0) + 1
    assert np.array_equal(labels.shape, multiple * np.ceil((box + 2) / multiple))
    assert np.array_equal(labels.voxels, seen_from(labels, scan.label_map, 0))
    lowest = scan.channels[0].voxels.min()
    assert np.array_equal(image.voxels, seen_from(image, scan.channels[0], lowest))
    assert np.array_equal(np.bincount(labels.voxels.ravel(), minlength=4)[1:],
                          np.bincount(scan.label_map.voxels.ravel(), minlength=4)[1:])  # fmt: skip
    assert grid.covers(scan) == pytest.approx(1.0, abs=1e-12)


@ANY
@given(affines(), SIDES, SEEDS)
@example(np.eye(4), (1, 1, 1), 0)
def test_the_grid_brings_labels_back_to_where_they_lay_in_mm(
    affine: np.ndarray, shape: tuple[int, int, int], seed: int
) -> None:
    scan = speckled(affine, shape, seed)
    grid = fit_grid([scan])
    back = grid.volume(grid.place(scan).label_map.voxels)
    assert back.orientation == scan.label_map.orientation
    assert np.array_equal(back.voxels, seen_from(back, scan.label_map, 0))
    assert (back.voxels > 0).sum() == (scan.label_map.voxels > 0).sum()


@ANY
@given(affines(), SIDES, SEEDS)
@example(np.eye(4), (1, 1, 1), 0)
def test_the_grid_of_the_whole_field_brings_voxels_back_to_where_they_lay_in_mm(
    affine: np.ndarray, shape: tuple[int, int, int], seed: int
) -> None:
    image = speckled(affine, shape, seed).channels[0]
    grid = whole_grid([Scan((image,))])
    placed = grid.place_whole(Scan((image,))).channels[0]
    lowest = image.voxels.min()
    assert np.array_equal(placed.voxels, seen_from(placed, image, lowest))
    back = grid.volume(placed.voxels)
    assert back.orientation == image.orientation
    assert np.array_equal(back.voxels, seen_from(back, image, lowest))


@ANY
@given(affines(), SIDES, SEEDS, st.sampled_from(ORIENTATIONS), RATIOS)
def test_the_axis_order_in_which_a_scan_is_stored_makes_no_difference_to_the_grid(
    affine: np.ndarray, shape: tuple[int, int, int], seed: int, orientation: str,
    ratios: tuple[float, float, float],
) -> None:  # fmt: skip
    assume(sure_of_its_axes(affine))
    scan = speckled(affine, shape, seed)
    other = LabelledScan(
        (scan.channels[0].oriented(orientation),), scan.label_map.oriented(orientation)
    )
    grid, same = grid_at(scan, ratios), grid_at(other, ratios)
    assert grid.shape == same.shape and same.orientation == orientation
    assert np.allclose(grid.affine, same.affine, rtol=0, atol=1e-6)
    one, two = grid.place(scan), grid.place(other)
    for first, second in ((one.label_map, two.label_map), (one.channels[0], two.channels[0])):
        assert np.array_equal(first.voxels, second.voxels)
        assert first.same_geometry(second, 1e-6)


@ANY
@given(affines(), SIDES, SEEDS, st.floats(-4e-6, 4e-6))
@example(np.eye(4), (1, 1, 1), 0, 4e-6)
def test_a_spacing_that_differs_only_by_rounding_is_not_resampled(
    affine: np.ndarray, shape: tuple[int, int, int], seed: int, rounding: float
) -> None:
    scan = speckled(affine, shape, seed)
    image, labels = scan.channels[0].voxels, scan.label_map.voxels
    off = affine @ np.diag([*[1 + rounding] * 3, 1.0])
    other = LabelledScan((Volume(image, off),), Volume(labels, off))
    placed = fit_grid([scan]).place(other)
    labels_there, image_there = placed.label_map, placed.channels[0]
    assert (labels_there.voxels > 0).sum() == (labels > 0).sum()
    assert np.array_equal(labels_there.voxels, seen_from(labels_there, other.label_map, 0))
    true = seen_from(image_there, other.channels[0], image.min())
    assert np.array_equal(image_there.voxels, true)


def shown_at(scan: Volume, placed: Volume) -> np.ndarray:
    """Whether each voxel shows what the voxel of `scan` that holds its centre shows.

    A centre on the border between two voxels may show either.
    """
    at = in_voxels(scan.affine, in_mm(placed.affine, everywhere(placed)))
    padded = np.pad(scan.voxels, 1)
    true = np.zeros(placed.shape, bool)
    for nudge in itertools.product((-1e-6, 1e-6), repeat=3):
        index = np.clip(np.floor(at + 0.5 + nudge), -1, scan.shape).astype(int) + 1
        true |= padded[tuple(np.moveaxis(index, -1, 0))] == placed.voxels
    return true


@ANY
@given(affines(), st.tuples(*[st.floats(4.0, 6.0)] * 3), st.tuples(*[st.floats(-1, 1)] * 3), RATIOS)
def test_at_another_spacing_labels_and_image_keep_their_place(
    affine: np.ndarray, radii: tuple[float, ...], place: tuple[float, ...],
    ratios: tuple[float, float, float],
) -> None:  # fmt: skip
    upright = Volume(np.zeros((2, 2, 2)), affine).oriented("RAS").affine
    scan = smooth(upright, np.array(radii) * np.maximum(ratios, 1), np.array(place))
    stored = LabelledScan(
        (scan.channels[0].oriented(order_of(affine)),), scan.label_map.oriented(order_of(affine))
    )
    grid = grid_at(stored, ratios)
    placed = grid.place(stored)
    labels, image = (grid.volume(v.voxels) for v in (placed.label_map, placed.channels[0]))
    assert labels.orientation == stored.label_map.orientation
    assert has_a_margin(labels)
    assert shown_at(stored.label_map, labels).all()

    own, coarser = np.array(scan.label_map.spacing_mm), np.maximum(ratios, 1)
    directions = upright[:3, :3] / own

    def shift(before: Volume, after: Volume, least: float) -> np.ndarray:
        """Of the centre of mass along right, anterior, superior, in voxels of the scan."""
        moved = centre_of_mass(after, after.voxels - least) - centre_of_mass(
            before, before.voxels - least
        )
        return np.abs(np.linalg.solve(directions, moved)) / own

    assert (shift(stored.channels[0], image, -100.0) < 0.05 * coarser).all()
    # Nearest neighbours of whole ratios all fall to one side: half the smaller voxel at most.
    finer = np.minimum(ratios, 1)
    assert (shift(stored.label_map, labels, 0.0) < 0.5 * finer + 0.1 * coarser).all()


@ANY
@given(affines(), SIDES, SEEDS, st.tuples(*[st.floats(0.3, 1.0)] * 3))
def test_an_image_that_rises_evenly_in_mm_rises_as_evenly_on_a_finer_grid(
    affine: np.ndarray, shape: tuple[int, int, int], seed: int, ratios: tuple[float, float, float]
) -> None:
    labels = speckled(affine, shape, seed).label_map
    slope = np.random.default_rng(seed).normal(0, 1, 3) / max(labels.spacing_mm)
    image = Volume((in_mm(affine, everywhere(labels)) - affine[:3, 3]) @ slope, affine)
    scan = LabelledScan((image,), labels)
    grid = grid_at(scan, ratios)
    finer = grid.volume(grid.place(scan).channels[0].voxels)
    points = in_mm(finer.affine, everywhere(finer))
    at = in_voxels(affine, points)
    between = ((at > 1e-6) & (at < np.array(shape) - 1 - 1e-6)).all(axis=-1)
    true = (points - affine[:3, 3]) @ slope
    assert np.allclose(finer.voxels[between], true[between], rtol=0, atol=1e-4)


@ANY
@given(affines(), SIDES, SEEDS, RATIOS)
@example(np.eye(4), (1, 1, 1), 0, (0.5, 0.5, 0.5))
def test_at_another_spacing_labels_at_the_edge_of_the_field_are_kept(
    affine: np.ndarray, shape: tuple[int, int, int], seed: int, ratios: tuple[float, float, float]
) -> None:
    scan = speckled(affine, shape, seed)
    placed = grid_at(scan, ratios).place(scan).label_map
    assert has_a_margin(placed)
    assert shown_at(scan.label_map, placed).all()


@st.composite
def croppings(draw: DrawFn, gantry: bool = True) -> tuple[LabelledScan, np.ndarray, Grid]:
    """A scan, a landmark anywhere inside it, and a grid to cut with, of its own spacing or not."""
    scan = speckled(draw(affines(gantry=gantry)), draw(SIDES), draw(SEEDS))
    upright = scan.label_map.oriented("RAS")
    shares = draw(st.tuples(*[st.floats(0, 1)] * 3))
    landmark = np.array(shares) * (np.array(upright.shape) - 1)
    shape = draw(st.tuples(st.integers(1, 6), *[st.sampled_from([2, 4, 6, 8])] * 2))
    ratios = draw(st.one_of(st.just((1.0, 1.0, 1.0)), RATIOS))
    spacing = tuple(float(x) for x in np.array(upright.spacing_mm) * ratios)
    return scan, landmark, Grid(shape, spacing, ())  # type: ignore[arg-type]


@ANY
@given(croppings())
def test_a_crop_shows_the_scan_around_its_landmark(
    generated: tuple[LabelledScan, np.ndarray, Grid],
) -> None:
    scan, landmark, grid = generated
    upright = scan.label_map.oriented("RAS")
    crop = cut(scan, landmark, grid)
    point = in_mm(upright.affine, landmark)
    assert np.allclose(voxel_of(scan, tuple(point)), landmark, atol=1e-6)
    labels, image = crop.scan.label_map, crop.scan.channels[0]
    assert np.allclose(in_mm(labels.affine, crop.landmark), point, atol=1e-6)
    corner = in_voxels(upright.affine, labels.affine[:3, 3])
    assert np.allclose(corner, crop.start, atol=1e-5)
    off = np.abs(crop.landmark - (np.array(grid.shape) - 1) / 2)
    if np.allclose(crop.zoom, 1):
        assert (off <= 0.5 + 1e-6).all()
        assert np.array_equal(labels.voxels, seen_from(labels, scan.label_map, 0))
        lowest = scan.channels[0].voxels.min()
        assert np.array_equal(image.voxels, seen_from(image, scan.channels[0], lowest))
    else:
        assert (off <= 1e-6).all()


@ANY
@given(affines(gantry=False), SIDES, SEEDS, st.sampled_from(["scan.nii", "scan.nii.gz"]))
def test_a_file_keeps_voxels_to_the_bit_and_both_affines_to_single_precision(
    affine: np.ndarray, shape: tuple[int, int, int], seed: int, name: str
) -> None:
    scan = speckled(affine, shape, seed)
    with tempfile.TemporaryDirectory() as folder:
        for volume, dtype in ((scan.channels[0], np.float32), (scan.label_map, np.uint8)):
            path = Path(folder) / name
            write_nifti(volume, path, dtype)
            back = read_nifti(path)
            assert back.shape == volume.shape and back.orientation == volume.orientation
            assert back.voxels.tobytes() == volume.voxels.astype(np.float32).tobytes()
            assert np.array_equal(back.affine, affine.astype(np.float32))
            header = nib.load(path).header
            assert (int(header["qform_code"]), int(header["sform_code"])) == (1, 1)
            assert header.get_data_dtype() == dtype and header.get_xyzt_units()[0] == "mm"
            q = header.get_qform()
            # A quaternion in single precision turns by up to √(2·2⁻²³·3) at half a turn.
            assert np.abs((q - affine)[:3, :3]).max() < 1e-3 * max(volume.spacing_mm)
            assert np.allclose(q[:3, 3], affine[:3, 3], rtol=1e-6, atol=1e-6)
            assert np.sign(np.linalg.det(q[:3, :3])) == np.sign(np.linalg.det(affine[:3, :3]))


def print_of(grid: Grid) -> Fingerprint:
    """The fingerprint of a cohort on a grid, its intensities as they are."""
    return Fingerprint(
        cases=1, subjects=1, channels=("T2", "T1"), labels=LABELS, origin="test",
        shape=grid.shape, spacing_mm=grid.spacing_mm, affine=tuple(map(tuple, np.eye(4).tolist())),
        orientation="RAS", intensity_low=(0.0, 0.0), intensity_high=(1.0, 1.0),
        intensity_bounds=((-1e6, 1e6), (-1e6, 1e6)), attributes=(), content="",
    )  # fmt: skip


def bits(volume: Volume) -> np.ndarray:
    """Voxels as whole numbers, so that a negative zero differs from zero."""
    return volume.voxels.view(np.uint32 if volume.voxels.itemsize == 4 else np.uint8)


@ANY
@given(
    croppings(gantry=False), SEEDS, st.sampled_from(["linear", "gaussian"]), st.floats(0.5, 6.0),
    st.floats(0, 1), st.booleans(),
)  # fmt: skip
def test_an_edit_leaves_every_bit_outside_its_map_and_blends_in_what_was_drawn_inside(
    generated: tuple[LabelledScan, np.ndarray, Grid], seed: int, kind: str, reach: float,
    severity: float, grainy: bool,
) -> None:  # fmt: skip
    scan, landmark, grid = generated
    image = scan.channels[0]
    scan = LabelledScan((image, Volume(3 - image.voxels, image.affine)), scan.label_map)
    reach_mm = reach * float(np.prod(grid.spacing_mm)) ** (1 / 3)
    recipe = MapRecipe(
        kind=kind, core_mm=0.4 * reach_mm, reach_mm=reach_mm, stretch=(1, 1, 1),  # type: ignore
        sigma_mm=reach_mm / np.sqrt(-2 * np.log(0.02)), blend_mm=0.3 * reach_mm,
    )  # fmt: skip
    crop = cut(scan, landmark, grid)
    weight = landmark_map(recipe, crop, grid.spacing_mm, severity)
    blend = edit_map(weight, grid.spacing_mm, recipe.blend_mm).blend
    kinds, seen = LabelKinds(LABELS), print_of(grid)
    depth, height, width = grid.shape
    latent = torch.randn(
        (1, 4 * (2 + len(kinds)), depth, height // 2, width // 2),
        generator=torch.Generator().manual_seed(seed),
    )
    made = edited(scan, crop, latent, blend, seen, kinds, seed if grainy else None)

    upright = scan.label_map.oriented("RAS")
    points = in_mm(upright.affine, everywhere(upright))
    at = in_voxels(crop.scan.label_map.affine, points)
    free = np.zeros(upright.shape, bool)
    support = np.pad(blend > 0, 1)
    for corner in itertools.product((True, False), repeat=3):
        near = np.where(corner, np.floor(at + 1e-6), np.ceil(at - 1e-6))
        index = np.clip(near, -1, blend.shape).astype(int) + 1
        free |= support[tuple(np.moveaxis(index, -1, 0))]
    far = np.linalg.norm(points - in_mm(upright.affine, landmark), axis=-1)
    own = np.allclose(crop.zoom, 1)
    slack = 1e-4 * reach_mm + (0 if own else np.linalg.norm(grid.spacing_mm))
    within = far <= reach_mm * (1 + recipe.growth * severity) + slack

    before, after = (*scan.channels, scan.label_map), (*made.channels, made.label_map)
    for old, new in zip(before, after, strict=True):
        assert new.voxels.dtype == old.voxels.dtype and new.shape == old.shape
        assert np.array_equal(new.affine, old.affine)
        changed = Volume(bits(new) != bits(old), old.affine).oriented("RAS").voxels
        assert not (changed & ~free).any()
        assert not (changed & ~within).any()
    if grainy:
        return
    at = np.round(at) if own else at
    room = np.array(blend.shape) - 1
    inside = ((at >= 0) & (at <= room) if own else (at > 1e-6) & (at < room - 1e-6)).all(axis=-1)
    where = at[inside].T
    share = ndimage.map_coordinates(blend, where, order=1)
    shown = from_latent(latent, 2)[0][0].numpy()
    for old, new, held, true in zip(
        scan.channels, made.channels, crop.scan.channels, shown, strict=True
    ):
        change = ndimage.map_coordinates(true - held.voxels, where, order=1)
        blended = old.oriented("RAS").voxels[inside] + share * change
        assert np.allclose(new.oriented("RAS").voxels[inside], blended, rtol=0, atol=1e-4)
