"""Single volumes by oneDNN: the numbers of PyTorch, at several times its speed."""

from __future__ import annotations

import time
from copy import deepcopy
from itertools import product

import pytest
import torch
from monai.networks.blocks import Convolution
from torch import Tensor, nn

from vesalius.networks.single_volume import SingleVolumeConv3d, at_speed, passed_over


@pytest.mark.parametrize(
    ("stride", "dilation", "groups", "bias"), [*product((1, 2), (1, 2), (1, 2), (True, False))]
)
def test_the_numbers_and_gradients_are_those_of_pytorch(
    stride: int, dilation: int, groups: int, bias: bool
) -> None:
    torch.manual_seed(0)
    plain = nn.Conv3d(4, 6, 3, stride, dilation, dilation, groups, bias)
    own = at_speed(nn.Sequential(deepcopy(plain)))
    assert type(own[0]) is SingleVolumeConv3d and own[0].state_dict().keys() == (
        plain.state_dict().keys()
    )
    for count in (1, 2):
        given = torch.randn(count, 4, 9, 8, 7)
        out, grads = [], []
        for network in (plain, own):
            volume = given.clone().requires_grad_(True)
            out.append(network(volume))
            weights = list(network.parameters())
            grads.append(torch.autograd.grad(out[-1].square().sum(), [volume, *weights]))
        assert torch.allclose(*out, atol=1e-5)
        for one, other in zip(*grads, strict=True):
            assert torch.allclose(one, other, atol=1e-3, rtol=1e-4)


def test_other_padding_other_precision_and_tensors_that_are_none_go_their_way() -> None:
    torch.manual_seed(0)
    volume = torch.randn(1, 2, 6, 6, 6)
    for padding, mode in (("same", "zeros"), (1, "reflect")):
        plain = nn.Conv3d(2, 2, 3, padding=padding, padding_mode=mode)
        own = at_speed(nn.Sequential(deepcopy(plain)))
        assert torch.allclose(own(volume), plain(volume), atol=1e-6)
    weight = torch.zeros(2, 2, 3, 3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert not passed_over(volume, weight)
    assert not passed_over(volume.to("meta"), weight.to("meta"))
    assert not passed_over(volume.bfloat16(), weight.bfloat16())
    assert at_speed(nn.Sequential(nn.Conv3d(2, 2, 3))).to("meta")(volume.to("meta")).shape[1] == 2


def test_convolutions_inside_blocks_of_monai_are_reached() -> None:
    block = at_speed(Convolution(3, 2, 2))
    assert any(type(part) is SingleVolumeConv3d for part in block.modules())


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="oneDNN is not there")
def test_a_small_volume_takes_less_than_half_the_time() -> None:
    plain = nn.Conv3d(16, 16, 3, padding=1)
    own, volume = at_speed(nn.Sequential(deepcopy(plain))), torch.randn(1, 16, 32, 32, 32)

    def seconds(network: nn.Module, given: Tensor) -> float:
        begun = time.perf_counter()
        network(given)
        return time.perf_counter() - begun

    with torch.no_grad():
        found = [min(seconds(network, volume) for _ in range(4)) for network in (plain, own)]
    assert found[1] < 0.5 * found[0]
