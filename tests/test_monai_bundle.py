"""Runs as MONAI bundles: MONAI's own commands verify them, run them, and get what the run makes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from jsonschema import Draft201909Validator
from monai.bundle import ConfigParser, verify_net_in_out
from monai.bundle import run as run_bundle

import vesalius as vs
from tests.conftest import blobs
from vesalius.api.monai_bundle import BundleNetwork
from vesalius.methods.inpainting.method import Inpainting
from vesalius.methods.progression.method import Progression
from vesalius.methods.volumes.method import Volumes
from vesalius.methods.volumes.recipe import PRESETS as VOLUMES
from vesalius.phantoms.cohorts.findings import write_findings
from vesalius.phantoms.cohorts.organs import write_gridded
from vesalius.phantoms.cohorts.visits import write_knees
from vesalius.scans.cohort import Cohort
from vesalius.scans.visit_layouts import read_visits
from vesalius.training.fit import fit, prepare
from vesalius.training.run import Run

TENSOR = {
    "type": "object",
    "required": ["type", "format", "num_channels", "spatial_shape", "dtype", "value_range"],
    "properties": {
        "num_channels": {"type": "integer"},
        "spatial_shape": {"type": "array", "items": {"type": ["string", "integer"]}},
        "value_range": {"type": "array", "items": {"type": "number"}},
        "is_patch_data": {"type": "boolean"},
        "channel_def": {"type": "object"},
    },
}
TEXTS = ("schema", "version", "monai_version", "pytorch_version", "numpy_version", "task",
         "description", "authors", "copyright")  # fmt: skip
SPECIFICATION = {
    "type": "object",
    "required": [
        *TEXTS, "required_packages_version", "optional_packages_version", "network_data_format",
    ],
    "properties": {
        **{name: {"type": "string"} for name in TEXTS},
        "network_data_format": {
            "type": "object",
            "required": ["inputs", "outputs"],
            "properties": {
                end: {"type": "object", "patternProperties": {"^.+$": TENSOR}}
                for end in ("inputs", "outputs")
            },
        },
    },
}  # fmt: skip
"""What MONAI's specification asks of metadata, written down anew: its schema is a download."""


@pytest.fixture(scope="module")
def runs(
    small_run: Run, inpainting_run: Run, brains: Cohort, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The smallest run of every method that is a network."""
    folder = tmp_path_factory.mktemp("runs")
    chests = write_gridded("chest", folder / "chests", 8, 0, (32, 28, 24))
    shutil.rmtree(chests.folder / "labelsTr")
    recipe = VOLUMES["smallest"]
    volumes = fit(prepare(Volumes(), Cohort.open(chests.folder, False), recipe), folder / "volumes")
    write_findings("radiograph", folder / "pictures", 24, side=32)
    write_knees(folder / "knees", 20, 0, 16, (0.0, 4.0, 8.0))
    smallest = Progression().recipe(preset="smallest")
    knees = prepare(Progression(), read_visits(folder / "knees", 16), smallest)
    segmenter = vs.fit("segmentation", brains, out=folder / "segmenter", preset="smallest")
    classifier = vs.fit(
        "classification", folder / "pictures", out=folder / "classifier", preset="smallest"
    )
    return {
        "guided": small_run.folder, "inpainting": inpainting_run.folder,
        "volumes": volumes.folder, "segmentation": segmenter.folder,
        "classification": classifier.folder,
        "progression": fit(knees, folder / "progression").folder,
    }  # fmt: skip


@pytest.mark.parametrize(
    "method",
    ["guided", "inpainting", "volumes", "segmentation", "classification", "progression"],
)
def test_every_method_passes_what_monai_verifies(
    method: str, runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vs.export(runs[method], tmp_path / "bundle", "monai", license_id="apache-2.0")
    monkeypatch.chdir(tmp_path / "bundle")
    metadata = json.loads(Path("configs/metadata.json").read_text())
    Draft201909Validator(SPECIFICATION).validate(metadata)
    assert "Not for diagnosis" in metadata["intended_use"]
    verify_net_in_out(
        "network_def", meta_file="configs/metadata.json", config_file="configs/inference.json",
        device="cpu",
    )  # fmt: skip
    given = metadata["network_data_format"]["inputs"]["image"]
    made = metadata["network_data_format"]["outputs"]["pred"]
    network = BundleNetwork("models/run")
    result = network(torch.rand(1, given["num_channels"], *given["spatial_shape"]))
    assert list(result.shape) == [1, made["num_channels"], *made["spatial_shape"]]
    assert torch.isfinite(result).all()


def test_a_bundle_runs_and_makes_the_cases_that_the_run_makes(
    small_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vs.export(small_run.folder, tmp_path / "bundle", "monai")
    monkeypatch.chdir(tmp_path / "bundle")
    wanted = {"ventricle_volume_ml": [20.0, 40.0]}
    run_bundle(
        config_file="configs/inference.json", meta_file="configs/metadata.json", count=2,
        targets=wanted, seed=4,
    )  # fmt: skip
    made = Cohort.open(tmp_path / "bundle" / "eval")
    vs.generate(
        small_run.folder, {"ventricle_volume_ml": (20.0, 40.0)}, out=tmp_path / "own", count=2,
        seed=4,
    )  # fmt: skip
    own = Cohort.open(tmp_path / "own")
    assert [case.name for case in made.cases] == [case.name for case in own.cases]
    for one, other in zip(made.cases, own.cases, strict=True):
        assert one.images_digest() == other.images_digest()


def test_the_network_of_a_guided_bundle_is_the_image_of_a_label_map(
    small_run: Run, small_cohort: Cohort, tmp_path: Path
) -> None:
    network, model = BundleNetwork(small_run.folder), vs.load(small_run.folder)
    labels = small_cohort.read(small_cohort.cases[0]).label_map
    given = torch.from_numpy(labels.oriented("RAS").voxels.astype(np.float32))[None, None]
    expected = model.image(labels, seed=0).channels[0].voxels
    np.testing.assert_allclose(network(given)[0, 0].numpy(), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="expected"):
        network(given[..., :-1])


def test_what_is_no_network_is_refused(
    brains: Cohort, runs: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(vs.InputError, match=r"recipe\.json"):
        vs.export(brains.folder, tmp_path / "bundle", "monai")
    assert not (tmp_path / "bundle" / "configs").exists()
    pretraining = vs.fit("pretraining", brains, out=tmp_path / "pre", preset="smallest")
    with pytest.raises(vs.InputError, match="is no network by itself"):
        vs.export(pretraining.folder, tmp_path / "other", "monai")


def test_configurations_hold_nothing_but_what_monai_parses(small_run: Run, tmp_path: Path) -> None:
    vs.export(small_run.folder, tmp_path / "bundle", "monai")
    parser = ConfigParser()
    parser.read_config(str(tmp_path / "bundle" / "configs" / "inference.json"))
    parser["bundle_root"] = str(tmp_path / "bundle")
    assert parser.get_parsed_content("run_folder") == str(tmp_path / "bundle") + "/models/run"
    assert not list((tmp_path / "bundle").rglob("*.pt"))


@pytest.mark.parametrize("orientation", ["LPS", "PIR"])
def test_tensors_keep_their_axes_however_a_cohort_stores_its_scans(
    orientation: str, tmp_path: Path
) -> None:
    """What goes in comes out in the same place: right, anterior, superior."""
    cohort = blobs(tmp_path / "cohort", 9, orientation)
    recipe = Inpainting().recipe(preset="smallest", lesion=["tumour"], host=["organ"])
    run = fit(prepare(Inpainting(), cohort, recipe), tmp_path / "run")
    network = BundleNetwork(run.folder)
    given = torch.zeros(1, *network.given.shape)
    given[0, 0] = torch.arange(given[0, 0].numel()).reshape(given.shape[2:]).float() % 97
    made = network(given)
    assert made.shape == given.shape
    same = made[0, 0] == given[0, 0]
    corners = [same[x, y, z] for x in (0, -1) for y in (0, -1) for z in (0, -1)]
    assert all(corners)  # outside of the map nothing moves
