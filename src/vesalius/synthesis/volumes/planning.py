"""The plan of whole volumes: each network's step on tensors without data."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vesalius.synthesis.volumes.model import VolumesModel
from vesalius.synthesis.volumes.objectives import AutoencoderObjective, CodeObjective
from vesalius.synthesis.volumes.recipe import VolumesRecipe
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.plan import Plan, planned, step_cost


def plan_volumes(recipe: VolumesRecipe, fingerprint: Fingerprint) -> Plan:
    """Parameters, memory and time of both fits, on this machine."""
    model_of = VolumesModel(recipe, fingerprint)
    channels = len(fingerprint.channels)
    sides = [crop or side for crop, side in zip(recipe.crop, fingerprint.shape, strict=True)]
    autoencoder_fit, denoiser_fit = recipe.fit_autoencoder, recipe.fit_denoiser

    def judged() -> nn.Module:
        network = VolumesModel(recipe, fingerprint).autoencoder
        return AutoencoderObjective(network, None, recipe, None, channels)

    def autoencoder_step(objective: nn.Module) -> Tensor:
        assert isinstance(objective, AutoencoderObjective)
        objective.network.bottleneck.eval()  # how the codebook follows depends on data
        image = torch.rand(autoencoder_fit.batch_size, channels, *sides)
        return objective.loss(image, 2, 0, judge=True)

    cost = step_cost(judged, autoencoder_step, autoencoder_fit.precision)
    fits = [planned("autoencoder", autoencoder_fit.steps, cost, autoencoder_fit.precision)]
    code = (recipe.code_channels, *model_of.code_shape)

    def coded() -> nn.Module:
        batch = denoiser_fit.batch_size
        return CodeObjective(
            VolumesModel(recipe, fingerprint).denoiser, torch.randn(batch, *code),
            torch.zeros(batch, model_of.conditions), recipe.drop_condition,
        )  # fmt: skip

    def denoiser_step(objective: nn.Module) -> Tensor:
        assert isinstance(objective, CodeObjective)
        batch = denoiser_fit.batch_size
        x = torch.randn(batch, *code)
        condition = torch.zeros(batch, model_of.conditions)
        out: Tensor = objective.network.network(x, torch.rand(batch), condition)
        return out.square().mean()

    cost = step_cost(coded, denoiser_step, denoiser_fit.precision)
    fits.append(planned("denoiser", denoiser_fit.steps, cost, denoiser_fit.precision))
    scans = channels * math.prod(fingerprint.shape)
    held = 4.0 * fingerprint.cases * (math.prod(code) + scans)
    shown = " × ".join(map(str, model_of.code_shape))
    decision = (
        f"code: {shown} voxels of {recipe.code_channels} channels, {recipe.bottleneck}; "
        f"{model_of.compression:.0f} voxels a number"
    )
    return Plan(tuple(fits), held, (decision,))
