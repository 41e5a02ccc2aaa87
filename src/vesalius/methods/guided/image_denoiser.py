"""The denoiser of images in its two forms: on codes of an autoencoder, and on blocks of voxels."""

from __future__ import annotations

import torch
from torch import Tensor

from vesalius.diffusion.denoiser import Denoiser
from vesalius.diffusion.preconditioning import clean_prediction, expected_error
from vesalius.diffusion.schedules import Schedule, sampled_levels
from vesalius.methods.guided.appearance import NOISE, SPREAD, Appearance
from vesalius.networks.latent_denoiser import SpadeLatentDenoiser


class ImageDenoiser(Denoiser):
    """Guesses clean image codes at unit SD; knows how to bring codes there and back."""

    network: SpadeLatentDenoiser
    last_level = 0.02
    """Where a sampler takes its last step from."""

    def __init__(
        self, network: SpadeLatentDenoiser, code_channels: int, schedule: Schedule
    ) -> None:
        super().__init__(network, schedule)
        self.register_buffer("code_mean", torch.zeros(1, code_channels, 1, 1, 1))
        self.register_buffer("code_scale", torch.ones(1, code_channels, 1, 1, 1))
        self.code_mean: Tensor
        self.code_scale: Tensor

    def scaled(self, code: Tensor) -> Tensor:
        """Codes as diffusion sees them."""
        return (code - self.code_mean) / self.code_scale

    def unscaled(self, x: Tensor) -> Tensor:
        """The inverse of `scaled`."""
        return x * self.code_scale + self.code_mean


class BlockDenoiser(ImageDenoiser):
    """Guesses blocks of voxels that lost nothing, so noise of the scanner is part of them.

    The network predicts the clean blocks, and where the sample is cleaner than the scanner's noise,
    the sample is trusted: a narrow network cannot carry noise through. Components keep the share
    that they have in the image; so coarse ones are settled first, and details under them.

    Args:
        network: F, given features of labels and an appearance.
        code_channels: of the blocks.
        schedule: of noise.
        appearance: of scans.
    """

    last_level = 0.008

    def __init__(
        self, network: SpadeLatentDenoiser, code_channels: int, schedule: Schedule,
        appearance: Appearance,
    ) -> None:  # fmt: skip
        super().__init__(network, code_channels, schedule)
        self.appearance = appearance
        self.register_buffer("noise_sd", torch.tensor(0.05))
        self.register_buffer("prior_sd", torch.tensor(0.5))
        self.noise_sd: Tensor
        self.prior_sd: Tensor

    def learn_scale(self, component_sd: Tensor, known: Tensor, channels: int) -> None:
        """Take the scale from the components' SD, and what can be predicted from appearances.

        Args:
            component_sd: in the units of images `(K,)`.
            known: appearances `(N, C · (labels + 2))`.
            channels: C.
        """
        image_sd = component_sd.square().mean().sqrt()
        self.code_scale.copy_((image_sd / component_sd).reshape(self.code_scale.shape))
        self.appearance.fit(known)
        by_channel = known.reshape(len(known), channels, -1)
        noise = by_channel[..., NOISE].nanmedian() / image_sd
        self.noise_sd.copy_(torch.nan_to_num(noise, nan=0.05).clamp(0.01, 0.5))
        spread = by_channel[..., SPREAD].square().mean().sqrt() / image_sd
        self.prior_sd.copy_(spread.clamp(0.05, 1.0))

    def forward(self, x: Tensor, level: Tensor, *given: Tensor) -> Tensor:
        output = self.output(x, level, *given)
        return clean_prediction(output, x, level, self.schedule, self.noise_sd)

    def loss(self, clean: Tensor, rng: torch.Generator, *given: Tensor) -> Tensor:
        """Squared error of clean blocks `(B, ...)` in units of a fair guess, at random levels."""
        noise = torch.randn(clean.shape, generator=rng).to(clean.device)
        level = sampled_levels(len(clean), rng).to(clean.device)
        x = self.schedule.noisy(clean, noise, level)
        fair = expected_error(level, x, self.schedule, self.prior_sd, self.noise_sd)
        return ((self(x, level, *given) - clean).square() / fair).mean()
