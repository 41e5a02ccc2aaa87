"""Saliency: which voxels a classifier's answer hangs on.

Maps through the adversarial path of a network with two are easier to read; they explain a predictor
a little worse than the one that answers, which takes the clean path. Methods are captum's.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Literal, get_args

import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerGradCam, NoiseTunnel
from captum.attr import Saliency as InputGradient
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.dual_norm import Path, route
from vesalius.training.attacks import frozen

Method = Literal["gradient", "blurred_gradient", "smoothgrad", "integrated_gradients", "gradcam"]
METHODS: tuple[Method, ...] = get_args(Method)
BLUR = 1.5
"""Standard deviation in voxels of the blurred gradient, the simplest thing that reads well."""
CLIP_SD = 3.0
SAMPLES, NOISE = 16, 0.03


def saliency(
    network: nn.Module, images: np.ndarray, label: int, method: Method = "gradient",
    path: Path = "adversarial", batch: int = 64,
) -> np.ndarray:  # fmt: skip
    """How much each voxel counts for one label, `(N, …)`, zero or more.

    Args:
        network: of one path or two.
        images: `(N, C, …)` in [0, 1].
        label: number of the output.
        method: `gradient` is the published one, the size of the logit's gradient in the image
            (Simonyan et al. 2014); `blurred_gradient` the same smoothed; `smoothgrad` (Smilkov et
            al. 2017); `integrated_gradients` from black (Sundararajan et al. 2017); `gradcam` of
            the last stage whose maps are not coarser than an eighth of the image (Selvaraju et al.
            2017 take the last, which in small images has a few voxels and cannot point).
        path: that images take.
        batch: images at once.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(9, 1, bias=False))
    >>> with torch.no_grad():
    ...     _ = network[1].weight.copy_(torch.arange(9.0) - 4)
    >>> saliency(network, np.zeros((1, 1, 3, 3)), 0)[0].tolist()
    [[4.0, 3.0, 2.0], [1.0, 0.0, 1.0], [2.0, 3.0, 4.0]]
    """
    device = next(network.parameters()).device
    parts = np.array_split(images, max(1, -(-len(images) // batch)))
    result = []
    with frozen(network), route(network, path):
        for part in parts:
            given = torch.from_numpy(part.astype(np.float32)).to(device).requires_grad_(True)
            result.append(_mapped(network, given, label, method).detach().cpu().numpy())
    maps: np.ndarray = np.abs(np.concatenate(result))
    if method == "blurred_gradient":
        maps = np.stack([ndimage.gaussian_filter(one, BLUR) for one in maps])
    return maps


def _mapped(network: nn.Module, images: Tensor, label: int, method: Method) -> Tensor:
    """Attributions summed over channels."""
    if method == "gradcam":
        cam = LayerGradCam(network, _fine_maps(network, images))
        maps = cam.attribute(images, label, relu_attributions=True).float()
        mode = "bilinear" if images.dim() == 4 else "trilinear"
        return functional.interpolate(maps, images.shape[2:], mode=mode)[:, 0]
    if method == "integrated_gradients":
        result = IntegratedGradients(network).attribute(
            images, target=label, n_steps=SAMPLES, internal_batch_size=len(images)
        )
    elif method == "smoothgrad":
        torch.manual_seed(0)
        result = NoiseTunnel(InputGradient(network)).attribute(
            images, nt_type="smoothgrad", nt_samples=SAMPLES, stdevs=NOISE, target=label,
            abs=False, nt_samples_batch_size=4,
        )  # fmt: skip
    else:
        result = InputGradient(network).attribute(images, target=label, abs=False)
    summed: Tensor = result.abs().sum(dim=1)
    return summed


COARSEST = 8
"""Voxels of an image along each axis for one of the map that Grad-CAM looks at, at most."""


def _fine_maps(network: nn.Module, images: Tensor) -> nn.Module:
    """The last stage of a residual network whose maps are fine enough, the first if none is."""
    stages = [part for name, part in network.named_children() if name.startswith("layer")]
    if not stages:
        raise ValueError(f"{type(network).__name__} has no stages named layer1, layer2, …")
    sides: dict[nn.Module, int] = {}
    hooks = [
        stage.register_forward_hook(lambda own, _, out: sides.update({own: min(out.shape[2:])}))
        for stage in stages
    ]
    with torch.no_grad():
        network(images[:1])
    for hook in hooks:
        hook.remove()
    fine = [stage for stage in stages if COARSEST * sides[stage] >= min(images.shape[2:])]
    return (fine or stages[:1])[-1]


def randomised(network: nn.Module, seed: int) -> nn.Module:
    """The same network with fresh weights: its maps must lose what they showed.

    Adebayo et al. 2018, "Sanity checks for saliency maps".
    """
    torch.manual_seed(seed)
    fresh = deepcopy(network)
    for part in fresh.modules():
        if isinstance(part, nn.Conv2d | nn.Conv3d | nn.Linear):
            part.reset_parameters()
    return fresh


def shown(maps: np.ndarray) -> np.ndarray:
    """A map `(…)` for the eye: clipped at three standard deviations as published, in [0, 1].

    >>> shown(np.array([0.0, 1.0, 2.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    top = min(float(maps.max()), float(maps.mean() + CLIP_SD * maps.std()))
    scaled: np.ndarray = np.clip(maps / max(top, 1e-12), 0, 1)
    return scaled
