"""The second generator: a later picture by latent diffusion, told today's picture and the time.

An autoencoder brings pictures to codes, a denoiser draws the code of a later picture from noise
beside the code of today's. It learns from every pair of visits of a patient, an earlier and a later
one. Networks, schedules and samplers are those of whole volumes; a picture is a volume one voxel
thick.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.diffusion.denoiser import Denoiser
from vesalius.diffusion.samplers import dpm_solver_2m
from vesalius.diffusion.schedules import SCHEDULES, even_log_snr_levels
from vesalius.methods.progression.projection_loss import ProjectionLoss
from vesalius.methods.progression.recipe import DiffusionRecipe
from vesalius.networks.bottleneck import Gaussian
from vesalius.networks.volume_autoencoder import VolumeAutoencoder
from vesalius.networks.volume_denoiser import VolumeDenoiser
from vesalius.scans.visits import Visits
from vesalius.training.objective import Batch, Objective

SCHEDULE = SCHEDULES["cosine"]
FIRST_LEVEL, LAST_LEVEL = 0.99, 0.02


class PictureAutoencoder(nn.Module):
    """Pictures `(B, C, S, S)` in [0, 1] to codes `(B, K, S/4, S/4, 1)` of unit SD, and back.

    >>> coder = PictureAutoencoder(1, DiffusionRecipe(widths=(8, 8)))
    >>> code = coder.encode(torch.rand(2, 1, 16, 16))
    >>> code.shape, coder.decode(code).shape
    (torch.Size([2, 4, 4, 4, 1]), torch.Size([2, 1, 16, 16]))
    """

    std: Tensor

    def __init__(self, channels: int, recipe: DiffusionRecipe) -> None:
        super().__init__()
        self.network = VolumeAutoencoder(
            channels, recipe.code_channels, (4, 4, 1), recipe.widths, 1, Gaussian(recipe.kl_weight)
        )
        self.register_buffer("std", torch.ones(()))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures come back, and the loss of the bottleneck."""
        returned, loss, _ = self.network(pictures[..., None])
        return returned[..., 0], loss

    def encode(self, pictures: Tensor) -> Tensor:
        """Codes on the scale of diffusion."""
        return self.network.encode(pictures[..., None]) / self.std

    def decode(self, codes: Tensor) -> Tensor:
        """Pictures of codes."""
        return self.network.decode(codes * self.std)[..., 0]


class PictureAutoencoderObjective(Objective):
    """Similarity of pictures that come back, and the bottleneck's divergence."""

    def __init__(
        self, coder: PictureAutoencoder, images: np.ndarray, projection_loss: ProjectionLoss
    ) -> None:
        super().__init__()
        self.coder, self.images, self.projection_loss = coder, images, projection_loss

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        return _pictures(self.images, rows)

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        self.projection_loss.eval()
        returned, loss = self.coder(batch)
        with torch.no_grad():
            wanted = self.projection_loss.of(2 * batch - 1)
        return self.projection_loss(2 * returned - 1, wanted).mean() + loss


class LaterDenoiser(Denoiser):
    """Guesses the clean code of a later picture from a noisy one, today's code and the years.

    Args:
        shape: of codes, `(S/4, S/4, 1)`.
        recipe: widths.
        longest_years: brought to 1.
    """

    longest: Tensor

    def __init__(
        self, shape: tuple[int, int, int], recipe: DiffusionRecipe, longest_years: float
    ) -> None:
        network = VolumeDenoiser(
            recipe.code_channels, shape, 1, recipe.denoiser_widths, blocks=1,
            attend_from=len(recipe.denoiser_widths) - 1, given=recipe.code_channels,
        )  # fmt: skip
        super().__init__(network, SCHEDULE)
        self.register_buffer("longest", torch.tensor(float(longest_years)))

    def output(self, x: Tensor, level: Tensor, *given: Tensor) -> Tensor:
        """F of a noisy code, told today's code and the years `(B,)` from then."""
        today, years = given
        return super().output(x, level, (years / self.longest)[:, None], today)


class LaterObjective(Objective):
    """Codes of later pictures from noise, over all pairs of visits of a patient.

    Args:
        denoiser: to fit.
        codes: of all visits `(N, K, S/4, S/4, 1)`.
        pairs: rows of the earlier and of the later visit `(P, 2)`.
        years: between them `(P,)`.
    """

    def __init__(
        self, denoiser: LaterDenoiser, codes: Tensor, pairs: np.ndarray, years: np.ndarray
    ) -> None:
        super().__init__()
        self.denoiser, self.codes = denoiser, codes
        self.pairs = torch.from_numpy(pairs)
        self.years = torch.from_numpy(years.astype(np.float32))

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        before, after = self.pairs[rows].T
        return self.codes[before], self.codes[after], self.years[rows]

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        today, clean, years = batch
        return self.denoiser.loss(clean, rng, today, years)


def pairs_of(visits: Visits) -> tuple[np.ndarray, np.ndarray]:
    """Every earlier and later visit of a subject as rows `(P, 2)`, and the years between `(P,)`.

    >>> visits = Visits(np.zeros((3, 1, 4, 4)), ("a", "b", "c"), ("s",) * 3,
    ...                 np.array([4.0, 0.0, 2.0]), np.zeros(3, bool), {}, ("",) * 3, ("s",) * 3)
    >>> rows, years = pairs_of(visits)
    >>> rows.tolist(), years.tolist()
    ([[1, 2], [1, 0], [2, 0]], [2.0, 4.0, 2.0])
    """
    rows = [
        (own[i], own[j]) for own in visits.trajectories().values()
        for i in range(len(own)) for j in range(i + 1, len(own))
        if visits.years[own[j]] > visits.years[own[i]]
    ]  # fmt: skip
    result = np.array(rows).reshape(-1, 2)
    return result, visits.years[result[:, 1]] - visits.years[result[:, 0]]


@torch.no_grad()
def encoded(coder: PictureAutoencoder, images: np.ndarray, batch: int = 64) -> Tensor:
    """Codes of pictures `(N, C, S, S)` in [0, 1]."""
    coder.eval()
    rows = torch.arange(len(images)).split(batch)
    device = coder.std.device
    return torch.cat([coder.encode(_pictures(images, part).to(device)).cpu() for part in rows])


@torch.no_grad()
def decoded(coder: PictureAutoencoder, codes: Tensor, batch: int = 64) -> np.ndarray:
    """Pictures `(N, C, S, S)` in [0, 1] of codes."""
    coder.eval()
    parts = [coder.decode(part.to(coder.std.device)).clamp(0, 1) for part in codes.split(batch)]
    result: np.ndarray = torch.cat(parts).cpu().numpy()
    return result


@torch.no_grad()
def later_pictures(
    coder: PictureAutoencoder, denoiser: LaterDenoiser, images: np.ndarray,
    years: Sequence[float] | np.ndarray, steps: int, seed: int = 0, batch: int = 64,
) -> np.ndarray:  # fmt: skip
    """One later picture of each of today's, `(N, C, S, S)` in [0, 1].

    A picture's noise hangs on the seed and its number alone, whatever the batch.

    Args:
        coder, denoiser: fitted.
        images: of today, `(N, C, S, S)` in [0, 1].
        years: from today, `(N,)`.
        steps: of the solver.
        seed: of the noise; other seeds draw other futures.
        batch: pictures at once.
    """
    coder.eval()
    denoiser.eval()
    device = coder.std.device
    levels = even_log_snr_levels(SCHEDULE, steps - 1, FIRST_LEVEL, LAST_LEVEL)
    today = encoded(coder, images, batch)
    ahead = torch.as_tensor(np.asarray(years, dtype=np.float32))
    result = []
    for rows in torch.arange(len(images)).split(batch):
        noise = torch.stack([
            torch.randn(today.shape[1:], generator=torch.Generator().manual_seed(own))
            for own in (np.random.SeedSequence([seed, int(row)]).generate_state(1)[0].item()
                        for row in rows)
        ]).to(device)  # fmt: skip
        given, when = today[rows].to(device), ahead[rows].to(device)

        def denoise(x: Tensor, level: Tensor, given: Tensor = given, when: Tensor = when) -> Tensor:
            flat = level.reshape(-1).expand(len(x)) if level.numel() == 1 else level.reshape(-1)
            result: Tensor = denoiser(x, flat, given, when)
            return result

        result.append(dpm_solver_2m(denoise, noise, levels, SCHEDULE).cpu())
    return decoded(coder, torch.cat(result), batch)


def _pictures(images: np.ndarray, rows: Tensor) -> Tensor:
    return torch.from_numpy(images[rows.tolist()].astype(np.float32))
