"""Guided synthesis from cohort to cohort, at the smallest size."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import blobs
from vesalius.api.generating import generate
from vesalius.methods.guided.appearance import appearance_of
from vesalius.methods.guided.bias_field import bias_field, measured_field
from vesalius.methods.guided.image_denoiser import BlockDenoiser
from vesalius.methods.guided.method import Guided
from vesalius.methods.guided.pipeline import GuidedPipeline
from vesalius.methods.guided.recipe import PRESETS, GuidedRecipe
from vesalius.methods.guided.sampling import GuidedSampler
from vesalius.networks.image_autoencoder import ImageAutoencoder
from vesalius.networks.spade import one_hot
from vesalius.sampling.rejection import case_requests, first_draws
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.input_error import InputError
from vesalius.scans.volume import Volume
from vesalius.training.fit import fit, prepare
from vesalius.training.method import Reading
from vesalius.training.requests import even_requests
from vesalius.training.run import Run

REQUESTED = {"ventricle_volume_ml": (20.0, 35.0)}


def test_what_is_kept_was_measured_and_lies_within_tolerance(
    small_run: Run, tmp_path: Path
) -> None:
    made = generate(small_run, even_requests(REQUESTED, 4, 0), out=tmp_path / "out", tries=30)
    for case in made.cohort.cases:
        reported = case.provenance()
        labels = made.cohort.description.labels
        voxels = made.cohort.read(case).label_map.voxels
        counted = 1e-3 * 8.0**3 * (voxels == labels["lateral_ventricles"]).sum()
        requested = reported["request"]["ventricle_volume_ml"]
        assert abs(counted - requested) <= 0.1 * requested
        assert reported["measured"]["ventricle_volume_ml"] == pytest.approx(counted)
        assert (
            reported["run"] == small_run.name and reported["tries"] >= 1 and reported["synthetic"]
        )
        assert case.split == "train"
    kept = sum(draw.accepted for draw in made.draws)
    assert kept == len(made.cohort.cases) == 4 - len(made.faults)


def test_a_case_does_not_depend_on_what_else_is_drawn(small_run: Run, tmp_path: Path) -> None:
    requests = even_requests(REQUESTED, 4, 0)
    whole = generate(small_run, requests, out=tmp_path / "whole", tries=30).cohort
    generate(small_run, requests[:2], out=tmp_path / "part", tries=30)
    resumed = generate(small_run, requests, out=tmp_path / "part", tries=30).cohort
    assert len(whole.cases) == len(resumed.cases) > 1
    for a, b in zip(whole.cases, resumed.cases, strict=True):
        assert a.images[0].read_bytes() == b.images[0].read_bytes()


def test_requests_outside_what_the_run_has_seen_are_refused(small_run: Run, tmp_path: Path) -> None:
    far = [{"ventricle_volume_ml": 500.0}]
    with pytest.raises(InputError, match="outside the training range"):
        generate(small_run, far, out=tmp_path / "out")
    with pytest.raises(InputError, match="is no attribute of this run"):
        generate(small_run, [{"canal_diameter_mm": 9.0}], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_cohort_of_another_kind_is_refused(small_run: Run, tmp_path: Path) -> None:
    other = blobs(tmp_path / "other", 3)
    with pytest.raises(InputError, match="other labels"):
        small_run.fingerprint.require_match(other, other.read(other.cases[0]), "abdomen_00")


def test_another_intensity_range_is_refused(small_run: Run, brains: Cohort) -> None:
    from dataclasses import replace

    scan = brains.read(brains.cases[0])
    image = scan.channels[0]
    dark = replace(scan, channels=(type(image)(image.voxels / 50, image.affine),))
    small_run.fingerprint.require_match(brains, scan, "sound")
    with pytest.raises(InputError, match="reaches from"):
        small_run.fingerprint.require_match(brains, dark, "dark")


def test_a_run_needs_nothing_but_its_folder_and_holds_no_pickle(small_run: Run) -> None:
    again = Run.open(small_run.folder, GuidedRecipe)
    assert again.name == small_run.name
    endings = {path.suffix for path in small_run.folder.rglob("*") if path.is_file()}
    assert endings <= {".json", ".safetensors", ".csv", ".md"}
    assert not small_run.state.exists()


def test_another_recipe_is_not_written_over_a_run(small_run: Run, brains: Cohort) -> None:
    other = PRESETS["smallest"].changed(seed=5)
    with pytest.raises(InputError, match="another recipe or from another cohort"):
        fit(prepare(Guided(), brains, other), small_run.folder)


def test_damaged_weights_are_refused(small_run: Run, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(small_run.folder, tmp_path / "run")
    (tmp_path / "run/image_denoiser.safetensors").write_bytes(b"\x08broken")
    with pytest.raises(InputError, match="is a damaged safetensors file"):
        generate(tmp_path / "run", even_requests(REQUESTED, 1, 0), out=tmp_path / "o")


def fitted_to_blobs(
    folder: Path, kind: str, orientation: str, tilt: float, images: str = "auto"
) -> tuple[Cohort, Run]:
    """Somebody else's cohort, and a run of the smallest preset on it."""
    cohort = blobs(folder / "theirs", 16, orientation, tilt)
    recipe = PRESETS["smallest"].changed(
        attributes=("tumour_volume_ml",), label_autoencoder=kind, image_autoencoder=images
    )
    faults: list = []
    run = fit(prepare(Guided(), cohort, recipe, Reading(faults=faults)), folder / "run")
    assert not faults
    return cohort, run


def test_a_deformation_space_is_chosen_only_where_one_case_shows_the_others(
    brains: Cohort, tmp_path: Path
) -> None:
    auto = PRESETS["smallest"].changed(label_autoencoder="auto")
    whole = prepare(Guided(), brains, auto)
    assert whole.data.recipe.label_autoencoder == "deformation"
    assert any("one case, warped, shows" in line for line in whole.data.decisions)

    labels = {**brains.description.labels, "lesion": 1 + max(brains.description.labels.values())}
    writer = CohortWriter(tmp_path / "lesions", replace(brains.description, labels=labels))
    rng = np.random.default_rng(0)
    for case in brains.cases:
        scan = brains.read(case)
        voxels = scan.label_map.voxels.copy()
        x, y, z = rng.choice(np.argwhere(voxels == labels["white_matter"]))
        voxels[x - 1 : x + 2, y - 1 : y + 2, z - 1 : z + 2] = labels["lesion"]
        changed = LabelledScan(scan.channels, Volume(voxels, scan.label_map.affine))
        writer.add(case.name, changed, case.subject, case.attributes)
    ready = prepare(Guided(), writer.finish(), auto)
    assert ready.data.recipe.label_autoencoder == "shape_space"
    assert any("shows lesion of others at Dice 0." in line for line in ready.data.decisions)


def test_convolutional_autoencoders_run_from_cohort_to_image(tmp_path: Path) -> None:
    cohort, run = fitted_to_blobs(tmp_path, "vae", "RAS", 0.0, "vae")
    pipeline = GuidedPipeline(run)
    draw = first_draws(GuidedSampler(pipeline), case_requests(run, [{"tumour_volume_ml": 2.0}], 0))[
        0
    ]
    assert np.isfinite(draw.measured["tumour_volume_ml"])
    real = run.fingerprint.grid.place(cohort.read(cohort.cases[0]))
    made = pipeline.image(real.label_map, 0).channels[0]
    assert made.same_geometry(real.label_map) and made.voxels.std() > 0


def test_a_deformed_template_is_moved_until_it_measures_what_was_requested(
    brains: Cohort, tmp_path: Path
) -> None:
    recipe = PRESETS["smallest"].changed(label_autoencoder="deformation")
    run = fit(prepare(Guided(), brains, recipe), tmp_path / "run")
    requests = case_requests(run, even_requests(REQUESTED, 6, 0), 0)
    draws = first_draws(GuidedSampler(GuidedPipeline(run)), requests)
    off = [
        abs(draw.measured["ventricle_volume_ml"] / draw.requested["ventricle_volume_ml"] - 1)
        for draw in draws
    ]
    assert np.median(off) < 0.05


def test_an_image_of_blocks_has_the_contrast_and_the_noise_of_its_appearance(
    small_run: Run, brains: Cohort
) -> None:
    pipeline = GuidedPipeline(small_run)
    denoiser = pipeline.model.image_denoiser
    assert isinstance(denoiser, BlockDenoiser)
    placed = [small_run.fingerprint.grid.place(brains.read(case)) for case in brains.cases[:4]]
    known = [
        appearance_of(small_run.fingerprint.scaled(one.channels[0].voxels[None]),
                      np.searchsorted(small_run.fingerprint.label_numbers, one.label_map.voxels),
                      len(small_run.fingerprint.labels)).ravel()
        for one in placed
    ]  # fmt: skip
    standard = denoiser.appearance.standardised(torch.from_numpy(np.stack(known)).float())
    assert standard.abs().max() < 5 and standard.std(dim=0).max() > 0.3
    image = placed[0].channels[0].voxels[None, None]
    blocks = pipeline.model.image_autoencoder
    scaled = torch.from_numpy(small_run.fingerprint.scaled(image[0])[None])
    back = blocks.decode(denoiser.unscaled(denoiser.scaled(blocks.encode(scaled))))
    assert torch.allclose(back, scaled.float(), atol=1e-3)
    assert denoiser.scaled(blocks.encode(scaled)).square().mean().sqrt() < 3


def test_a_new_scan_has_a_bias_field_like_those_of_the_training_cases(
    small_run: Run, brains: Cohort
) -> None:
    pipeline = GuidedPipeline(small_run)
    denoiser, degree = pipeline.model.image_denoiser, small_run.recipe.bias_degree
    assert isinstance(denoiser, BlockDenoiser) and denoiser.bias is not None
    measured = []
    for case in brains.cases:
        scan = small_run.fingerprint.grid.place(brains.read(case))
        image = small_run.fingerprint.scaled(scan.channels[0].voxels[None])
        numbers = np.searchsorted(small_run.fingerprint.label_numbers, scan.label_map.voxels)
        measured.append(measured_field(image, numbers, degree).ravel())
    own = [denoiser.sampled_field(torch.Generator().manual_seed(n)) for n in range(60)]
    fields = torch.cat([one for one in own if one is not None])
    spread = fields[:, 0].std(dim=0).numpy() / np.std(measured, axis=0)
    assert 0.5 < np.median(spread) < 2
    even = bias_field(torch.from_numpy(np.stack(measured)[:1, None]), (8, 8, 8), degree)
    assert even.std() > 0.01


def test_the_chain_runs_on_a_cohort_that_is_not_ours(tmp_path: Path) -> None:
    cohort, run = fitted_to_blobs(tmp_path, "shape_space", "LPS", 15.0)
    seen = run.fingerprint.attribute("tumour_volume_ml")
    ranges = {"tumour_volume_ml": (seen.low + 1, seen.high)}
    found = generate(run, ranges, count=3, out=tmp_path / "made", tolerance=0.5, tries=40)
    made = found.cohort
    assert made.description.labels == {"background": 0, "organ": 3, "tumour": 7}
    real = cohort.read(cohort.cases[0])
    for case in made.cases:
        scan = made.read(case)
        assert scan.label_map.orientation == real.label_map.orientation
        assert np.allclose(scan.label_map.spacing_mm, real.label_map.spacing_mm)
        directions = [v.affine[:3, :3] / np.linalg.norm(v.affine[:3, :3], axis=0)
                      for v in (scan.label_map, real.label_map)]  # fmt: skip
        assert np.allclose(*directions, atol=1e-3)
        assert scan.channels[0].voxels.min() >= -1100


def test_too_few_cases_and_attributes_that_do_not_vary_are_refused(
    tmp_path: Path, brains: Cohort
) -> None:
    few = blobs(tmp_path / "few", 4)
    recipe = PRESETS["smallest"].changed(attributes=("organ_volume_ml",))
    with pytest.raises(InputError, match="has 4 sound training cases"):
        prepare(Guided(), few, recipe)
    with pytest.raises(InputError, match="is no attribute of labels"):
        prepare(Guided(), brains, recipe)


def test_the_held_out_cases_are_written_down(small_run: Run, brains: Cohort) -> None:
    split = json.loads((small_run.folder / "split.json").read_text())
    assert len(split["held_out"]) == 2
    assert not set(split["fitted"]) & set(split["held_out"])
    assert len(split["fitted"]) + len(split["held_out"]) == len(brains.cases)


def test_several_attributes_steer_at_once(tmp_path: Path) -> None:
    cohort = blobs(tmp_path / "theirs", 16)
    names = ("tumour_volume_ml", "organ_volume_ml")
    recipe = PRESETS["smallest"].changed(attributes=names)
    run = fit(prepare(Guided(), cohort, recipe), tmp_path / "run")
    ranges = {
        n: (run.fingerprint.attribute(n).low, run.fingerprint.attribute(n).high) for n in names
    }
    made = generate(
        run, even_requests(ranges, 3, 0), out=tmp_path / "made", tolerance=0.8, tries=30
    )
    for case in made.cohort.cases:
        assert set(case.provenance()["measured"]) == set(names)


def test_two_processes_share_a_fit_and_a_generation(
    brains: Cohort, small_run: Run, tmp_path: Path
) -> None:
    import os
    import subprocess
    import sys

    def shared(*arguments: str) -> None:
        command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
                   "--master-port", "29571", "-m", "vesalius", *arguments, "--debug"]  # fmt: skip
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr[-3000:]

    shared(
        "fit", "guided", str(brains.folder), "--out", str(tmp_path / "run"), "--preset", "smallest"
    )
    assert Run.open(tmp_path / "run", GuidedRecipe).has("image_denoiser")
    attribute = "ventricle_volume_ml=20:35"
    shared("generate", str(small_run.folder), "--out", str(tmp_path / "shared"), "-n", "4",
           "--attribute", attribute, "--tries", "30")  # fmt: skip
    alone = generate(
        small_run, even_requests(REQUESTED, 4, 0), out=tmp_path / "alone", tries=30
    ).cohort
    together = Cohort.open(tmp_path / "shared")
    assert [c.name for c in together.cases] == [c.name for c in alone.cases]
    for a, b in zip(alone.cases, together.cases, strict=True):
        assert a.images[0].read_bytes() == b.images[0].read_bytes()


def test_the_seed_of_a_fit_fixes_the_initial_weights(brains: Cohort, tmp_path: Path) -> None:
    import torch

    base = PRESETS["smallest"]
    untrained = {
        name: getattr(base, name).changed(steps=0)
        for name in type(base).model_fields
        if name.startswith("fit_")
    }
    found = []
    for number, seed in enumerate((3, 3, 4)):
        torch.manual_seed(100 + number)  # what happened before must not matter
        torch.rand(number)
        prepared = prepare(Guided(), brains, base.changed(seed=seed, **untrained))
        run = fit(prepared, tmp_path / f"run-{number}")
        found.append((run.folder / "image_denoiser.safetensors").read_bytes())
    assert found[0] == found[1] != found[2]


def test_guidance_may_be_changed_and_set_back(small_run: Run) -> None:
    own = small_run.recipe.guidance
    first = GuidedPipeline(small_run)
    curves = first.calibration.curves
    other = GuidedPipeline(small_run, own + 1)
    assert curves and not other.calibration.curves
    back = other.sampler(["ventricle_volume_ml"], guidance=own).pipeline
    assert back.calibration.curves == curves
    away = first.sampler(["ventricle_volume_ml"], guidance=own + 1).pipeline
    assert not away.calibration.curves and first.calibration.curves == curves


def test_an_image_is_the_same_whole_and_in_tiles() -> None:
    torch.manual_seed(0)
    network = ImageAutoencoder(1, 3, 4, (8, 8), 1).eval()
    code, labels = torch.randn(1, 4, 9, 3, 4), torch.randint(3, (1, 36, 12, 16))
    with torch.no_grad():
        whole = network.decode(code, one_hot(labels, 3))
        tiled = network.decode_in_tiles(code, labels, tile=(2, 3, 2))
    for one, other in zip(whole, tiled, strict=True):
        assert float((one - other).abs().max()) < 1e-5
