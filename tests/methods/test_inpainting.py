"""Pathology inpainting: context to the last bit, labels with the image, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vesalius.methods.inpainting.balancing import missing_findings
from vesalius.methods.inpainting.editing import edit_map, edited
from vesalius.methods.inpainting.latent import LabelKinds, latent_of
from vesalius.methods.inpainting.method import Inpainting
from vesalius.methods.inpainting.methods import METHODS
from vesalius.methods.inpainting.noise_map import landmark_map
from vesalius.methods.inpainting.pipeline import InpaintingPipeline
from vesalius.methods.inpainting.recipe import PRESETS, InpaintingRecipe, MapRecipe
from vesalius.methods.inpainting.sampling import (
    EditRequest,
    FindingRequest,
    InpaintingSampler,
    edit_request,
)
from vesalius.methods.inpainting.sites.spine import SpineSites
from vesalius.phantoms.spine.findings import Finding
from vesalius.phantoms.spine.phantom import LABELS, draw_spine
from vesalius.sampling.cohort import GeneratedCohort, sample_cohort
from vesalius.scans.case import Case, LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.crop import cut
from vesalius.scans.description import Description
from vesalius.scans.input_error import InputError
from vesalius.scans.landmarks import Landmark, append_landmarks, read_landmarks
from vesalius.scans.volume import Volume
from vesalius.training.fit import fit, prepare
from vesalius.training.run import Run

SPACING = (8.0, 2.5, 2.5)
REQUEST = FindingRequest("herniation", "L3-L4", 8.0)


@pytest.fixture(scope="module")
def healthy() -> LabelledScan:
    return draw_spine(77, SPACING, []).scan


@pytest.fixture(scope="module")
def inpainter(inpainting_run: Run) -> InpaintingPipeline:
    return InpaintingPipeline(inpainting_run)


def as_stored(scan: LabelledScan, orientation: str, tilt: float = 0.0) -> LabelledScan:
    """The same scan in another axis order and tilt, as another scanner would store it."""
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    image, label_map = (
        Volume(v.voxels, turn @ v.affine).oriented(orientation)
        for v in (scan.channels[0], scan.label_map)
    )
    return LabelledScan((image,), label_map)


@pytest.mark.parametrize("method", METHODS)
def test_the_context_stays_to_the_last_bit(
    inpainting_run: Run, healthy: LabelledScan, method: str
) -> None:
    made = InpaintingPipeline(inpainting_run, method).edit(healthy, REQUEST, 0)  # type: ignore[arg-type]
    before, after = healthy.channels[0].voxels, made.scan.channels[0].voxels
    changed = np.argwhere(before != after)
    assert len(changed)
    start = np.round(made.crop.start).astype(int)
    inside = changed - start
    assert ((inside >= 0) & (inside < made.edit.blend.shape)).all()
    assert (made.edit.blend[tuple(inside.T)] > 0).all()
    labels = np.argwhere(healthy.label_map.voxels != made.scan.label_map.voxels) - start
    assert (made.edit.blend[tuple(labels.T)] > 0).all()
    assert np.array_equal(made.scan.channels[0].affine, healthy.channels[0].affine)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_makes_as_many_calls(
    inpainting_run: Run, healthy: LabelledScan, method: str
) -> None:
    made = InpaintingPipeline(inpainting_run, method, calls=8).edit(healthy, REQUEST, 0)  # type: ignore[arg-type]
    assert made.network_calls == 8


@pytest.mark.parametrize("orientation", ["LPS", "PIR"])
def test_any_axis_order_and_tilt_give_the_same_edit(
    inpainter: InpaintingPipeline, healthy: LabelledScan, orientation: str
) -> None:
    plain = inpainter.edit(healthy, REQUEST, 3).scan
    other = as_stored(healthy, orientation, tilt=0.2)
    made = inpainter.edit(other, REQUEST, 3).scan
    assert np.array_equal(made.channels[0].affine, other.channels[0].affine)
    back = made.channels[0].oriented("RAS").voxels
    assert np.array_equal(back, plain.channels[0].voxels)


def test_a_finer_scan_keeps_its_detail_where_nothing_was_drawn(
    inpainter: InpaintingPipeline,
) -> None:
    fine = draw_spine(78, (8.0, 2.0, 2.0), []).scan
    made = inpainter.edit(fine, REQUEST, 1)
    changed = made.scan.channels[0].voxels != fine.channels[0].voxels
    assert 0 < changed.mean() < 0.2
    point = inpainter.landmark(fine, REQUEST) * [8.0, 2.0, 2.0]
    far = np.argwhere(changed) * [8.0, 2.0, 2.0] - point
    assert np.abs(far).max() < 45


def test_the_truth_put_into_the_crop_comes_out_as_the_truth(inpainter: InpaintingPipeline) -> None:
    """Latent, blend and label editing on their own: with the true crop the scan is true."""
    positive = draw_spine(79, SPACING, [Finding("herniation", "L3-L4", 8.0)])
    negative = draw_spine(79, SPACING, []).scan
    print_ = inpainter.fingerprint
    place = inpainter.landmark(negative, REQUEST)
    crop, true = cut(negative, place, print_.grid), cut(positive.scan, place, print_.grid)
    kinds = LabelKinds(LABELS)
    blend = np.ones(print_.shape)
    made = edited(negative, crop, latent_of([true], print_, kinds), blend, print_, kinds)
    after = cut(made, place, print_.grid).scan
    assert np.abs(after.channels[0].voxels - true.scan.channels[0].voxels).max() <= 1
    shown = [
        kinds.of_position.numpy()[np.searchsorted(print_.label_numbers, scan.label_map.voxels)]
        for scan in (after, true.scan)
    ]
    assert (shown[0] == shown[1]).mean() > 0.98  # all but specks
    measured = inpainter.measured(made, "herniation", "L3-L4")
    assert measured == pytest.approx(positive.attributes["herniation_mm_L3-L4"], abs=1.5)


def test_the_disc_may_change_along_its_length_and_its_neighbours_may_not(
    inpainter: InpaintingPipeline, healthy: LabelledScan
) -> None:
    crop = inpainter.edit(healthy, REQUEST, 0)
    labels, spacing = crop.crop.scan.label_map.voxels, inpainter.fingerprint.spacing_mm
    assert (crop.edit.blend[labels == LABELS["disc_L3-L4"]] > 0).mean() > 0.95
    about = landmark_map(inpainter.recipe.noise_map, crop.crop, spacing, 0.5)
    without = edit_map(about, spacing, inpainter.recipe.noise_map.blend_mm)
    assert (without.blend[labels == LABELS["disc_L3-L4"]] > 0).mean() < 0.8
    for other in ("disc_L2-L3", "disc_L4-L5"):
        assert not (crop.edit.blend[labels == LABELS[other]] > 0).any()


def test_the_blend_is_as_wide_as_asked_for(
    inpainter: InpaintingPipeline, healthy: LabelledScan
) -> None:
    crop = cut(healthy, inpainter.landmark(healthy, REQUEST), inpainter.fingerprint.grid)
    spacing = inpainter.fingerprint.spacing_mm
    weight = landmark_map(MapRecipe(), crop, spacing, 0.5)
    narrow, wide = (edit_map(weight, spacing, mm).blend for mm in (1.0, 9.0))
    assert ((narrow > 0) == (wide > 0)).all()
    assert wide.sum() < narrow.sum()
    assert set(np.unique(narrow)) <= {0.0, 1.0}


def requests(parent: Case, size_mm: float = 8.0) -> list[EditRequest]:
    finding = FindingRequest("stenosis", "L2-L3", size_mm)
    return [edit_request(f"{parent.name}_{i}", parent, finding, 5 + i) for i in range(2)]


def edited_cohort(
    inpainter: InpaintingPipeline, healthy: LabelledScan, wanted: list[EditRequest], out: Path
) -> GeneratedCohort:
    sampler = InpaintingSampler(inpainter, {"donor": healthy}, inpainter.attribute_names, 99.0)
    return sample_cohort(sampler, wanted, out, tries=1)


def test_the_same_seed_gives_the_same_bytes_and_a_killed_folder_is_completed(
    inpainter: InpaintingPipeline, healthy: LabelledScan, tmp_path: Path
) -> None:
    parent = Case("donor", (Path("donor.nii.gz"),), None, "patient-1", split="val")
    for name, wanted in (("whole", requests(parent)), ("killed", requests(parent)[:1])):
        edited_cohort(inpainter, healthy, wanted, tmp_path / name)
    made = edited_cohort(inpainter, healthy, requests(parent), tmp_path / "killed")
    first, second = (
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.*")}
        for n in ("whole", "killed")
    )
    assert first == second
    case = made.cohort.cases[0]
    assert (case.subject, case.split, case.synthetic) == ("patient-1", "val", True)
    assert case.provenance()["parent"] == "donor"
    marks, _ = read_landmarks(tmp_path / "whole", {c.name: c for c in made.cohort.cases})
    assert marks[case.name][0].level == "L2-L3"
    head = made.cohort.read(case).channels[0]
    assert head.same_geometry(healthy.channels[0])


def test_requests_that_miss_are_listed_and_nothing_else_is_lost(
    inpainter: InpaintingPipeline, healthy: LabelledScan, tmp_path: Path
) -> None:
    parent = Case("donor", (Path("donor.nii.gz"),), None, "patient-1")
    bad = edit_request("bad", parent, FindingRequest("stenosis", "L9-L10", 8.0), 0)
    made = edited_cohort(inpainter, healthy, [bad, *requests(parent)], tmp_path / "out")
    assert len(made.cohort.cases) == 2
    assert "L9-L10" in made.faults[0].file


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (FindingRequest("gout", "L4-L5", 5.0), "no pathology"),
        (FindingRequest("herniation", "C1-C2", 8.0), "no level"),
        (FindingRequest("herniation", "L4-L5", 55.0), "outside the training range"),
        (FindingRequest("herniation", "L4-L5", 8.0, (0.0, 900.0, 0.0)), "does not hold the point"),
        (FindingRequest("herniation", "L4-L5", 8.0, (0.0, 0.0, 60.0)), "from the disc L4-L5"),
    ],
)
def test_impossible_findings_are_refused_with_the_reason(
    inpainter: InpaintingPipeline, healthy: LabelledScan, request_: FindingRequest, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        inpainter.require_possible(healthy, request_, "scan")


@pytest.mark.parametrize("pathology", ["herniation", "stenosis"])
def test_a_diseased_level_is_refused(inpainter: InpaintingPipeline, pathology: str) -> None:
    size = {"herniation": 8.0, "stenosis": 4.5}[pathology]
    positive = draw_spine(80, SPACING, [Finding(pathology, "L3-L4", size)]).scan
    with pytest.raises(InputError, match="already"):
        inpainter.require_possible(positive, REQUEST, "scan")


def test_other_scans_are_refused(inpainter: InpaintingPipeline, healthy: LabelledScan) -> None:
    coarse = draw_spine(77, (8.0, 5.0, 5.0), []).scan
    with pytest.raises(InputError, match="voxels of"):
        inpainter.require_possible(coarse, REQUEST, "scan")
    loud = LabelledScan(
        (Volume(100 * healthy.channels[0].voxels, healthy.channels[0].affine),), healthy.label_map
    )
    with pytest.raises(InputError, match="reaches from"):
        inpainter.require_possible(loud, REQUEST, "scan")


def test_balancing_fills_every_cell_from_healthy_levels(
    spines: Cohort, inpainter: InpaintingPipeline
) -> None:
    marks, _ = read_landmarks(spines.folder, {case.name: case for case in spines.cases})
    wanted = missing_findings(spines, marks, inpainter, None, 0)
    counts: dict[tuple[str, str], int] = {}
    for own in marks.values():
        for mark in own:
            counts[mark.pathology, mark.level] = counts.get((mark.pathology, mark.level), 0) + 1
    fullest = max(counts.values())
    for order in wanted:
        cell = (order.finding.pathology, order.finding.level)
        counts[cell] = counts.get(cell, 0) + 1
        positive = {m.level for m in marks.get(order.parent, [])}
        assert order.finding.level not in positive
        assert list(order.known) == marks.get(order.parent, [])
    assert len({order.name for order in wanted}) == len(wanted)
    assert set(counts.values()) == {fullest} and len(counts) == 10
    few = missing_findings(spines, marks, inpainter, 4, 0)
    assert len(few) == 4
    assert len(missing_findings(spines, marks, inpainter, 30, 0)) == 30


def test_another_request_does_not_reuse_a_folder(
    inpainter: InpaintingPipeline, healthy: LabelledScan, tmp_path: Path
) -> None:
    parent = Case("donor", (Path("donor.nii.gz"),), None, "patient-1")
    edited_cohort(inpainter, healthy, requests(parent), tmp_path)
    with pytest.raises(InputError, match="of another request"):
        edited_cohort(inpainter, healthy, requests(parent, 7.0), tmp_path)


def test_wrong_landmarks_are_listed_and_their_levels_are_not_taken_for_healthy() -> None:
    phantom = draw_spine(81, SPACING, [Finding("herniation", "L3-L4", 8.0)])
    sound = phantom.landmarks[0]
    marks = [sound, replace(sound, level="L4/5"), replace(sound, point_mm=(900.0, 0.0, 0.0)),
             replace(sound, pathology="gout"), replace(sound, level="L1-L2")]  # fmt: skip
    kept, faults = SpineSites(PRESETS["smallest"], LABELS).marks(phantom.scan, "case", marks)
    assert [mark.level for mark in kept] == ["L3-L4"]
    assert [fault.fault.split()[1] for fault in faults] == ["no", "outside", "a", "0"]


def test_a_cohort_without_what_is_needed_is_refused(spines: Cohort, tmp_path: Path) -> None:
    recipe = PRESETS["smallest"]
    writer = CohortWriter(tmp_path / "bare", Description(("T2",), {"background": 0, "canal": 1}))
    scan = LabelledScan((Volume(np.random.rand(4, 4, 4), np.eye(4)),),
                        Volume(np.ones((4, 4, 4), np.uint8), np.eye(4)))  # fmt: skip
    writer.add("a", scan, "a", {})
    with pytest.raises(InputError, match="disc_<level>"):
        prepare(Inpainting(), writer.finish(), recipe)
    few = recipe.changed(fewest=999)
    with pytest.raises(InputError, match="too few findings"):
        prepare(Inpainting(), spines, few)
    odd = recipe.changed(crop_mm=(32.0, 20.0, 40.0))
    with pytest.raises(InputError, match="no context"):
        prepare(Inpainting(), spines, odd)


def test_wrong_rows_of_landmarks_are_listed(tmp_path: Path) -> None:
    mark = Landmark("herniation", "L4-L5", (0.0, 0.0, 0.0), 5.0)
    append_landmarks(tmp_path, "a", [mark])
    append_landmarks(tmp_path, "nobody", [mark])
    with (tmp_path / "landmarks.csv").open("a") as stream:
        stream.write("a,stenosis,L4-L5,here,0,0,5\n")
    found, faults = read_landmarks(tmp_path, {"a": None})
    assert len(found["a"]) == 1 and len(faults) == 2
    (tmp_path / "landmarks.csv").write_text("case,level\n")
    with pytest.raises(InputError, match="has no column named pathology"):
        read_landmarks(tmp_path, {"a": None})


def test_an_interrupted_fit_goes_on_with_the_next_network(
    spines: Cohort, inpainting_run: Run, tmp_path: Path
) -> None:
    recipe = inpainting_run.recipe
    assert isinstance(recipe, InpaintingRecipe)
    again = fit(prepare(Inpainting(), spines, recipe), tmp_path / "run")
    for name in recipe.networks:
        part = f"{name}_denoiser.safetensors"
        assert (again.folder / part).read_bytes() == (inpainting_run.folder / part).read_bytes()
    assert not (again.folder / "trunk.safetensors").exists()
    assert json.loads((again.folder / "pathologies.json").read_text())["levels"][0] == "L1-L2"


def test_networks_with_context_begin_as_the_trunk(inpainting_run: Run) -> None:
    from vesalius.methods.inpainting.conditioning import CONDITIONING_MAPS
    from vesalius.methods.inpainting.model import InpaintingModel

    model = InpaintingModel.load(inpainting_run)
    torch.manual_seed(0)
    trunk, concat = model.build("ordinary"), model.build("concat")
    concat.begin_as(trunk)
    channels, *grid = model.latent_shape
    x, level = torch.randn(1, channels, *grid), torch.rand(1, 1, *grid)
    condition = torch.rand(1, model.training_range.condition_length)
    conditioning = torch.rand(1, CONDITIONING_MAPS * len(model.training_range.pathologies), *grid)
    with torch.no_grad():
        plain = trunk(x, level, level, condition, conditioning)
        beside = concat(x, level, level, condition, conditioning, torch.randn_like(x))
    assert torch.allclose(plain, beside, atol=1e-6)
