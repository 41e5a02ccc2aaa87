"""Two paths: what is shared, what is not, and the plain network that comes out again."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets import ResNet
from torch import nn

from vesalius.networks.dual_norm import is_dual, route, to_dual_bn, to_single_bn


def _resnet(dimensions: int) -> nn.Module:
    torch.manual_seed(0)
    return ResNet("basic", [1, 1, 1, 1], [4, 4, 8, 8], spatial_dims=dimensions,
                  n_input_channels=1, num_classes=2)  # fmt: skip


@pytest.mark.parametrize("dimensions", [2, 3])
def test_both_paths_begin_as_the_network_that_was_doubled(dimensions: int) -> None:
    network = _resnet(dimensions).eval()
    dual = to_dual_bn(network).eval()
    assert is_dual(dual) and not is_dual(network)
    images = torch.rand(2, 1, *[32] * dimensions)
    with torch.no_grad():
        expected = network(images)
        assert torch.equal(dual(images), expected)
        with route(dual, "adversarial"):
            assert torch.equal(dual(images), expected)


def test_statistics_and_gradients_of_norms_are_each_paths_own_and_all_else_is_shared() -> None:
    dual = to_dual_bn(_resnet(2), momentum=0.01).train()
    before = {name: value.clone() for name, value in dual.state_dict().items()}
    with route(dual, "adversarial"):
        dual(torch.rand(4, 1, 32, 32)).sum().backward()
    after = dual.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(".adversarial." in name for name in changed)
    for name, weight in dual.named_parameters():
        assert (weight.grad is None) == (".clean." in name), name
    mean = "bn1.adversarial.running_mean"
    assert before[mean].abs().max() == 0 and 0 < after[mean].abs().max() < 0.05


def test_the_path_is_put_back_after_an_error() -> None:
    dual = to_dual_bn(nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)))
    with pytest.raises(RuntimeError, match="channels"), route(dual, "adversarial"):
        dual(torch.rand(1, 3, 4, 4))
    assert dual[1].path == "clean"  # type: ignore[union-attr]


@pytest.mark.parametrize("path", ["clean", "adversarial"])
def test_the_plain_network_of_a_path_loads_without_the_dual_one(path: str) -> None:
    dual = to_dual_bn(_resnet(2)).train()
    for own, scale in (("clean", 1.0), ("adversarial", 3.0)):
        with route(dual, own):  # type: ignore[arg-type]
            dual(scale * torch.rand(8, 1, 32, 32))
    dual.eval()
    images = torch.rand(2, 1, 32, 32)
    plain = _resnet(2).eval()
    plain.load_state_dict(to_single_bn(dual, path).state_dict())  # type: ignore[arg-type]
    with torch.no_grad(), route(dual, path):  # type: ignore[arg-type]
        assert torch.equal(plain(images), dual(images))
        with route(dual, "clean" if path == "adversarial" else "adversarial"):
            assert not torch.allclose(plain(images), dual(images))


def test_a_network_without_batch_normalisation_is_refused() -> None:
    with pytest.raises(ValueError, match="no batch normalisation"):
        to_dual_bn(nn.Linear(2, 2))
