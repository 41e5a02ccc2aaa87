"""Narrow classifiers: their gradients are right, and no memory but their own is written."""

from __future__ import annotations

import copy

import pytest
import torch

from vesalius.networks.classifier import residual_classifier


@pytest.mark.parametrize(("width", "dimensions"), [(4, 2), (12, 2), (4, 3)])
def test_gradients_of_narrow_networks(width: int, dimensions: int) -> None:
    torch.manual_seed(0)
    network = residual_classifier(1, 2, dimensions, depth=10, width=width, stem="fine").eval()
    exact = copy.deepcopy(network).double()
    images = torch.rand(4, 1, *[64 if dimensions == 2 else 16] * dimensions)
    network(images).square().mean().backward()
    exact(images.double()).square().mean().backward()
    for own, true in zip(network.parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(own.grad.double(), true.grad, rtol=1e-3, atol=1e-5)


def test_pictures_smaller_than_the_last_stages_need_are_compared() -> None:
    from vesalius.networks.picture_features import lite0_features

    look = lite0_features()
    small, other = torch.rand(2, 1, 24, 20), torch.rand(2, 1, 24, 20)
    assert float(look.distance(small, small)) == 0 < float(look.distance(small, other))
