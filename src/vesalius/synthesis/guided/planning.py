"""The plan of guided synthesis: each network's step on tensors without data."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vesalius.networks.image_autoencoder import ImageAutoencoder
from vesalius.networks.label_vae import LabelVae
from vesalius.synthesis.guided.model import GuidedModel
from vesalius.synthesis.guided.recipe import GuidedRecipe
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.plan import Plan, PlannedFit, planned, step_cost


def plan_guided(recipe: GuidedRecipe, fingerprint: Fingerprint) -> Plan:
    """Parameters, memory and time of all fits, on this machine."""
    labels = len(fingerprint.labels)
    kind = recipe.chosen_label_autoencoder(fingerprint.cases)
    count = min(recipe.components, fingerprint.cases - 1)
    voxels = labels * fingerprint.shape[0] * fingerprint.shape[1] * fingerprint.shape[2]
    fits: list[PlannedFit] = []

    def build(part: str) -> nn.Module:
        return GuidedModel(recipe, fingerprint).part(part)

    def conditions(batch: int) -> Tensor:
        return torch.rand(batch, len(fingerprint.attributes) + 1)

    if kind == "vae":
        label_fit = recipe.fit_label_autoencoder

        def label_step(network: nn.Module) -> Tensor:
            assert isinstance(network, LabelVae)
            maps = torch.zeros(label_fit.batch_size, *fingerprint.shape, dtype=torch.long)
            noise = torch.randn(label_fit.batch_size, *network.code_shape)
            mean, spread = network.encode(maps)
            return network.decode(mean + spread * noise).square().mean()

        cost = step_cost(lambda: build("label_autoencoder"), label_step, label_fit.precision)
        fits.append(planned("label_autoencoder", label_fit.steps, cost, label_fit.precision))
        coarseness = 2 ** (len(recipe.label_widths) - 1)
        code = (recipe.label_code_channels, *(n // coarseness for n in fingerprint.shape))
    else:
        code = (count,)

    code_fit = recipe.fit_label_denoiser

    def code_step(network: nn.Module) -> Tensor:
        batch = code_fit.batch_size
        out: Tensor = network(torch.randn(batch, *code), torch.rand(batch), conditions(batch))
        return out.square().mean()

    def build_denoiser() -> nn.Module:
        network: nn.Module = GuidedModel(recipe, fingerprint).label_denoiser.network
        return network

    cost = step_cost(build_denoiser, code_step, code_fit.precision)
    fits.append(planned("label_denoiser", code_fit.steps, cost, code_fit.precision))

    image_fit = recipe.fit_image_autoencoder
    sides = [min(recipe.image_crop or side, side) for side in fingerprint.shape]

    def image_step(network: nn.Module) -> Tensor:
        assert isinstance(network, ImageAutoencoder)
        image = torch.rand(image_fit.batch_size, len(fingerprint.channels), *sides)
        maps = torch.zeros(image_fit.batch_size, labels, *sides)
        coarse = [side // network.coarseness for side in sides]
        noise = torch.randn(image_fit.batch_size, recipe.image_code_channels, *coarse)
        return network.loss(image, maps, noise, recipe.image_kl_weight)

    cost = step_cost(lambda: build("image_autoencoder"), image_step, image_fit.precision)
    fits.append(planned("image_autoencoder", image_fit.steps, cost, image_fit.precision))

    latent_fit = recipe.fit_image_denoiser

    def latent_step(network: nn.Module) -> Tensor:
        batch = latent_fit.batch_size
        coarse = [side // ImageAutoencoder.coarseness for side in fingerprint.shape]
        maps = network.read_labels(torch.zeros(batch, labels, *fingerprint.shape))  # type: ignore[operator]
        x = torch.randn(batch, recipe.image_code_channels, *coarse)
        out: Tensor = network(x, torch.rand(batch), maps)
        return out.square().mean()

    def build_latent() -> nn.Module:
        return GuidedModel(recipe, fingerprint).image_denoiser.network

    cost = step_cost(build_latent, latent_step, latent_fit.precision)
    fits.append(planned("image_denoiser", latent_fit.steps, cost, latent_fit.precision))

    if kind == "shape_space":
        # Signed distances of all cases, once more while they are stacked; axes packed and unpacked.
        held = voxels * (4.0 * fingerprint.cases + 6.0 * count)
        decision = f"label autoencoder: linear shape space of {count} components"
    else:
        held = 0.0
        decision = "label autoencoder: convolutional VAE"
    return Plan(tuple(fits), held, (decision,))
