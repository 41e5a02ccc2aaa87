"""The plan of pathology inpainting: each network's step on tensors without data."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.synthesis.inpainting.hints import HINTS
from vesalius.synthesis.inpainting.model import InpaintingModel
from vesalius.synthesis.inpainting.recipe import InpaintingRecipe, Network
from vesalius.synthesis.inpainting.seen import SeenPathologies
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.plan import Plan, PlannedFit, planned, step_cost

TRUNK = "trunk"
"""What all networks of a run are in the first part of their steps."""


def plan_inpainting(
    recipe: InpaintingRecipe, fingerprint: Fingerprint, seen: SeenPathologies, crops: int,
    scan_bytes: float,
) -> Plan:  # fmt: skip
    """Parameters, memory and time of all networks, on this machine."""
    batch, model = recipe.fit.batch_size, InpaintingModel(recipe, fingerprint, seen)
    channels, *grid = model.latent_shape
    grid[0] = min(recipe.slices or grid[0], grid[0])
    shared = round(recipe.shared_steps * recipe.fit.steps)
    fits: list[PlannedFit] = []
    for name in recipe.networks:

        def step(network: nn.Module, name: Network = name) -> Tensor:
            x, level = torch.randn(batch, channels, *grid), torch.rand(batch, 1, *grid)
            context = torch.randn(batch, channels, *grid) if name == "concat" else None
            condition = torch.rand(batch, seen.condition_length)
            hints = torch.rand(batch, HINTS * len(seen.pathologies), *grid)
            out: Tensor = network(x, level, level, condition, hints, context)
            return out.square().mean()

        def build(name: Network = name) -> nn.Module:
            return model.build(name)

        cost = step_cost(build, step, recipe.fit.precision)
        if not fits:
            fits.append(planned(TRUNK, shared, cost, recipe.fit.precision))
        own = recipe.fit.steps - shared
        fits.append(planned(f"{name}_denoiser", own, cost, recipe.fit.precision))
    voxels = crops * float(np.prod(fingerprint.shape))
    held = scan_bytes + (2.0 * len(fingerprint.channels) + 1.0) * voxels
    counts = ", ".join(f"{sum(p.counts.values())} of {p.name}" for p in seen.pathologies)
    return Plan(tuple(fits), held, (f"findings: {counts}; {crops} crops in all",))
