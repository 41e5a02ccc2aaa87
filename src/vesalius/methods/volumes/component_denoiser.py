"""The denoiser of block components, which keep the share that each has in the volume.

Coarse components are settled first and details under them, and no error of a coarse one shows as
the grid of the blocks. Whitened, as codes of an autoencoder are, all components weigh alike; after
as many steps every block then has a brightness of its own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vesalius.diffusion.denoiser import CleanDenoiser
from vesalius.diffusion.schedules import Schedule
from vesalius.methods.volumes.code_denoiser import CodeDenoiser
from vesalius.networks.volume_denoiser import VolumeDenoiser

SPREAD = 0.5
"""Mean SD of the components on the scale of diffusion, so that many levels of noise tell shapes."""

LEAST_NOISE, MOST_NOISE = 0.005, 0.1
"""Of what no network can predict, on the scale of diffusion."""


class ComponentDenoiser(CleanDenoiser, CodeDenoiser):
    """Guesses clean components; where a sample is cleaner than the volumes' noise, it is trusted.

    Args:
        network: F.
        schedule: of noise.
        components: how many.

    >>> from vesalius.diffusion.schedules import SCHEDULES
    >>> network = VolumeDenoiser(2, (4, 4, 4), 0, (8,), 1)
    >>> denoiser = ComponentDenoiser(network, SCHEDULES["cosine"], 2)
    >>> denoiser.learn_shares(torch.tensor([0.3, 0.1]), torch.tensor(0.01))
    >>> [round(float(one), 2) for one in denoiser.scaled(torch.ones(1, 2, 1, 1, 1)).flatten()]
    [0.67, 0.22]
    >>> code = torch.rand(1, 2, 4, 4, 4)
    >>> bool(torch.allclose(denoiser.unscaled(denoiser.scaled(code)), code))
    True
    """

    last_level = 0.008

    def __init__(self, network: VolumeDenoiser, schedule: Schedule, components: int) -> None:
        super().__init__(network, schedule)
        self.register_buffer("share", torch.ones(1, components, 1, 1, 1))
        self.register_buffer("noise", torch.tensor(MOST_NOISE))
        self.share: Tensor
        self.noise: Tensor

    def learn_shares(self, component_sd: Tensor, noise_sd: Tensor) -> None:
        """Take shares from the components' SD `(K,)`, and how noisy volumes are.

        The least of few components is structure still: taken for noise, every block would keep a
        brightness of its own.
        """
        scale = SPREAD / component_sd.square().mean().sqrt()
        self.share.copy_((scale * component_sd).reshape(self.share.shape))
        self.noise.copy_((scale * noise_sd).clamp(LEAST_NOISE, MOST_NOISE))

    def scaled(self, code: Tensor) -> Tensor:
        """Whitened components as diffusion sees them."""
        return code * self.share

    def unscaled(self, x: Tensor) -> Tensor:
        """The inverse of `scaled`."""
        return x / self.share

    def own_noise(self, *given: Any) -> Tensor:
        return self.noise

    def own_spread(self) -> Tensor:
        """Between the share of each component and one number for all of them.

        By one number, errors of fine components count for nothing until little noise is left, and
        what is generated is smooth; by their own shares, the many fine ones outweigh the few that
        settle the shape.
        """
        return (self.share * SPREAD).sqrt()
