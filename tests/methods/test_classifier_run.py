"""A classifier from images to probabilities: the three trainings, killed and resumed, exported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from vesalius.methods.classification.method import Classification
from vesalius.methods.classification.pipeline import ClassificationPipeline, write_probabilities
from vesalius.methods.classification.recipe import ClassificationRecipe
from vesalius.methods.classification.training import PRESETS, Training, TrainingObjective
from vesalius.networks.classifier import residual_classifier
from vesalius.networks.dual_norm import route
from vesalius.scans.classified import Classified
from vesalius.scans.input_error import InputError
from vesalius.training.attacks import Attack
from vesalius.training.fit import fit, prepare
from vesalius.training.recipe import FitRecipe


def _images(count: int = 40, dimensions: int = 2, side: int = 16) -> Classified:
    """Bright squares to be told from none."""
    rng = np.random.default_rng(0)
    images = 0.3 * rng.random((count, 1, *[side] * dimensions))
    targets = (np.arange(count) % 2).astype(np.float32)[:, None]
    images[targets[:, 0] == 1, :, 4:10, 4:10] += 0.4
    names = tuple(f"image_{row}" for row in range(count))
    return Classified(images.astype(np.float16), targets, ("square",), names, names, ("",) * count)


def _recipe(training: Training, steps: int = 2) -> ClassificationRecipe:
    fit = FitRecipe(
        steps=steps, batch_size=8, learning_rate=5e-3, precision="32-true", moving_average=0.0,
        validate_every=max(1, steps // 2), warmup_steps=2,
    )  # fmt: skip
    own = PRESETS["smallest"].changed(training=training, first=fit, second=fit, shift=1)
    return ClassificationRecipe(classifier=own, held_out=0.25)


@pytest.mark.parametrize("training", ["standard", "adversarial", "dual"])
def test_a_classifier_learns_and_its_plain_network_needs_nothing_of_ours(
    training: Training, tmp_path: Path
) -> None:
    images = _images()
    run = fit(prepare(Classification(), images, _recipe(training, 30)), tmp_path / "run")
    trained = ClassificationPipeline.open(run.folder)
    found = trained.probabilities(images.images)[:, 0]
    assert found[images.targets[:, 0] == 1].min() > found[images.targets[:, 0] == 0].max()
    program = torch.export.load(run.folder / "plain.pt2").module()
    plain = residual_classifier(1, 1, 2, depth=10, width=4, stem="fine").eval()
    plain.load_state_dict(load_file(run.folder / "plain.safetensors"))
    given = torch.from_numpy(images.images[:5].astype(np.float32))
    with torch.no_grad():
        expected = trained.logits(images.images[:5])
        assert np.allclose(program(given), expected, atol=1e-5)
        assert np.allclose(plain(given), expected, atol=1e-5)
    out = write_probabilities(trained, images.images[:3], images.names[:3], tmp_path / "p.csv")
    assert out.read_text().startswith("image,square\nimage_0,")
    assert "fitted" not in (run.folder / "recipe.json").read_text()


def test_a_killed_fit_of_two_paths_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = prepare(Classification(), _images(), _recipe("dual", 6))
    whole = fit(ready, tmp_path / "whole")
    monkeypatch.setattr("vesalius.training.loop.SECONDS_BETWEEN_STATES", 0.0)

    def killed(what: str, done: int, of: int) -> None:
        if "classifier" in what and done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(ready, tmp_path / "killed", killed)
    resumed = fit(ready, tmp_path / "killed")
    one, two = (load_file(run.folder / "classifier.safetensors") for run in (whole, resumed))
    assert all(torch.equal(one[name], two[name]) for name in one)
    calibration = json.loads((resumed.folder / "calibration.json").read_text())
    assert calibration["held_out_images"] == 10


def test_the_dual_loss_is_the_mean_of_both_paths_and_attacks_leave_no_trace() -> None:
    images = _images(8, dimensions=3, side=12)
    recipe = PRESETS["smallest"].changed(attack=Attack(epsilon=0.0, steps=1), shift=0)
    from vesalius.networks.dual_norm import to_dual_bn

    torch.manual_seed(0)
    network = to_dual_bn(residual_classifier(1, 1, 3, depth=10, width=4, stem="fine"))
    rows = torch.arange(8)

    def loss(training: Training) -> float:
        objective = TrainingObjective(network, images, images, recipe, training).train()
        return float(objective.loss_of(rows, torch.Generator().manual_seed(0)))

    clean, adversarial, both = loss("standard"), loss("adversarial"), loss("dual")
    assert both == pytest.approx((clean + adversarial) / 2, abs=1e-5)
    assert network.training and all(weight.requires_grad for weight in network.parameters())
    counted = network.state_dict()["bn1.adversarial.num_batches_tracked"]
    assert counted == 2  # one batch each of two trainings; none of the attack
    with route(network, "adversarial"):
        assert not torch.equal(network.state_dict()["bn1.clean.running_mean"], torch.zeros(4))


def test_what_cannot_be_learnt_is_refused(tmp_path: Path) -> None:
    images = _images(24)
    with pytest.raises(InputError, match="add some: 16 is the least"):
        prepare(Classification(), images.taken(range(16)), _recipe("dual"))
    images.targets[:] = 0
    with pytest.raises(InputError, match="square: is learnt from 0 images with it"):
        prepare(Classification(), images, _recipe("dual"))
    run = fit(prepare(Classification(), _images(), _recipe("standard")), tmp_path / "run")
    with pytest.raises(InputError, match="bring them to the shape of the run"):
        ClassificationPipeline(run).logits(np.zeros((1, 1, 8, 8)))
