"""Every method's whole life on a pretend GPU: plan, fit, load, and all that a run is used for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

import vesalius as vs
from benchmarks import sampling
from tests.gpu.pretend import GPU, pretended
from vesalius.methods.classification.saliency import METHODS as SALIENCY
from vesalius.methods.guided.method import Guided
from vesalius.methods.guided.recipe import PRESETS as GUIDED
from vesalius.methods.inpainting.method import Inpainting
from vesalius.methods.inpainting.methods import METHODS as INPAINTING
from vesalius.methods.inpainting.recipe import PRESETS as PATHOLOGIES
from vesalius.methods.progression.method import Progression
from vesalius.methods.progression.recipe import PRESETS as PROGRESSIONS
from vesalius.methods.volumes.method import Volumes
from vesalius.methods.volumes.recipe import PRESETS as VOLUMES
from vesalius.networks.weights import read_tensors
from vesalius.phantoms.cohorts.findings import write_findings
from vesalius.phantoms.cohorts.organs import write_gridded, write_spines
from vesalius.phantoms.cohorts.visits import write_knees
from vesalius.scans.cohort import Cohort, update_table
from vesalius.scans.computing import PRECISION
from vesalius.training.fit import fit, prepare
from vesalius.training.judges import JudgeRecipe
from vesalius.training.run import Run

GRID = (32, 32, 32)


def _quiet(what: str, done: int, of: int | None) -> None:
    """Called after each step."""


def _fit(method: str, cohort: Cohort, out: Path, **options: Any) -> Any:
    return vs.fit(method, cohort, out, preset="smallest", progress=_quiet, **options)


def _places(owner: Any) -> set[Any]:
    """Where the weights of all networks lie that an object holds."""
    held = [one for one in vars(owner).values() if isinstance(one, nn.Module)]
    deeper = [one for one in vars(owner).values() if type(one).__module__.startswith("vesalius")
              and not isinstance(one, nn.Module) and hasattr(one, "__dict__")]  # fmt: skip
    found = {weight.device for module in held for weight in module.parameters()}
    for one in deeper:
        found |= _places(one)
    return found


@pytest.fixture(scope="module")
def breasts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cohort, Cohort]:
    folder = tmp_path_factory.mktemp("breasts")
    return (write_gridded("breast", folder / "real", 16, 0, GRID),
            write_gridded("breast", folder / "held", 12, 1, GRID))  # fmt: skip


@pytest.fixture
def gpu() -> Iterator[None]:
    with pretended():
        yield


class _Kill(KeyboardInterrupt):
    """Somebody has had enough."""


def _killing(what: str, done: int, of: int | None) -> None:
    if what == "fitting image denoiser" and done == 3:
        raise _Kill


@pytest.mark.parametrize(
    ("maps", "images"), [("shape_space", "vae"), ("deformation", "blocks"), ("vae", "blocks")]
)
def test_guided_synthesis(
    brains: Cohort, tmp_path: Path, gpu: None, maps: str, images: str
) -> None:
    options = {"preset": "smallest", "label_autoencoder": maps, "image_autoencoder": images}
    with pytest.raises(_Kill):
        vs.fit("guided", brains, tmp_path / "run", progress=_killing, **options)
    run = vs.fit("guided", brains, tmp_path / "run", progress=_quiet, **options)
    model = vs.load(run)
    assert _places(model) == {GPU}
    label_map = model.label_map([25.0], 1)
    assert model.image(label_map, 1).channels[0].shape == label_map.shape
    if maps != "vae":
        ranges = {"ventricle_volume_ml": (20.0, 40.0)}
        made = vs.balance(model, brains, ranges, out=tmp_path / "out", count=1, tolerance=0.9,
                          progress=_quiet)  # fmt: skip
        assert made.gated and len(made.cohort.cases) == 1


def test_critics_sit_where_the_autoencoder_of_images_does(
    brains: Cohort, tmp_path: Path, gpu: None
) -> None:
    judges = JudgeRecipe(critics_from=1, critic_width=4, critic_levels=1)
    recipe = GUIDED["smallest"].changed(
        label_autoencoder="shape_space", image_autoencoder="vae", image_judges=judges
    )
    run = fit(prepare(Guided(), brains, recipe), tmp_path / "run")
    other = fit(prepare(Guided(), brains, recipe.changed(image_judges=None)), tmp_path / "other")
    assert run.name != other.name
    first, second = (
        read_tensors(one.folder / "image_autoencoder.safetensors", "fit it again")[0]
        for one in (run, other)
    )
    assert first.keys() == second.keys()  # critics are not kept
    assert any(not first[name].equal(second[name]) for name in first)


def test_a_proof_of_synthetic_cases(
    brains: Cohort, unseen: Cohort, small_cohort: Cohort, tmp_path: Path, gpu: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(
        "vesalius.experiments.proof_figures.radiomics_available", lambda: "not here"
    )
    proof = vs.prove(
        brains, small_cohort, test=unseen, out=tmp_path / "proof",
        attribute="ventricle_volume_ml", preset="smallest", progress=_quiet,
    )  # fmt: skip
    assert proof.figures["utility/augmented/dice"].n == 3
    assert proof.figures["memorisation/copies"].n == 3


def test_sampling_beside_another_inferer(
    small_run: Run, brains: Cohort, tmp_path: Path, gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.synchronize", lambda: None)
    monkeypatch.setenv(PRECISION, "32-true")  # bfloat16 rounds more than the two samplers differ
    monkeypatch.setattr(sampling, "STEPS", 24)
    monkeypatch.setattr(sampling, "SOLVERS", {"dpm_2": ("dpm", 2)})
    monkeypatch.setattr(sampling, "SIDES", (16, 32))
    monkeypatch.setattr(sampling, "radiomics_features", lambda pairs: np.eye(len(pairs), 2))
    given = {"run": small_run.folder, "out": tmp_path}
    sampling.equal(**given, cohort=brains.folder, cases=2)
    sampling.ancestral(**given, cohort=brains.folder, cases=2, timed_cases=1)
    sampling.cost(**given, repeats=1)
    found = json.loads((tmp_path / "equal.json").read_text())["figures"]
    assert found["sampling/equal_steps/largest_difference"][0] < 1e-3
    found = json.loads((tmp_path / "ancestral.json").read_text())["figures"]
    assert found["sampling/dpm_2/speedup"][0] > 0


def test_pathology_inpainting_by_every_method(spines: Cohort, tmp_path: Path, gpu: None) -> None:
    networks = ("voxelwise", "ordinary", "concat")
    run = _fit("inpainting", spines, tmp_path / "run", networks=networks)
    assert _places(vs.load(run)) == {GPU}
    healthy = write_spines(tmp_path / "healthy", 1, 77, (8.0, 2.5, 2.5), {"herniation": 0.0})
    for method in INPAINTING:
        made = vs.inpaint(
            run, healthy.cases[0].images[0], "herniation", "L4-L5", out=tmp_path / method, count=1,
            tolerance_mm=50, method=method, progress=_quiet,
        )  # fmt: skip
        assert len(made.cohort.cases) == 1
    made = vs.balance(run, spines, out=tmp_path / "more", count=1, tolerance=50, progress=_quiet)
    assert len(made.cohort.cases) == 1


@pytest.mark.parametrize("bottleneck", ["codebook", "components"])
def test_whole_volumes_by_every_sampler(
    bottleneck: str, breasts: tuple[Cohort, Cohort], tmp_path: Path, gpu: None
) -> None:
    run = _fit("volumes", breasts[0], tmp_path / "run", bottleneck=bottleneck)
    pipeline = vs.load(run)
    assert _places(pipeline) == {GPU}
    assert {held.device for held in pipeline.model.autoencoder.buffers()} == {GPU}
    for sampler in ("ddpm", "ddim", "dpm_solver_2m", "heun"):
        made = vs.generate(run, out=tmp_path / sampler, count=1, sampler=sampler, steps=3,
                           progress=_quiet)  # fmt: skip
        assert len(made.cohort.cases) == 1


def test_pretraining_segmentation_and_an_audit_by_embedding(
    breasts: tuple[Cohort, Cohort], tmp_path: Path, gpu: None
) -> None:
    real, held = breasts
    pretrained = _fit("pretraining", real, tmp_path / "pretrained")
    run = _fit("segmentation", real, tmp_path / "run", pretrained=pretrained.folder)
    assert _places(vs.load(run)) == {GPU}
    assert vs.segment(run, held, out=tmp_path / "labels", progress=_quiet).count == 12
    found = vs.audit(real, held, held, pretrained=pretrained.folder, progress=_quiet)
    assert found.figures["memorisation/embedding/copies"].n == 12


def test_classifiers_their_attacks_and_maps(tmp_path: Path, gpu: None) -> None:
    images = write_findings("radiograph", tmp_path / "images", 40, side=32)
    for training in ("standard", "adversarial", "dual"):
        run = _fit("classification", images, tmp_path / training, training=training)
        assert _places(vs.load(run)) == {GPU}
        assert (
            len(vs.classify(run, images, out=tmp_path / f"{training}.csv", progress=_quiet)) == 40
        )
    for method in SALIENCY:
        one = images.cases[0].images[0]
        maps = vs.explain(run, one, out=tmp_path / method, method=method, progress=_quiet)
        assert len(maps.files) == 5


def test_progression_and_a_forecast(tmp_path: Path, gpu: None) -> None:
    knees = write_knees(tmp_path / "knees", 20, side=32)
    run = _fit("progression", knees, tmp_path / "run")
    assert _places(vs.load(run)) == {GPU}
    made = vs.forecast(run, knees, out=tmp_path / "futures", years=(1, 2), progress=_quiet)
    assert len(made.risks) == 20


def test_a_fit_that_was_killed_before_its_fine_stage_goes_on(tmp_path: Path, gpu: None) -> None:
    def killed(what: str, done: int, of: int | None) -> None:
        if what == "fitting detail":
            raise KeyboardInterrupt

    knees = write_knees(tmp_path / "knees", 20, side=16)
    ready = prepare(Progression(), knees, PROGRESSIONS["smallest"])
    with pytest.raises(KeyboardInterrupt):
        fit(ready, tmp_path / "run", killed)
    shutil.rmtree(tmp_path / "run/state")  # what was projected is found anew, by loaded networks
    run = fit(prepare(Progression(), knees, PROGRESSIONS["smallest"]), tmp_path / "run")
    assert run.has("detail")


def _validated(run: Any) -> set[str]:
    """The parts whose held-out loss stands in the log."""
    rows = [line.split(",") for line in (run.folder / "log.csv").read_text().splitlines()[1:]]
    return {part for part, _, _, validation in rows if validation}


def test_held_out_losses_choose_the_weights_of_every_denoiser(
    breasts: tuple[Cohort, Cohort], brains: Cohort, tmp_path: Path, gpu: None
) -> None:
    guided = GUIDED["smallest"]
    recipe = guided.changed(fit_image_denoiser=guided.fit_image_denoiser.changed(validate_every=2))
    run = fit(prepare(Guided(), brains, recipe), tmp_path / "guided")
    assert _validated(run) == {"label_denoiser", "image_denoiser"}
    volumes = VOLUMES["smallest"]
    recipe = volumes.changed(
        fit_denoiser=volumes.fit_denoiser.changed(validate_every=2),
        fit_detail=volumes.fit_detail.changed(validate_every=2),
    )
    run = fit(prepare(Volumes(), breasts[0], recipe), tmp_path / "volumes")
    assert _validated(run) == {"denoiser", "detail"}
    often = {"herniation": 0.15, "stenosis": 0.15}
    spines = write_spines(tmp_path / "spines", 10, 2, (8.0, 2.5, 2.5), often)
    update_table(spines, {"split": {case.name: "val" for case in spines.cases[-2:]}})
    recipe = PATHOLOGIES["smallest"]
    recipe = recipe.changed(fit=recipe.fit.changed(validate_every=2))
    ready = prepare(Inpainting(), spines.folder, recipe)
    assert ready.data.fitted == 8 and len(ready.data.cases) == 10
    assert _validated(fit(ready, tmp_path / "inpainting")) == {"voxelwise_denoiser"}
