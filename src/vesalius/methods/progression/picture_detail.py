"""The fine stage: what a generated picture lacks beside a real one, given it.

A style says how a knee is built, and a generator of few thousand steps draws it smoothly: its
outlines are wide, and trabeculae and noise stand in no style. So the difference between real
pictures and those of their styles is learnt by diffusion, given the latter; one seed gives one
texture, whatever the batch. Styles of new subjects follow the styles of real pictures, which lie in
a small part of what the generator's own noise reaches. Projection draws styles towards their mean;
so they are spread until what is read on generated pictures varies as on real ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vesalius.diffusion.denoiser import Denoiser
from vesalius.diffusion.samplers import dpm_solver_2m
from vesalius.diffusion.schedules import SCHEDULES, even_log_snr_levels
from vesalius.methods.progression.recipe import PictureDetailRecipe
from vesalius.networks.appearance import Appearance
from vesalius.networks.volume_denoiser import VolumeDenoiser
from vesalius.training.objective import Batch, Objective

SCHEDULE = SCHEDULES["cosine"]
FIRST_LEVEL, LAST_LEVEL = 0.995, 0.02
BLOCK = 2
"""Pixels along each side of a block, none of which is lost."""

WIDTHS = (1.0, 1.25, 1.5)
"""Factors on the spread of styles that are tried."""

TRIED = 96
"""Pictures of each."""

Reader = Callable[[np.ndarray], np.ndarray]
"""Attributes `(N, K)` of pictures `(N, C, S, S)`."""


class PictureDetail(Denoiser):
    """Guesses what a generated picture lacks, in blocks of pixels `(B, C·4, S/2, S/2, 1)`.

    Args:
        channels: of pictures.
        side: S.
        style: numbers of a style.
        recipe: widths.

    Attributes:
        styles: distribution of the styles of real pictures.
        width: factor on its spread for new subjects.

    >>> detail = PictureDetail(1, 16, 6, PictureDetailRecipe(widths=(8, 8)))
    >>> lacking = torch.rand(2, 1, 16, 16)
    >>> bool(torch.allclose(detail.unfolded(detail.folded(lacking)), lacking, atol=1e-6))
    True
    """

    std: Tensor
    width: Tensor

    def __init__(self, channels: int, side: int, style: int, recipe: PictureDetailRecipe) -> None:
        blocks = channels * BLOCK**2
        network = VolumeDenoiser(
            blocks, (side // BLOCK, side // BLOCK, 1), 0, recipe.widths, blocks=1,
            attend_from=len(recipe.widths) - 1, given=blocks, thin=True,
        )  # fmt: skip
        super().__init__(network, SCHEDULE)
        self.styles = Appearance(style)
        self.register_buffer("std", torch.ones(()))
        self.register_buffer("width", torch.ones(()))

    def learn_scale(self, images: np.ndarray, generated: np.ndarray, styles: np.ndarray) -> None:
        """Take the scale from differences of pictures, which may lie on disk, and the distribution
        from real styles.
        """
        squares = [float(np.mean(np.square(one.astype(np.float64) - other)))
                   for one, other in zip(images, generated, strict=True)]  # fmt: skip
        self.std.fill_(float(np.sqrt(np.mean(squares))))
        self.styles.fit(torch.from_numpy(styles.astype(np.float32)))

    def folded(self, lacking: Tensor) -> Tensor:
        """Differences `(B, C, S, S)` as diffusion sees them."""
        return functional.pixel_unshuffle(lacking / self.std, BLOCK)[..., None]

    def unfolded(self, blocks: Tensor) -> Tensor:
        """The inverse of `folded`."""
        return functional.pixel_shuffle(blocks[..., 0], BLOCK) * self.std

    def output(self, x: Tensor, level: Tensor, *given: Tensor) -> Tensor:
        """F of noisy blocks, given generated pictures `(B, C, S, S)` in [0, 1]."""
        pictures = functional.pixel_unshuffle(2 * given[0] - 1, BLOCK)[..., None]
        return super().output(x, level, None, pictures)

    def sampled_styles(self, count: int, seed: int, width: float | None = None) -> np.ndarray:
        """Styles of new subjects `(count, W)`, spread by `width`, or by its own if `None`."""
        rng = torch.Generator().manual_seed(seed)
        own = torch.cat([self.styles.sample(rng) for _ in range(count)])
        spread = self.width if width is None else width
        result: np.ndarray = (spread * own * self.styles.std + self.styles.mean).cpu().numpy()
        return result


class PictureDetailObjective(Objective):
    """Differences between real and generated pictures from noise, given the generated ones.

    Args:
        detail: to fit.
        images: real pictures `(N, C, S, S)` in [0, 1].
        generated: what their styles draw.
    """

    def __init__(self, detail: PictureDetail, images: np.ndarray, generated: np.ndarray) -> None:
        super().__init__()
        self.detail, self.images, self.generated = detail, images, generated

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        real, generated = (
            torch.from_numpy(all_[rows.tolist()].astype(np.float32))
            for all_ in (self.images, self.generated)
        )
        return real - generated, generated

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        lacking, generated = batch
        return self.detail.loss(self.detail.folded(lacking), rng, generated)


@torch.no_grad()
def with_detail(
    detail: PictureDetail, pictures: np.ndarray, steps: int, seed: int = 0, batch: int = 64
) -> np.ndarray:
    """Generated pictures with what they lack, `(N, C, S, S)` in [0, 1].

    Args:
        detail: fitted.
        pictures: generated, `(N, C, S, S)` in [0, 1].
        steps: of the solver.
        seed: of the texture; that of a picture depends on it and on the picture's number alone.
        batch: pictures at once.
    """
    detail.eval()
    device = detail.std.device
    levels = even_log_snr_levels(SCHEDULE, steps - 1, FIRST_LEVEL, LAST_LEVEL)
    result = []
    for rows in torch.arange(len(pictures)).split(batch):
        given = torch.from_numpy(pictures[rows.tolist()].astype(np.float32)).to(device)
        noise = torch.stack([_noise(seed, int(row), detail.folded(given).shape[1:])
                             for row in rows]).to(device)  # fmt: skip

        def denoise(x: Tensor, level: Tensor, given: Tensor = given) -> Tensor:
            guess: Tensor = detail(x, level.reshape(-1)[:1].expand(len(x)), given)
            return guess

        blocks = dpm_solver_2m(denoise, noise, levels, SCHEDULE)
        result.append((given + detail.unfolded(blocks)).clamp(0, 1).cpu())
    shown: np.ndarray = torch.cat(result).numpy()
    return shown


def fitting_width(read: Reader, real: np.ndarray, generate: Callable[[float], np.ndarray]) -> float:
    """The factor on the spread of styles at which readings vary as on real pictures.

    Args:
        read: attributes of pictures.
        real: pictures `(N, C, S, S)`.
        generate: pictures of some factor.

    >>> rng = np.random.default_rng(0)
    >>> real, unit = (rng.normal(size=(4000, 1, 1, 1)) for _ in range(2))
    >>> read = lambda pictures: pictures[:, :, 0, 0]
    >>> round(fitting_width(read, real, lambda width: 0.8 * width * unit), 1)
    1.2
    """
    wanted = read(real).std(axis=0)
    shares = [read(generate(width)).std(axis=0) / np.maximum(wanted, 1e-9) for width in WIDTHS]
    reached = np.log(np.maximum(shares, 1e-9)).mean(axis=1)
    rising = np.maximum.accumulate(reached)
    return float(np.interp(0.0, rising, WIDTHS))


def _noise(seed: int, number: int, shape: torch.Size) -> Tensor:
    own = np.random.SeedSequence([seed, number]).generate_state(1)[0].item()
    return torch.randn(shape, generator=torch.Generator().manual_seed(own))
