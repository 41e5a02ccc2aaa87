"""The denoiser of images in its two forms: on codes of an autoencoder, and on blocks of voxels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from vesalius.diffusion.denoiser import CleanDenoiser, Denoiser
from vesalius.diffusion.schedules import Schedule
from vesalius.methods.guided.appearance import BACKGROUND_NOISE, NOISE, SPREAD
from vesalius.networks.appearance import Appearance
from vesalius.networks.latent_denoiser import SpadeLatentDenoiser

LEAST_NOISE, MOST_NOISE = 0.01, 0.5
"""Of a scanner, in units of the image's SD; less makes all levels of diffusion count alike."""


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


class BlockDenoiser(CleanDenoiser, ImageDenoiser):
    """Guesses blocks of voxels that lost nothing, so noise of the scanner is part of them.

    The network predicts the clean blocks, and where the sample is cleaner than the scanner's noise,
    the sample is trusted: a narrow network cannot carry noise through. Components keep the share
    that they have in the image; so coarse ones are settled first, and details under them. Given are
    features of labels, a standardised appearance, and the noise map.

    Args:
        network: F, given features of labels and an appearance.
        code_channels: of the blocks.
        schedule: of noise.
        appearance: of scans.
        channels: of an image.
        bias: of the coefficients of bias fields, `(C·K,)` in a row; `None` where images are learnt
            with theirs.
    """

    last_level = 0.008

    def __init__(
        self, network: SpadeLatentDenoiser, code_channels: int, schedule: Schedule,
        appearance: Appearance, channels: int, bias: Appearance | None = None,
    ) -> None:  # fmt: skip
        super().__init__(network, code_channels, schedule)
        self.appearance, self.channels, self.bias = appearance, channels, bias
        self.register_buffer("image_sd", torch.tensor(1.0))
        self.register_buffer("prior_sd", torch.tensor(0.5))
        self.image_sd: Tensor
        self.prior_sd: Tensor

    def learn_scale(self, component_sd: Tensor, known: Tensor) -> None:
        """Take the scale from the components' SD, and what can be predicted from appearances.

        Args:
            component_sd: in the units of images `(K,)`.
            known: appearances `(N, A)`, see `appearance_of`.
        """
        self.image_sd.copy_(component_sd.square().mean().sqrt())
        self.code_scale.copy_((self.image_sd.cpu() / component_sd).reshape(self.code_scale.shape))
        self.appearance.fit(known)
        spread = known.reshape(len(known), self.channels, -1)[..., SPREAD]
        self.prior_sd.copy_((spread.square().mean().sqrt() / self.image_sd).clamp(0.05, 1.0))

    def sampled_field(self, rng: torch.Generator) -> Tensor | None:
        """Coefficients of a new scan's bias field `(1, C, K)`, if fields are apart from images."""
        if self.bias is None:
            return None
        own = self.bias.sample(rng) * self.bias.std + self.bias.mean
        return own.reshape(1, self.channels, -1)

    def noise_map(
        self, painted: Tensor, appearance: Tensor, scales: Tensor | float = 1.0
    ) -> Tensor:  # fmt: skip
        """Noise of the scanner in each block `(B, 1, d, h, w)`, on the scale of diffusion.

        Args:
            painted: one-hot label map `(B, labels, D, H, W)`.
            appearance: standardised `(B, A)`.
            scales: factors on the noise of each label `(labels,)`.
        """
        known = appearance * self.appearance.std + self.appearance.mean
        noise = known.reshape(len(known), self.channels, -1).mean(dim=1) / self.image_sd
        noise = noise.clamp(LEAST_NOISE, MOST_NOISE)
        labels = painted.shape[1]
        own = noise[:, NOISE, None].repeat(1, labels)
        own[:, 0] = noise[:, BACKGROUND_NOISE]
        shares = functional.avg_pool3d(painted, self.network.coarseness)
        return torch.einsum("bldhw,bl->bdhw", shares, own * scales)[:, None]

    def output(self, x: Tensor, level: Tensor, *given: Any) -> Tensor:
        maps, appearance, _ = given
        return super().output(x, level, maps, appearance)

    def own_noise(self, *given: Any) -> Tensor:
        noise: Tensor = given[-1]
        return noise

    def own_spread(self) -> Tensor:
        return self.prior_sd
