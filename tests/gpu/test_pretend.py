"""The pretend GPU refuses what CUDA refuses, and lets pass what CUDA lets pass."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from tests.gpu.pretend import GPU, on_gpu, pretended


@pytest.fixture(autouse=True)
def _pretended() -> Iterator[None]:
    with pretended():
        yield


def test_tensors_of_two_places_do_not_mix() -> None:
    here, there = torch.ones(3), torch.ones(3, device=GPU)
    assert here.device.type == "cpu" and there.device == GPU and there.is_cuda
    assert (there + there).device == GPU and (there + torch.tensor(2.0)).device == GPU
    for mixed in (lambda: here + there, lambda: torch.cat([here, there]), lambda: here.add_(there)):
        with pytest.raises(RuntimeError, match="at least two devices"):
            mixed()
    assert here.to(there).device == GPU and there.cpu().device.type == "cpu"
    assert not on_gpu(here)


def test_the_cpu_is_not_indexed_from_the_gpu() -> None:
    rows, values = torch.tensor([1]), torch.arange(3)
    assert values.to(GPU)[rows].device == GPU
    with pytest.raises(RuntimeError, match="indices should be"):
        values[rows.to(GPU)]


def test_numpy_and_generators_of_the_cpu_are_refused() -> None:
    with pytest.raises(TypeError, match="can't convert cuda:0"):
        torch.ones(2, device=GPU).numpy()
    with pytest.raises(RuntimeError, match="device type for generator"):
        torch.randn(2, device=GPU, generator=torch.Generator())
    assert torch.randn(2, generator=torch.Generator()).to(GPU).device == GPU


def test_modules_move_and_learn_where_they_are() -> None:
    network = nn.Linear(2, 1)
    with pytest.raises(RuntimeError, match="at least two devices"):
        network(torch.ones(1, 2, device=GPU))
    network.to(GPU)
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(1, 2, device=GPU)).sum().backward()
    assert network.weight.grad is not None and network.weight.grad.device == GPU
    optimizer.step()
    assert network.weight.device == copy.deepcopy(network).weight.device == GPU
    assert network.state_dict()["weight"].device == GPU
    assert network.cpu().weight.device.type == "cpu"
