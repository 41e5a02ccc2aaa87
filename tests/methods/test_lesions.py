"""Lesions of any organ: set into a host, measured, and not one bit changed outside the map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vesalius as vs
from vesalius.anatomy.lesions import ball_ml, find_lesions
from vesalius.api.inpainting import _new_point
from vesalius.cli import main
from vesalius.methods.inpainting.balancing import missing_findings
from vesalius.methods.inpainting.method import Inpainting
from vesalius.methods.inpainting.pipeline import InpaintingPipeline
from vesalius.methods.inpainting.recipe import PRESETS
from vesalius.methods.inpainting.sampling import FindingRequest, InpaintingSampler, edit_request
from vesalius.methods.inpainting.sites import sites_of
from vesalius.methods.inpainting.sites.lesions import MarkedLesion
from vesalius.scans.case import Case, LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.description import Description
from vesalius.scans.input_error import InputError
from vesalius.scans.landmarks import read_landmarks
from vesalius.scans.volume import Volume
from vesalius.training.fit import fit, prepare
from vesalius.training.run import Run

LABELS = {"background": 0, "liver": 1, "spleen": 2, "core": 3, "rim": 4}
AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])
SHAPE = (32, 36, 28)
LIVER, SPLEEN = (12.0, 18.0, 14.0), (25.0, 18.0, 14.0)


def abdomen(seed: int, lesions: int = 1, radius: float | None = None) -> LabelledScan:
    """Two organs in air, and lesions in the larger one: a core with a rim."""
    rng = np.random.default_rng(seed)
    at = np.stack(np.indices(SHAPE), axis=-1)
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[np.linalg.norm((at - LIVER) / [1, 1.3, 1], axis=-1) < 10.5] = 1
    labels[np.linalg.norm(at - SPLEEN, axis=-1) < 5] = 2
    for index in range(lesions):
        size = radius or float(rng.uniform(2.0, 3.5))
        middle = np.add(LIVER, (0, 7.0 if index else -4.0, 0)) + rng.uniform(-1, 1, 3)
        far = np.linalg.norm(at - middle, axis=-1)
        labels[far < size] = 4
        labels[far < 0.6 * size] = 3
    means = np.array([-900, 60, 120, 10, 160])
    image = np.round(means[labels] + 8 * rng.standard_normal(SHAPE)).astype(np.int16)
    return LabelledScan((Volume(image, AFFINE),), Volume(labels, AFFINE))


@pytest.fixture(scope="module")
def livers(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("livers") / "cohort"
    writer = CohortWriter(folder, Description(("CT",), LABELS))
    for seed in range(9):
        scan = abdomen(seed, lesions=seed % 3)
        writer.add(f"case_{seed}", scan, f"patient-{seed}", {}, dtype=np.int16)
    writer.finish()
    return Cohort.open(folder)


@pytest.fixture(scope="module")
def run(livers: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Run:
    recipe = Inpainting().recipe(preset="smallest", lesion=["tumour=core+rim"])
    prepared = prepare(Inpainting(), livers, recipe)
    return fit(prepared, tmp_path_factory.mktemp("lesions") / "run")


@pytest.fixture(scope="module")
def model(run: Run) -> InpaintingPipeline:
    return InpaintingPipeline(run)


def test_what_a_cohort_shows_is_learnt_from_its_label_maps(model: InpaintingPipeline) -> None:
    known = model.training_range.pathology("tumour")
    marks = [
        lesion
        for seed in range(9)
        for lesion in find_lesions(abdomen(seed, seed % 3).label_map, [3, 4], [1, 2])
    ]
    assert known.counts == {"liver": len(marks)} and len(marks) == 9
    assert model.training_range.levels == ("liver",)
    assert (known.low, known.high) == pytest.approx(
        (min(m.diameter_mm for m in marks), max(m.diameter_mm for m in marks))
    )
    assert known.room > 1
    assert min(n * s for n, s in zip(model.fingerprint.shape, (3, 3, 3), strict=True)) > known.high


def test_a_lesion_lies_inside_its_host_and_the_rest_stays_to_the_last_bit(
    model: InpaintingPipeline,
) -> None:
    before = abdomen(40, lesions=0)
    for seed in range(4):
        request = model.placed(before, FindingRequest("tumour", "liver", 15.0), seed)
        model.require_possible(before, request, "scan")
        made = model.edit(before, request, seed)
        voxel = np.array(request.point_mm) / 3
        far = np.linalg.norm((np.stack(np.indices(SHAPE), -1) - voxel) * 3.0, axis=-1)
        changed = before.channels[0].voxels != made.scan.channels[0].voxels
        assert changed.any()
        assert far[changed].max() <= 7.5 + model.recipe.margin_mm
        moved = before.label_map.voxels != made.scan.label_map.voxels
        assert not moved.any() or far[moved].max() <= 7.5 + model.recipe.margin_mm
        inside = before.label_map.voxels[far <= 7.5]
        assert (inside == 1).all()


def test_places_differ_by_seed_and_keep_away_from_lesions_that_are_there(
    model: InpaintingPipeline,
) -> None:
    scan = abdomen(41, lesions=1, radius=2.5)
    wanted = FindingRequest("tumour", "liver", 14.0)
    points = [model.placed(scan, wanted, seed).point_mm for seed in range(12)]
    assert len(set(points)) > 6
    assert points[0] == model.placed(scan, wanted, 0).point_mm
    there = np.argwhere(scan.label_map.voxels >= 3) * 3.0
    for point in points:
        assert np.linalg.norm(there - point, axis=1).min() >= 7.0 + model.recipe.margin_mm


def test_the_size_is_that_of_the_part_that_is_new(model: InpaintingPipeline) -> None:
    before, after = abdomen(42, lesions=1, radius=3.0), abdomen(42, lesions=2, radius=3.0)
    old = find_lesions(before.label_map, [3, 4], [1])
    assert len(old) == 1
    both = find_lesions(after.label_map, [3, 4], [1])
    new = sum(ball_ml(lesion.diameter_mm) for lesion in both) - ball_ml(old[0].diameter_mm)
    measured = model.measured(after, "tumour", "liver", before)
    assert ball_ml(measured) == pytest.approx(new, rel=1e-6)
    assert model.measured(before, "tumour", "liver", before) == 0
    assert model.sites.whole(after, "tumour", before)


def test_two_lesions_in_place_of_one_are_a_miss(model: InpaintingPipeline) -> None:
    nothing, both = abdomen(42, lesions=0), abdomen(42, lesions=2, radius=3.0)
    sizes = [lesion.diameter_mm for lesion in find_lesions(both.label_map, [3, 4], [1])]
    assert model.measured(both, "tumour", "liver", nothing) == pytest.approx(max(sizes))
    assert not model.sites.whole(both, "tumour", nothing)
    assert not model.sites.whole(nothing, "tumour", nothing)


def test_each_kind_of_lesion_has_hosts_and_room_of_its_own() -> None:
    """400 nodules deep in the lung, 100 metastases at the liver's border, 20 cysts in a kidney."""
    labels = {"background": 0, "lung": 1, "liver": 2, "kidney": 3, "nodule": 4, "met": 5, "cyst": 6}
    recipe = Inpainting().recipe(lesion=["nodule", "met", "cyst"])
    kinds = (("nodule", "lung", 400, 1.4), ("met", "liver", 100, 0.5), ("cyst", "kidney", 20, 0.9))
    marks = [
        MarkedLesion(name, host, (0.0, 0.0, 0.0), 8.0 + index % 5, room)
        for name, host, count, room in kinds for index in range(count)
    ]  # fmt: skip
    known = sites_of(recipe, labels).training_range(marks)
    assert {p.name: (p.counts, p.room) for p in known.pathologies} == {
        name: ({host: count}, pytest.approx(room)) for name, host, count, room in kinds
    }
    assert known.levels_of("met") == ("liver",)
    sites = sites_of(recipe, labels)
    voxels = np.ones((40, 40, 40), dtype=np.uint8)
    voxels[20:] = 2
    both = Volume(voxels, np.eye(4))
    scan = LabelledScan((both,), both)
    asked = FindingRequest("met", "", 9.0)
    assert sites.site_of(scan, asked, known.pathology("met"), known) == "liver"


def test_a_point_without_room_is_refused(model: InpaintingPipeline) -> None:
    scan = abdomen(47, lesions=1, radius=3.0)
    beside = find_lesions(scan.label_map, [3, 4], [1])[0].centre * 3.0 + [0.0, 15.0, 0.0]
    point = tuple(float(x) for x in beside)
    with pytest.raises(InputError, match="has no room for"):
        model.require_possible(scan, FindingRequest("tumour", "liver", 15.0, point), "scan")


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (FindingRequest("tumour", "liver", 15.0, (75.0, 54.0, 42.0)), "lies in spleen and not in"),
        (FindingRequest("tumour", "liver", 15.0, (900.0, 0.0, 0.0)), "does not hold the point"),
        (FindingRequest("tumour", "spleen", 15.0), "choose|ask for liver"),
        (FindingRequest("tumour", "liver", 60.0), "outside the training range"),
        (FindingRequest("cyst", "liver", 15.0), "is no pathology of this run"),
    ],
)
def test_what_cannot_be_is_refused(
    model: InpaintingPipeline, request_: FindingRequest, says: str
) -> None:
    scan = abdomen(43, lesions=0)
    with pytest.raises(InputError, match=says):
        model.require_possible(scan, model.placed(scan, request_, 0), "scan")


def test_an_organ_without_room_is_told(model: InpaintingPipeline) -> None:
    scan = abdomen(44, lesions=0)
    small = np.where(scan.label_map.voxels == 1, 0, scan.label_map.voxels)
    small[10:13, 16:19, 12:15] = 1
    tight = LabelledScan(scan.channels, Volume(small, AFFINE))
    with pytest.raises(InputError, match=r"has no room for 15\.0 mm"):
        model.placed(tight, FindingRequest("tumour", "liver", 15.0), 0)


@pytest.mark.parametrize(
    ("lesion", "host", "says"),
    [
        (["metastasis"], None, "--lesion: names metastasis, which is no label"),
        (["core"], ["kidney"], "--host: names kidney"),
        (["background"], None, "--lesion: names background"),
        (["t=core", "t=rim"], None, "names nothing new"),
        (["core", "t=core+rim"], None, "counts core twice"),
        (["core"], ["liver", "core"], "core is a lesion's label"),
    ],
)
def test_labels_that_are_not_there_are_refused(
    lesion: list[str], host: list[str] | None, says: str
) -> None:
    recipe = Inpainting().recipe(preset="smallest", lesion=lesion, host=host)
    with pytest.raises(InputError, match=says):
        sites_of(recipe, LABELS)


def test_hosts_without_lesions_make_no_sense() -> None:
    with pytest.raises(InputError, match="--host: is for lesions"):
        Inpainting().recipe(host=["liver"])


def test_a_lesion_in_no_organ_is_listed() -> None:
    scan = abdomen(45, lesions=0)
    scan.label_map.voxels[26:29, 30:33, 3:6] = 3
    recipe = Inpainting().recipe(preset="smallest", lesion=["core"], host=["liver"])
    kept, faults = sites_of(recipe, LABELS).marks(scan, "case", ())
    assert kept == [] and "lies in no host" in str(faults[0])


def test_runs_of_the_spine_keep_their_name() -> None:
    """Settings of lesions came later and change no hash where they are not used."""
    recipe = PRESETS["demo"]
    assert recipe.digest == recipe.changed(margin_mm=6.0).digest
    assert recipe.digest != recipe.changed(lesions=("core",)).digest


def test_balancing_asks_for_sizes_that_each_donor_has_room_for(
    livers: Cohort, model: InpaintingPipeline
) -> None:
    wanted = missing_findings(livers, {}, model, 6, 0)
    assert len(wanted) == 6
    assert not missing_findings(livers, {}, model, None, 0)  # one host: no other is fuller
    scans = {case.name: livers.read(case) for case in livers.cases}
    for one in wanted:
        model.placed(scans[one.donor.name], one.finding, one.seed)


def test_a_miss_is_generated_again_and_what_is_there_already_does_not_count(
    model: InpaintingPipeline,
) -> None:
    scan = abdomen(46, lesions=1, radius=3.0)
    donor = Case("donor", (), None, "patient")
    asked = edit_request("edit", donor, FindingRequest("tumour", "liver", 14.0), 3)
    sampler = InpaintingSampler(model, {"donor": scan}, model.attribute_names, 1.0)
    candidates = sampler.candidates(asked)
    first, second = next(candidates), next(candidates)
    for one in (first, second):
        (size,) = one.measured.values()
        assert one.met == (abs(size - 14.0) <= 1.0)
        assert size < 30.0  # the lesion that was there has 18 mm


def test_the_front_door_sets_lesions_of_some_millilitres(
    run: Run, livers: Cohort, tmp_path: Path
) -> None:
    scan = livers.folder / "imagesTr" / "case_0_0000.nii.gz"
    made = vs.inpaint(
        run, scan, "tumour", out=tmp_path / "edits", size_ml=ball_ml(14.0), count=2,
        tolerance_mm=99.0,
    )  # fmt: skip
    cases = made.cohort.cases
    marks, faults = read_landmarks(tmp_path / "edits", {case.name: case for case in cases})
    points = [marks[case.name][-1].point_mm for case in cases]
    assert not faults and len(set(points)) == 2
    assert all(len(marks[case.name]) == 1 for case in cases)  # the donor had none
    assert all(marks[case.name][-1].level == "liver" for case in cases)
    provenance = cases[0].provenance()
    assert provenance["request"]["size_mm"] == pytest.approx(14.0)
    assert "tumour_diameter_mm" in provenance["measured"]
    assert set(cases[0].attributes) == {"tumour_volume_ml"}
    assert (tmp_path / "edits" / "before_after.png").exists()
    opened = Cohort.open(tmp_path / "edits")
    assert opened.description.attributes[0].labels == ("core", "rim")


def test_the_command_line_goes_the_same_way(
    livers: Cohort, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([
        "fit", "inpainting", str(livers.folder), "--out", str(tmp_path / "run"),
        "--preset", "smallest", "--lesion", "tumour=core+rim", "--host", "liver",
        "--margin-mm", "5",
    ])  # fmt: skip
    assert vs.load(tmp_path / "run").recipe.hosts == ("liver",)
    scan = livers.folder / "imagesTr" / "case_0_0000.nii.gz"
    main([
        "inpaint", str(tmp_path / "run"), str(scan), "--out", str(tmp_path / "edits"),
        "--pathology", "tumour", "--host", "liver", "--size-ml", "1.2", "-n", "1",
        "--tolerance", "99",
    ])  # fmt: skip
    assert len(Cohort.open(tmp_path / "edits").cases) == 1
    with pytest.raises(SystemExit):
        main([
            "inpaint", str(run.folder), str(scan), "--out", str(tmp_path / "none"),
            "--pathology", "tumour", "--size-ml", "1.2", "--size-mm", "9",
        ])  # fmt: skip
    assert "were both given" in capsys.readouterr().err


def test_lesions_that_a_donor_has_stay_among_its_landmarks(
    run: Run, livers: Cohort, tmp_path: Path
) -> None:
    scan = livers.folder / "imagesTr" / "case_1_0000.nii.gz"
    made = vs.inpaint(
        run, scan, "tumour", out=tmp_path / "edits", size_mm=13.0, count=1, tolerance_mm=99.0
    )
    marks, _ = read_landmarks(tmp_path / "edits", {c.name: c for c in made.cohort.cases})
    (both,) = marks.values()
    (before,) = find_lesions(abdomen(1, 1).label_map, [3, 4], [1])
    there = [mark for mark in both if mark.size_mm == pytest.approx(before.diameter_mm, rel=1e-3)]
    (new,) = [mark for mark in both if mark not in there]
    assert len(there) == 1
    assert np.linalg.norm(np.subtract(there[0].point_mm, new.point_mm)) > 6.5
    assert _new_point(both, there) == new.point_mm
