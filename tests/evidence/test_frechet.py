"""Fréchet distance against MONAI's, and features from weights of the user."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.metrics.fid import get_fid_score
from monai.networks.nets import ResNet
from safetensors.torch import save_file
from torch.nn import functional

from vesalius.evidence.frechet import features, frechet_distance
from vesalius.evidence.inpainting import context_error, seam
from vesalius.evidence.intervals import jackknifed
from vesalius.evidence.overlap import dice
from vesalius.networks.inception import InceptionV3
from vesalius.networks.picture_features import features_from, lite0_features
from vesalius.scans.input_error import InputError
from vesalius.scans.volume import Volume


@pytest.mark.parametrize("count", [12, 200])
def test_the_distance_is_that_of_monai(count: int) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(count, 15)), 0.4 + 1.3 * rng.normal(size=(count + 5, 15))
    expected = float(get_fid_score(torch.tensor(b), torch.tensor(a)))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-3)


def test_the_jackknife_covers_at_its_rate() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(200):
        figure = jackknifed([rng.normal(size=100)], lambda x: float(np.mean(x)), "", "draws")
        assert figure.ci95 is not None
        hits += figure.ci95[0] < 0 < figure.ci95[1]
    assert 0.88 < hits / 200 < 0.99


def test_lite0_tells_noise_from_shapes() -> None:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:38, :38]
    discs = [np.hypot(y - 19, x - 19 - rng.normal()) < 9 + rng.normal() for _ in range(24)]
    noise = [rng.random((38, 38)) for _ in range(12)]
    extract = lite0_features().pooled
    first = features([d.astype(float) for d in discs[:12]], extract)
    second = features([d.astype(float) for d in discs[12:]], extract)
    assert first.shape == (12, 1280)
    assert frechet_distance(first, features(noise, extract)) > 5 * frechet_distance(first, second)


def test_weights_of_the_user_are_read_by_either_naming(tmp_path: Path) -> None:
    network = ResNet(
        "bottleneck", [3, 4, 6, 3], [64, 128, 256, 512], spatial_dims=2, n_input_channels=3,
        conv1_t_size=7, conv1_t_stride=2, feed_forward=False, bias_downsample=False,
    )  # fmt: skip
    state = {name: t.contiguous() for name, t in network.state_dict().items()}
    places = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}
    other = {}
    for name, tensor in state.items():
        first, _, rest = name.partition(".")
        other[f"backbone.{places[first]}.{rest}"] = tensor
    picture = [np.random.default_rng(0).random((40, 40))]
    found = []
    for name, tensors in (("a", state), ("b", other)):
        save_file(tensors, tmp_path / f"{name}.safetensors")
        found.append(features(picture, features_from(tmp_path / f"{name}.safetensors").pooled))
    assert found[0].shape == (1, 2048)
    assert np.array_equal(found[0], found[1])


def test_inception_is_the_published_network(tmp_path: Path) -> None:
    """As in torchvision: 23,834,568 parameters with its head and without the auxiliary one."""
    network = InceptionV3()
    head = 2048 * 1000 + 1000
    assert sum(p.numel() for p in network.parameters()) + head == 23_834_568
    shapes = {name: tuple(t.shape) for name, t in network.state_dict().items()}
    assert shapes["Mixed_6c.branch7x7dbl_2.conv.weight"] == (160, 160, 7, 1)
    assert shapes["Mixed_7c.branch3x3dbl_3b.conv.weight"] == (384, 384, 3, 1)
    weights = {name: t.contiguous() for name, t in network.state_dict().items()}
    weights |= {"fc.weight": torch.zeros(1000, 2048), "AuxLogits.fc.bias": torch.zeros(1000)}
    save_file(weights, tmp_path / "inception.safetensors")
    pictures = [np.random.default_rng(0).random((40, 40))]
    found = features(pictures, features_from(tmp_path / "inception.safetensors").pooled)
    assert found.shape == (1, 2048)
    sized = functional.interpolate(
        torch.tensor(pictures[0][None, None]).float(), (128, 128), mode="bicubic"
    )
    with torch.no_grad():
        maps = network.eval()(2 * sized.clamp(0, 1).expand(-1, 3, -1, -1) - 1)
    assert np.allclose(found, maps.mean(dim=(2, 3)).numpy(), atol=1e-4)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "odd.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights")
    for name in ("odd", "text", "missing"):
        with pytest.raises(InputError):
            features_from(tmp_path / f"{name}.safetensors")


def test_context_seam_and_dice_on_known_edits() -> None:
    image = np.tile(np.linspace(0, 30, 16), (4, 16, 1))
    blend = np.zeros((4, 16, 16))
    blend[:, 4:12, 4:12], blend[:, 5:11, 5:11] = 0.5, 1.0
    pasted = np.where(blend > 0, image + 20, image)
    assert seam(pasted, image, blend) > 2
    free = blend > 0
    before, after = (Volume(v, np.eye(4)) for v in (image, pasted))
    assert context_error(before, after, free) == 0
    assert context_error(before, after, ~free) == pytest.approx(20)
    assert dice(np.zeros(3), np.zeros(3), [1]) == 1.0
