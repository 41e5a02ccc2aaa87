"""Self-supervised pre-training of a segmenter: volumes teach it before any label does.

The three tasks of Tang et al. 2022, "Self-supervised pre-training of Swin transformers for 3D
medical image analysis" (eq. 4 to 7), the recipe of MONAI's Swin UNETR, on any segmenter: fill in
what was cut out, tell how the volume was turned (by half turns, which every grid allows), and tell
the same volume from others. A fourth tells where in the body each voxel of a part lies (after Lei
et al. 2021, "Contrastive learning of relative position regression"). Small networks and few volumes
are taught by filling and placing alone; a Swin UNETR on a GPU by all four.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.segmenter import Architecture, Segmenter
from vesalius.scans.progress import Progress, no_progress
from vesalius.training.loop import fit_network
from vesalius.training.objective import Batch, Objective
from vesalius.training.recipe import FitRecipe, Settings
from vesalius.training.store import Store

TURNS = ((), (1, 2), (0, 2), (0, 1))
"""Axes that are flipped by no turn and by half turns about the three axes."""


class PretrainingRecipe(Settings):
    """Settings of one pre-training.

    Attributes:
        method: what this run is.
        preset: the name this recipe started from.
        seed: of the fit.
        spacing_mm: at which volumes are looked at; the cohort's own if `None`.
        architecture, filters: of the segmenter.
        block: side in voxels of the blocks that are cut out.
        cut: share of a volume that is cut out.
        crop: side in voxels of the parts that are looked at, 0 for all.
        fill_weight, turn_weight, contrast_weight, place_weight: of the four tasks. Volumes are
            turned only if that counts.
        temperature: of the contrastive loss.
        fit: steps and batch.
    """

    method: str = "pretraining"
    preset: str = "demo"
    seed: int = 0
    spacing_mm: tuple[float, float, float] | None = None
    architecture: Architecture = "dynunet"
    filters: tuple[int, ...] = (8, 16, 32, 64)
    block: int = 4
    cut: float = 0.2
    crop: int = 22
    fill_weight: float = 0.5
    turn_weight: float = 0.0
    contrast_weight: float = 0.0
    place_weight: float = 1.0
    temperature: float = 0.5
    fit: FitRecipe = FitRecipe(steps=1200, batch_size=2, learning_rate=3e-3, moving_average=0.98)


PRESETS = {
    "smallest": PretrainingRecipe(
        preset="smallest", filters=(4, 8, 8), fit=FitRecipe(steps=3, batch_size=2)
    ),
    "demo": PretrainingRecipe(),
    "workstation": PretrainingRecipe(
        preset="workstation", architecture="swin_unetr", filters=(48,), block=12, cut=0.4, crop=96,
        fill_weight=1.0, turn_weight=1.0, contrast_weight=1.0,
        fit=FitRecipe(
            steps=45_000, batch_size=4, learning_rate=4e-4, warmup_steps=500,
            moving_average=0.999,
        ),
    ),
}  # fmt: skip


class PretrainingObjective(Objective):
    """The four tasks on two differently cut and turned views of each volume.

    Args:
        network: to pre-train.
        store: images at unit SD.
        recipe: weights and sizes.
    """

    def __init__(self, network: Segmenter, store: Store, recipe: PretrainingRecipe) -> None:
        super().__init__()
        self.network, self.store, self.recipe = network, store, recipe
        self.fill = nn.Conv3d(network.fine, store.layout.channels, 1)
        self.place = nn.Conv3d(network.fine, 3, 1)
        self.turn = nn.Linear(8 * network.deep, len(TURNS))
        self.contrast = nn.Linear(8 * network.deep, 64)

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        recipe = self.recipe
        whole = self.store.images(rows)
        views, wanted, cuts, turns, places = [], [], [], [], []
        where = coordinates(whole.shape[2:])
        count = whole.shape[1]
        for volume in (*whole, *whole):
            turn = int(torch.randint(len(TURNS), (1,), generator=rng))
            turn = turn if recipe.turn_weight else 0
            crop = cropped(torch.cat([volume, where]), recipe.crop, rng)
            part, place = crop.flip([1 + axis for axis in TURNS[turn]]).split([count, 3])
            cut = cut_out(part.shape[1:], recipe.block, recipe.cut, rng)
            noise_texture = torch.randn(part.shape, generator=rng)
            views.append(torch.where(cut, noise_texture, retoned(part, rng)))
            wanted.append(part)
            cuts.append(cut)
            turns.append(turn)
            places.append(place)
        shown = [torch.stack(one) for one in (views, wanted, cuts, places)]
        return *shown, torch.tensor(turns)

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        recipe, (views, wanted, cuts, places, turns) = self.recipe, batch
        fine, deep = self.network.features(views)
        # Normalised maps have no mean of their own, so their octants are looked at.
        pooled = functional.adaptive_avg_pool3d(deep.float(), 2).flatten(1)
        error = (self.fill(fine).float() - wanted).abs()
        missing = cuts[:, None]
        filled = (error * missing).sum() / (missing.sum() * error.shape[1]).clamp(min=1)
        turned = functional.cross_entropy(self.turn(pooled), turns)
        alike = contrastive_loss(self.contrast(pooled), recipe.temperature)
        gap = (self.place(fine).float() - places).square().sum(dim=1)
        placed = torch.sqrt(gap + 1e-4).mean()
        return (
            recipe.fill_weight * filled
            + recipe.place_weight * placed
            + recipe.turn_weight * turned
            + recipe.contrast_weight * alike
        )


def coordinates(shape: Sequence[int]) -> Tensor:
    """Where each voxel of `(D, H, W)` lies along each axis, from -1 to 1, `(3, D, H, W)`.

    >>> coordinates((3, 3, 3))[0, :, 0, 0].tolist()
    [-1.0, 0.0, 1.0]
    """
    axes = [torch.linspace(-1, 1, side) for side in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def cropped(volume: Tensor, side: int, rng: torch.Generator) -> Tensor:
    """A random part of `(C, D, H, W)`, at most `side` voxels long, 0 for all of it."""
    if not side:
        return volume
    for axis in (1, 2, 3):
        room = max(0, volume.shape[axis] - side)
        start = int(torch.randint(room + 1, (1,), generator=rng))
        volume = volume.narrow(axis, start, min(side, volume.shape[axis]))
    return volume


def cut_out(
    shape: Sequence[int], block: int, share: float, rng: torch.Generator
) -> Tensor:  # fmt: skip
    """Where a volume `(D, H, W)` is cut out: blocks at random, each with probability `share`.

    >>> cut = cut_out((16, 16, 16), 4, 0.5, torch.Generator().manual_seed(0))
    >>> cut.shape, 0.3 < float(cut.float().mean()) < 0.7
    (torch.Size([16, 16, 16]), True)
    """
    counts = [-(-side // block) + 1 for side in shape]
    offsets = torch.randint(block, (3,), generator=rng).tolist()
    cut = torch.rand(counts, generator=rng) < share
    for axis in range(3):
        cut = cut.repeat_interleave(block, dim=axis).narrow(axis, offsets[axis], shape[axis])
    return cut


def retoned(image: Tensor, rng: torch.Generator) -> Tensor:
    """An image with another gain and offset."""
    tone, shift = torch.randn(2, generator=rng)
    return image * torch.exp(0.1 * tone) + 0.1 * shift


def contrastive_loss(codes: Tensor, temperature: float) -> Tensor:
    """NT-Xent of two views of each case, `(2·B, F)` (Chen et al. 2020, "SimCLR", eq. 1).

    >>> one = torch.eye(4)
    >>> contrastive_loss(torch.cat([one, one]), 0.05) < contrastive_loss(
    ...     torch.cat([one, one.roll(1, 0)]), 0.05)
    tensor(True)
    """
    unit = functional.normalize(codes.float(), dim=1)
    count = len(unit)
    similarity = unit @ unit.T / temperature
    similarity = similarity.masked_fill(
        torch.eye(count, dtype=torch.bool, device=unit.device), -1e4
    )
    partner = torch.arange(count, device=unit.device).roll(count // 2)
    return functional.cross_entropy(similarity, partner)


def pretrain(
    store: Store, cases: int, recipe: PretrainingRecipe, part: str, folder: Path,
    progress: Progress = no_progress,
) -> Segmenter:  # fmt: skip
    """Pre-train a segmenter, or go on with a killed pre-training.

    Args:
        store: images at unit SD, see `training.preparation.prepared`.
        cases: that there are.
        recipe: settings.
        part: its name in log and state.
        folder: where the state of an unfinished fit is kept.
        progress: called after each step.
    """
    torch.manual_seed(recipe.seed)
    network = Segmenter(store.layout.channels, 2, recipe.filters, recipe.architecture)
    objective = PretrainingObjective(network, store, recipe)
    fit_network(objective, cases, recipe.fit, recipe.seed, part, folder, progress)
    return network.eval()
