"""What each denoiser is fitted to: crops from noise, under maps of many kinds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vesalius.diffusion.guidance import drop_condition
from vesalius.diffusion.noise_maps import distance_mm, gaussian_map, linear_map, on_latent_grid
from vesalius.diffusion.preconditioning import clean_prediction, expected_error, normalised_input
from vesalius.diffusion.schedules import Schedule
from vesalius.methods.inpainting.conditioning import conditioning_maps, offsets_mm
from vesalius.methods.inpainting.latent import LATENT_FACTORS, LabelKinds, to_latent
from vesalius.methods.inpainting.noise_map import disc_map
from vesalius.methods.inpainting.recipe import InpaintingRecipe, Network
from vesalius.methods.inpainting.sites.site import MapBounds
from vesalius.methods.inpainting.training_pathologies import TrainingPathologies
from vesalius.networks.voxelwise_denoiser import VoxelwiseDenoiser, places
from vesalius.training.objective import Batch, Objective, mean_loss, moved
from vesalius.training.store import Store

SMALLEST_LEVEL = 0.01
WITH_DISC = 0.7
"""Share of the maps that hold the disc, where maps of the run do."""


class InpaintingObjective(Objective):
    """Squared error of what a network should give where there is noise.

    Args:
        network: to fit.
        kind: which of the recipe's networks it is.
        store: crops.
        conditions: of each crop `(N, A)`.
        regions: label of what changes as a whole at each crop's site, such as the disc, as the
            store numbers labels `(N,)`; -1 where there is none.
        bounds: of the maps about each crop.
        training_range: pathologies that the conditions speak of.
        rows: crop of each number that the loop draws, so that rare findings come often enough.
        kinds: of labels.
        recipe: settings.
        schedule: of noise.
        spacing_mm: of the crops.
        held_out: numbers of validation crops.
    """

    def __init__(
        self, network: VoxelwiseDenoiser, kind: Network, store: Store, conditions: Tensor,
        regions: Tensor, bounds: Sequence[MapBounds], training_range: TrainingPathologies,
        rows: Tensor, kinds: LabelKinds,
        recipe: InpaintingRecipe, schedule: Schedule, spacing_mm: tuple[float, float, float],
        held_out: Sequence[int] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        self.network, self.kind, self.store = network, kind, store
        self.conditions, self.regions, self.rows, self.kinds = conditions, regions, rows, kinds
        self.bounds = bounds
        self.training_range = training_range
        self.offsets = offsets_mm(store.layout.shape, spacing_mm)
        self.held_out = held_out
        self.recipe, self.schedule, self.spacing_mm = recipe, schedule, spacing_mm

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        return self._crops(self.rows[rows], rng)

    def validation_loss(self) -> float:
        """The loss on held-out crops, with maps, levels and noise that each keeps."""
        device = next(self.network.parameters()).device

        def loss(rows: Tensor, rng: torch.Generator) -> Tensor:
            result: Tensor = self(moved(self._crops(rows, rng), device), rng)
            return result

        return mean_loss(loss, self.held_out, self.recipe.fit.batch_size)

    def _crops(self, taken: Tensor, rng: torch.Generator) -> Batch:
        """Crops by their numbers, and what is done to them."""
        images, labels = self.store.images(taken), self.store.labels(taken)
        if float(torch.rand(1, generator=rng)) < 0.5:
            images, labels = images.flip(2), labels.flip(1)
        images = images * (1 + 0.05 * torch.randn(len(taken), 1, 1, 1, 1, generator=rng))
        clean = to_latent(images, self.kinds.of_position[labels.long()], len(self.kinds))
        condition = self.conditions[taken].clone()
        for flag, value in self.training_range.size_columns:
            hidden = torch.rand(len(taken), generator=rng) < self.recipe.drop_size
            condition[hidden, flag], condition[hidden, value] = 0.0, 0.0
        condition = drop_condition(
            condition, torch.zeros_like(condition), self.recipe.drop_condition, rng
        )
        weight = torch.cat(
            [
                self._map(shown == self.regions[row], self.bounds[row], rng)
                for shown, row in zip(labels, taken.tolist(), strict=True)
            ]
        )
        time = torch.rand(len(taken), 1, 1, 1, 1, generator=rng)
        time = SMALLEST_LEVEL + (1 - SMALLEST_LEVEL) * time
        mask = (weight > 0).float()
        level = time.expand_as(weight) if self.kind != "voxelwise" else time * weight
        noise = torch.randn(clean.shape, generator=rng)
        place = places(clean.shape[2:]).expand(len(taken), -1, -1, -1, -1)
        sheets = self._sheets(clean.shape[2], rng)
        shown = (clean, noise, level, weight, mask, place, self.offsets)
        return condition, [one[:, :, sheets] for one in shown]

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        condition, (clean, noise, level, weight, mask, place, offsets) = batch
        x = self.schedule.noisy(clean, noise, level)
        context = None
        if self.kind == "concat":
            context = clean * (1 - mask)
        reported = {"voxelwise": weight, "ordinary": torch.ones_like(weight), "concat": mask}
        scaled = normalised_input(x, level, self.schedule)
        conditioning = conditioning_maps(condition, offsets, self.training_range)
        out = self.network(
            scaled, level, reported[self.kind], condition, conditioning, context, place
        )
        guess = clean_prediction(out, x, level, self.schedule, self.recipe.noise_texture)
        known, unknown = self.recipe.prior
        share = weight.mean(dim=(1, 2, 3, 4), keepdim=True) if self.kind != "ordinary" else 1.0
        prior = known + (unknown - known) * share
        fair = expected_error(level, x, self.schedule, prior, self.recipe.noise_texture)
        counted = torch.ones_like(mask) if self.kind == "ordinary" else mask
        importance = torch.ones(1, clean.shape[1], 1, 1, 1, device=clean.device)
        importance[:, : 4 * self.store.layout.channels] = self.recipe.image_importance
        importance = importance / importance.mean()
        error = (guess - clean) ** 2 / fair * counted * importance
        return error.sum() / (counted.sum() * clean.shape[1])

    def _sheets(self, depth: int, rng: torch.Generator) -> slice:
        """Neighbouring slices that one step looks at; all of them where the recipe says 0."""
        count = min(self.recipe.slices or depth, depth)
        start = int(torch.randint(depth - count + 1, (1,), generator=rng))
        return slice(start, start + count)

    def _map(self, region: Tensor, bounds: MapBounds, rng: torch.Generator) -> Tensor:
        """A map `(1, 1, D, H, W)` on the latent grid; the landmark lies near the crop's middle.

        Args:
            region: where the crop shows what changes as a whole `(D, H, W)`.
            bounds: of the map.
            rng: of the map.
        """
        shape = self.store.layout.shape
        draw = torch.rand(8, generator=rng).tolist()
        if draw[0] < self.recipe.maps[0] or self.kind == "ordinary":
            whole = torch.ones(1, 1, *shape)
            return on_latent_grid(whole, LATENT_FACTORS)
        middle = [(n - 1) / 2 + 2 * (d - 0.5) for n, d in zip(shape, draw[1:4], strict=True)]
        (right, right_most), (front, front_most) = bounds.stretch
        stretch = (
            right + (right_most - right) * draw[4], front + (front_most - front) * draw[5], 1.0
        )  # fmt: skip
        distance = distance_mm(shape, self.spacing_mm, middle, stretch)
        least, most = bounds.reach_mm
        reach = least + (most - least) * draw[6]
        hard = draw[0] < sum(self.recipe.maps) or self.kind == "concat"
        if hard:
            weight = (distance < reach).float()
        elif draw[7] < 0.5:
            weight = gaussian_map(distance, 0.5 * reach)
        else:
            weight = linear_map(distance, 0.9 * draw[7] * reach, reach)
        if self.recipe.disc_mm:
            with_disc, wider = torch.rand(2, generator=rng).tolist()
            if with_disc < WITH_DISC:
                own = disc_map(region.numpy(), self.spacing_mm, (0.7 + wider) * self.recipe.disc_mm)
                weight = torch.maximum(weight, (own > 0).float() if hard else own)
        return on_latent_grid(weight[None, None], LATENT_FACTORS)
