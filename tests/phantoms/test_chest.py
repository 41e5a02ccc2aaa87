"""Phantom chests: Hounsfield units of tissues, nodules of asked volume, counterfactuals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vesalius.anatomy.attributes import case_values
from vesalius.phantoms.chest.branching import grown
from vesalius.phantoms.chest.nodules import Nodule, draw_nodule
from vesalius.phantoms.chest.phantom import FIELD_MM, LABELS, draw_chest
from vesalius.phantoms.cohorts.organs import write_gridded
from vesalius.phantoms.hounsfield import attenuation_per_mm
from vesalius.scans.input_error import InputError

ROUND = Nodule(False, 3000.0, 0.0, 0.0, 35.0, (0.3, 0.5), 1)


def test_tissues_have_their_hounsfield_units() -> None:
    body = draw_chest(3, (64, 64, 64), [])
    image, labels = body.scan.channels[0].voxels, body.scan.label_map.voxels
    lung = np.isin(labels, [LABELS["lung_right"], LABELS["lung_left"]])
    assert -920 < np.median(image[lung]) < -800
    assert 25 < np.median(image[labels == LABELS["heart"]]) < 65
    assert np.percentile(image[labels == LABELS["bone"]], 75) > 250
    assert np.median(image[labels == LABELS["airway"]]) < -700
    corner = image[:4, :4, :4]
    assert abs(corner.mean() + 1000) < 20
    assert image.min() >= -1024


@pytest.mark.parametrize("seed", range(4))
def test_organs_have_plausible_volumes(seed: int) -> None:
    reported = draw_chest(seed, (48, 48, 48), []).attributes
    assert 2000 < reported["lung_volume_ml"] < 7500
    assert 200 < reported["heart_volume_ml"] < 950


def test_a_nodule_has_the_volume_it_was_asked_to_have() -> None:
    for form in (ROUND, replace(ROUND, lobulation=0.8), replace(ROUND, spiculation=0.7)):
        body = draw_chest(5, (180, 145, 144), [form])
        assert len(body.nodules) == 1
        wanted = form.volume_mm3 / 1000
        assert body.attributes["nodule_volume_ml"] == pytest.approx(wanted, rel=0.25)


def test_spicules_roughen_the_surface_at_equal_volume() -> None:
    def surface(spiculation: float) -> float:
        nodule = replace(ROUND, spiculation=spiculation)
        voxels = draw_chest(5, (180, 145, 144), [nodule]).scan.label_map.voxels == LABELS["nodule"]
        return float(sum(np.abs(np.diff(voxels.astype(int), axis=axis)).sum() for axis in range(3)))

    assert surface(0.9) > 1.15 * surface(0.0)


def test_a_nodule_changes_only_its_surroundings() -> None:
    positive, negative = draw_chest(7, (48, 48, 48), [ROUND]), draw_chest(7, (48, 48, 48), [])
    changed = np.argwhere(positive.exact.voxels != negative.exact.voxels)
    points = changed * np.array(FIELD_MM) / 48 + positive.exact.affine[:3, 3]
    assert 0 < np.linalg.norm(points - positive.places_mm[0], axis=1).max() < 25
    assert positive.attributes["lung_volume_ml"] < negative.attributes["lung_volume_ml"]


def test_malignant_nodules_differ_on_average_but_overlap() -> None:
    generated = [draw_nodule(np.random.default_rng(index)) for index in range(400)]
    volumes = [[n.volume_mm3 for n in generated if n.malignant == kind] for kind in (False, True)]
    assert np.median(volumes[1]) > 1.8 * np.median(volumes[0])
    assert np.percentile(volumes[0], 80) > np.percentile(volumes[1], 20)


def test_every_end_of_a_tree_is_reached_and_branches_join() -> None:
    ends = np.random.default_rng(1).normal(size=(50, 3))
    tree = grown(np.zeros(3), ends)
    reached = np.array(sorted(tuple(b.end) for b in tree if b.ends == 1))
    assert np.allclose(reached, np.array(sorted(map(tuple, ends))))
    starts = {tuple(b.start) for b in tree} - {(0.0, 0.0, 0.0)}
    assert starts <= {tuple(b.end) for b in tree if b.ends > 1}


def test_a_ray_through_water_keeps_what_beer_and_lambert_say() -> None:
    left = np.exp(-attenuation_per_mm(0.0) * 100)
    assert left == pytest.approx(np.exp(-1.93))


def test_chests_are_the_same_from_any_worker(tmp_path: Path) -> None:
    files = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        cohort = write_gridded("chest", folder, 4, 2, (32, 32, 32), workers=workers)
        files.append({p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.*")})
    assert files[0] == files[1]
    assert (case_values(cohort, "lung_volume_ml") > 1000).all()
    with pytest.raises(InputError, match="out of reach"):
        write_gridded("chest", tmp_path / "coarse", 1, 0, (8, 8, 8))
