"""Six ways to draw a finding into a crop, at a stated number of network calls.

`voxelwise_trained` is the method: a denoiser fitted on noise levels that vary by voxel.
`voxelwise_free` does the same with an ordinary denoiser, and needs no training on maps. The others
are what both are compared with.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from vesalius.diffusion.guidance import guided
from vesalius.diffusion.inpainting import released, repaint, sdedit
from vesalius.diffusion.noise_maps import voxel_levels
from vesalius.diffusion.samplers import SAMPLERS, Denoiser
from vesalius.diffusion.schedules import even_levels
from vesalius.methods.inpainting.model import InpaintingModel
from vesalius.methods.inpainting.recipe import Network
from vesalius.training.device import fabric_for

Method = Literal[
    "voxelwise_trained", "voxelwise_free", "hard_mask", "repaint", "concat", "sdedit"
]  # fmt: skip
METHODS: tuple[Method, ...] = get_args(Method)

NETWORK_OF: dict[Method, Network] = {
    "voxelwise_trained": "voxelwise", "voxelwise_free": "ordinary", "hard_mask": "ordinary",
    "repaint": "ordinary", "concat": "concat", "sdedit": "ordinary",
}  # fmt: skip

SDEDIT_START = 0.7


def repaint_plan(calls: int) -> tuple[int, int, int]:
    """Steps, how often each stretch is gone through, and its length, for a number of calls.

    With calls enough as published: 250 steps, ten by ten, ten times each.

    >>> repaint_plan(2500), repaint_plan(10)
    ((250, 10, 10), (5, 2, 5))
    """
    resample, jump = (10, 10) if calls >= 1000 else (2, 5)
    return max(1, calls // resample), resample, jump


def draw(
    model: InpaintingModel,
    method: Method,
    source: Tensor,
    weight: Tensor,
    condition: Tensor,
    seed: int,
    calls: int | None = None,
    guidance: float | None = None,
) -> tuple[Tensor, int]:
    """Draw latents with a finding, by one method.

    Args:
        model: with the network that the method needs.
        method: of `METHODS`.
        source: latent of the healthy crop `(1, C, D, H, W)`.
        weight: noise map on the latent grid `(1, 1, D, H, W)`; baselines with a hard mask take
            its support, so that every method may change the same voxels.
        condition: `(1, A)`.
        seed: of this draw.
        calls: network calls, the recipe's if `None`.
        guidance: scale of guidance, the recipe's if `None`.

    Returns:
        the latent, and how often the network was called.
    """
    recipe, schedule = model.recipe, model.schedule
    calls = calls or recipe.calls
    scale = recipe.guidance if guidance is None else guidance
    rng = torch.Generator().manual_seed(seed)
    device = model.device
    source, weight, condition = source.to(device), weight.to(device), condition.to(device)
    noise = torch.randn(source.shape, generator=rng).to(device)
    mask = (weight > 0).float()
    made = 0
    network = NETWORK_OF[method]
    reported = {"voxelwise": weight, "ordinary": torch.ones_like(weight), "concat": mask}[network]
    context = source * (1 - mask) if network == "concat" else None

    def raw(x: Tensor, level: Tensor, given: Tensor) -> Tensor:
        nonlocal made
        made += 1
        times = len(x) // len(source)
        full = level.expand(len(x), 1, *x.shape[2:])
        beside = None if context is None else context.repeat(times, 1, 1, 1, 1)
        return model.guess(network, x, full, reported.repeat(times, 1, 1, 1, 1), given, beside)

    denoise: Denoiser = guided(raw, condition, torch.zeros_like(condition), scale)
    times = even_levels(calls).to(device)
    with torch.no_grad(), fabric_for(recipe.fit.precision).autocast():
        if method == "voxelwise_trained":
            levels = voxel_levels(weight, times)
            x = schedule.noisy(source, noise, levels[0])
            out = SAMPLERS[recipe.sampler](denoise, x, levels, schedule)
        elif method in ("voxelwise_free", "hard_mask"):
            releasing = released(denoise, source, weight if method == "voxelwise_free" else mask)
            x = schedule.noisy(source, noise, times[0])
            out = SAMPLERS[recipe.sampler](releasing, x, times, schedule)
        elif method == "repaint":
            steps, resample, jump = repaint_plan(calls)

            def fresh(x: Tensor) -> Tensor:
                return torch.randn(x.shape, generator=rng).to(device)

            few = even_levels(steps).to(device)
            out = repaint(denoise, source, mask, few, schedule, fresh, resample, jump)
        elif method == "concat":
            x = schedule.noisy(source, noise, times[0])
            out = SAMPLERS[recipe.sampler](denoise, x, times, schedule)
        else:
            out = sdedit(denoise, source, SDEDIT_START, calls, schedule, noise, recipe.sampler)
    return out.float().cpu(), made
