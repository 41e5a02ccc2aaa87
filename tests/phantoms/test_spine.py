"""Phantom spines: counterfactuals, sizes as asked for, and the same bytes from any worker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vesalius.anatomy.attributes import case_value
from vesalius.anatomy.spine import landmark_voxel
from vesalius.phantoms.cohorts.organs import write_spines
from vesalius.phantoms.spine.anatomy import LEVELS, draw_anatomy
from vesalius.phantoms.spine.findings import Finding, draw_finding
from vesalius.phantoms.spine.phantom import LABELS, draw_spine
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError
from vesalius.scans.landmarks import read_landmarks

SPACING = (4.4, 1.25, 1.25)


@pytest.mark.parametrize("pathology", ["herniation", "stenosis"])
def test_a_finding_changes_only_its_surroundings(pathology: str) -> None:
    finding = draw_finding(pathology, "L4-L5", np.random.default_rng(0))
    positive, negative = draw_spine(5, SPACING, [finding]), draw_spine(5, SPACING, [])
    before, after = (p.scan.channels[0] for p in (negative, positive))
    changed = np.argwhere(before.voxels != after.voxels) @ np.diag(SPACING)
    points = changed + before.affine[:3, 3]
    far = np.linalg.norm(points - np.array(positive.landmarks[0].point_mm), axis=1)
    assert 0.001 < len(changed) / before.voxels.size < 0.1
    assert far.max() < 50
    height = np.abs(points[:, 2] - positive.landmarks[0].point_mm[2])
    assert np.percentile(height, 99) < 30
    for level in LEVELS[:3]:
        for measure in ("herniation_mm", "canal_diameter_mm"):
            name = f"{measure}_{level}"
            assert positive.attributes[name] == pytest.approx(negative.attributes[name], abs=0.1)


def test_sizes_come_out_as_asked_for() -> None:
    misses: dict[str, list[float]] = {"herniation": [], "stenosis": []}
    for seed in range(6):
        for pathology, own in misses.items():
            finding = draw_finding(pathology, LEVELS[seed % 5], np.random.default_rng(seed))
            phantom = draw_spine(seed, SPACING, [finding])
            own.append(phantom.landmarks[0].size_mm - finding.size_mm)
            healthy = draw_spine(seed, SPACING, [])
            assert healthy.attributes[f"herniation_mm_{finding.level}"] == 0
    assert np.abs(misses["herniation"]).max() < 2.5
    assert np.abs(misses["stenosis"]).max() < 1.5


def test_the_usual_place_is_where_an_expert_would_mark() -> None:
    for pathology in ("herniation", "stenosis"):
        finding = Finding(pathology, "L3-L4", 6.0)
        mark = draw_spine(2, SPACING, [finding]).landmarks[0]
        label_map = draw_spine(2, SPACING, []).scan.label_map
        canal = [LABELS[name] for name in ("canal", "cord", "cauda_equina")]
        voxel = landmark_voxel(label_map, LABELS["disc_L3-L4"], canal, pathology)
        assert voxel is not None
        point = (label_map.affine @ [*voxel, 1])[:3]
        assert np.linalg.norm((point - np.array(mark.point_mm))[1:]) < 3


def test_every_structure_is_labelled_and_shows_its_signal() -> None:
    scan = draw_spine(3, SPACING, [Finding("herniation", "L4-L5", 8.0)]).scan
    labels, image = scan.label_map.voxels, scan.channels[0].voxels
    assert set(np.unique(labels)) == set(LABELS.values())
    mean = {name: image[labels == number].mean() for name, number in LABELS.items()}
    assert mean["canal"] > 1.5 * mean["cord"] > mean["herniation"]
    assert mean["canal"] > 1.5 * mean["vertebra_L3"]


def test_cohorts_are_the_same_in_any_number_of_processes(tmp_path: Path) -> None:
    prevalence = {"herniation": 0.2, "stenosis": 0.2}
    files = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        write_spines(folder, 5, 1, (8.0, 2.5, 2.5), prevalence, workers=workers)
        files.append({p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.*")})
    assert files[0] == files[1]
    cohort = Cohort.open(tmp_path / "1")
    marks, faults = read_landmarks(cohort.folder, {case.name: case for case in cohort.cases})
    assert marks and not faults
    for case in cohort.cases:
        for mark in marks.get(case.name, []):
            measure = {"herniation": "herniation_mm", "stenosis": "canal_diameter_mm"}
            attribute = f"{measure[mark.pathology]}_{mark.level}"
            assert case_value(cohort, attribute, case) == pytest.approx(mark.size_mm, abs=0.01)


def test_small_protrusions_are_the_disc_and_no_finding() -> None:
    """Many people have them; they move the disc's edge, but are neither labelled nor marked."""
    seen = 0
    for seed in range(30):
        anatomy = draw_anatomy(np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0]))
        if max(anatomy.disc(level).protrusion for level in LEVELS) < 1.5:
            continue
        negative = draw_spine(seed, (4.4, 1.25, 1.25), [])
        assert negative.landmarks == ()
        assert not (negative.scan.label_map.voxels == LABELS["herniation"]).any()
        seen += 1
        if seen == 2:
            break
    assert seen == 2


@pytest.mark.parametrize(
    "wrong", [{"prevalence": {"gout": 0.1}}, {"prevalence": {"stenosis": 2.0}},
              {"spacing_mm": (4.0, 0.1, 0.1)}, {"findings": [[]]}],
)  # fmt: skip
def test_impossible_cohorts_are_refused(tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(InputError):
        write_spines(tmp_path / "x", 3, **wrong)
    assert not (tmp_path / "x").exists()
