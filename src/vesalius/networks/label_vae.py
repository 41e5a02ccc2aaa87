"""A convolutional label autoencoder for large cohorts: MONAI's KL autoencoder on one-hot maps."""

from __future__ import annotations

import torch
from monai.losses import DiceCELoss
from monai.networks.nets import AutoencoderKL
from torch import Tensor, nn

from vesalius.networks.spade import one_hot


class LabelVae(nn.Module):
    """Label maps `(B, D, H, W)` to codes `(B, K, D/f, H/f, W/f)`, f = 2^(levels − 1), and back.

    Args:
        labels: how many, the background included.
        shape: of the label maps.
        widths: channels of each level, finest first.
        code_channels: K.

    >>> vae = LabelVae(labels=3, shape=(16, 16, 16), widths=(8, 16), code_channels=4)
    >>> mean, std = vae.encode(torch.zeros(1, 16, 16, 16, dtype=torch.long))
    >>> mean.shape, vae.decode(mean).shape
    (torch.Size([1, 4, 8, 8, 8]), torch.Size([1, 3, 16, 16, 16]))
    """

    def __init__(
        self, labels: int, shape: tuple[int, int, int], widths: tuple[int, ...], code_channels: int
    ) -> None:
        super().__init__()
        self.labels = labels
        coarseness = 2 ** (len(widths) - 1)
        x, y, z = (side // coarseness for side in shape)
        self.code_shape: tuple[int, ...] = (code_channels, x, y, z)
        self.network = AutoencoderKL(
            spatial_dims=3, in_channels=labels, out_channels=labels, channels=widths,
            latent_channels=code_channels, num_res_blocks=1, norm_num_groups=8,
            attention_levels=(False,) * len(widths), with_encoder_nonlocal_attn=False,
            with_decoder_nonlocal_attn=False,
        )  # fmt: skip
        self.agreement = DiceCELoss(softmax=True, include_background=False)

    def encode(self, label_map: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the codes."""
        mean, std = self.network.encode(one_hot(label_map, self.labels))
        return mean.float(), std.float()

    def decode(self, code: Tensor) -> Tensor:
        """Scores `(B, labels, D, H, W)`."""
        scores: Tensor = self.network.decode(code)
        return scores.float()

    def loss(self, label_map: Tensor, noise: Tensor, kl_weight: float) -> Tensor:
        """Dice and cross-entropy of the map that comes back, and KL of its code from N(0, 1)."""
        mean, std = self.encode(label_map)
        scores = self.decode(mean + std * noise)
        divergence = 0.5 * (mean**2 + std**2 - 1 - 2 * torch.log(std)).mean()
        agreement: Tensor = self.agreement(scores, one_hot(label_map, self.labels))
        return agreement + kl_weight * divergence
