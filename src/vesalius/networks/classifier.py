"""Residual networks with batch normalisation that classify, 2D and 3D, MONAI's.

He et al. 2016, "Deep residual learning for image recognition". The input gradient of a stem with
stride is a grid of dots, so small images keep their resolution in the first layer.
"""

from __future__ import annotations

from typing import Literal

import torch
from monai.networks.nets import ResNet
from torch import nn

Depth = Literal[10, 18, 50]
Stem = Literal["fine", "published"]
_LAYERS = {
    10: ("basic", (1, 1, 1, 1)),
    18: ("basic", (2, 2, 2, 2)),
    50: ("bottleneck", (3, 4, 6, 3)),
}


def residual_classifier(
    channels: int, outputs: int, dimensions: int, depth: Depth = 18, width: int = 64,
    stem: Stem = "published",
) -> nn.Module:  # fmt: skip
    """A network from images `(B, C, …)` to logits `(B, outputs)`.

    Args:
        channels: of the images.
        outputs: labels.
        dimensions: 2 or 3.
        depth: layers that are counted, 18 and 50 as published, 10 for small sets.
        width: channels of the first stage; doubled at each of the next three.
        stem: `published` is 7 wide with stride 2 and pooling, `fine` is 3 wide without either.

    >>> network = residual_classifier(1, 5, 2, depth=10, width=4, stem="fine")
    >>> network(torch.rand(2, 1, 32, 32)).shape
    torch.Size([2, 5])
    """
    block, layers = _LAYERS[depth]
    fine = stem == "fine"
    network = ResNet(
        block, list(layers), [width, 2 * width, 4 * width, 8 * width], spatial_dims=dimensions,
        n_input_channels=channels, conv1_t_size=3 if fine else 7, conv1_t_stride=1 if fine else 2,
        no_max_pool=fine, num_classes=outputs,
    )  # fmt: skip
    if dimensions == 2 and width < 16:
        # In channels-last, oneDNN's weight gradient of 1×1 convolutions with stride writes past its
        # memory below 16 channels (a known fault of oneDNN): a segmentation fault
        return network
    laid = torch.channels_last if dimensions == 2 else torch.channels_last_3d
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Conv3d):
            # 1.3 to 1.6 times faster on CPUs; `Module.to` would fail when a fit is planned
            part.weight = nn.Parameter(part.weight.detach().contiguous(memory_format=laid))
    return network
