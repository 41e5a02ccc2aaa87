"""The image autoencoder: an encoder, and a SPADE decoder that knows the label map.

A variational autoencoder with a Gaussian observation whose spread is learnt (Rybkin et al. 2021,
"Simple and effective VAE training with calibrated decoders", eq. 4): the decoder gives a mean and a
standard deviation for every voxel. Scanner noise, which no code could carry, is therefore part of
the model, and drawing from the observation puts it back.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.bottleneck import FREE_NATS
from vesalius.networks.folding import Factors, depth_to_space, space_to_depth
from vesalius.networks.residual import Residual
from vesalius.networks.spade import LabelEncoder, SpadeBlock, one_hot
from vesalius.networks.tiling import MAPS_AT_ONCE, in_tiles, tile_within


class ImageAutoencoder(nn.Module):
    """Images `(B, C, D, H, W)` in about [0, 1] to codes four times coarser, and back with labels.

    The finest features stand at half resolution and hold 2×2×2 voxels a channel group, which costs
    an eighth of a network at full resolution.

    Args:
        channels: of the image.
        labels: number of labels, the background included.
        code_channels: of the code.
        widths: channels at half and at quarter resolution.
        blocks: SPADE blocks at each resolution.

    >>> net = ImageAutoencoder(channels=1, labels=3, code_channels=4, widths=(16, 16), blocks=1)
    >>> image, labels = torch.rand(1, 1, 8, 8, 8), torch.zeros(1, 3, 8, 8, 8)
    >>> mean, std = net.encode(image)
    >>> mean.shape, net.decode(mean, labels)[0].shape
    (torch.Size([1, 4, 2, 2, 2]), torch.Size([1, 1, 8, 8, 8]))
    """

    coarseness = 4

    def __init__(
        self, channels: int, labels: int, code_channels: int, widths: tuple[int, int], blocks: int
    ) -> None:
        super().__init__()
        fine, coarse = widths
        self.code_channels = code_channels
        self.conv_in = nn.Conv3d(8 * channels, fine, 3, padding=1)
        self.encode_fine = nn.Sequential(*[Residual(fine) for _ in range(1)])
        self.down = nn.Conv3d(8 * fine, coarse, 1)
        self.encode_coarse = nn.Sequential(*[Residual(coarse) for _ in range(blocks)])
        self.to_code = nn.Conv3d(coarse, 2 * code_channels, 1)

        self.read_labels = LabelEncoder(labels, (2, 4), fine)
        self.from_code = nn.Conv3d(code_channels + fine, coarse, 1)
        self.decode_coarse = nn.ModuleList(
            [SpadeBlock(coarse, coarse, fine) for _ in range(blocks)]
        )
        self.up = nn.Conv3d(coarse, 8 * fine, 1)
        self.decode_fine = nn.ModuleList([SpadeBlock(fine, fine, fine) for _ in range(blocks)])
        self.conv_out = nn.Conv3d(fine, 2 * 8 * channels, 3, padding=1)
        self.tissue = nn.Conv3d(8 * labels, 8 * channels, 1)

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the code, each `(B, K, D/4, H/4, W/4)`."""
        h = self.encode_fine(self.conv_in(space_to_depth(2 * image - 1, 2)))
        h = self.encode_coarse(self.down(space_to_depth(h, 2)))
        mean, log_variance = self.to_code(functional.silu(h)).float().chunk(2, dim=1)
        return mean, torch.exp(0.5 * log_variance.clamp(-12, 4))

    def decode(self, code: Tensor, label_one_hot: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of every voxel, each `(B, C, D, H, W)`."""
        maps = self.read_labels(label_one_hot)
        h = self.from_code(torch.cat([code, maps[4]], dim=1))
        for block in self.decode_coarse:
            h = block(h, maps[4])
        h = depth_to_space(self.up(h), 2) + maps[2]
        for block in self.decode_fine:
            h = block(h, maps[2])
        out = depth_to_space(self.conv_out(functional.silu(h)).float(), 2)
        mean, log_std = out.chunk(2, dim=1)
        tissue = self.tissue(space_to_depth(label_one_hot, 2)).float()
        mean = mean + depth_to_space(tissue, 2)
        return 0.5 + 0.5 * mean, torch.exp(log_std.clamp(-5, 1) - 2.5)

    def decode_in_tiles(
        self, code: Tensor, label_map: Tensor, tile: Factors | None = None
    ) -> tuple[Tensor, Tensor]:
        """The same as `decode`, from one tile after the other; labels are told by their numbers.

        Args:
            code: `(B, K, D/4, H/4, W/4)`.
            label_map: whole numbers from 0 `(B, D, H, W)`.
            tile: its sides in voxels of the code; as large as the free memory allows if `None`.
        """
        labels = self.read_labels.labels

        def work(code: Tensor, label_map: Tensor) -> Tensor:
            return torch.cat(self.decode(code, one_hot(label_map[:, 0], labels)), dim=1)

        a = 3 * len(self.decode_fine) + 3  # three of the label encoder and the last layer
        numbers = max(8 * self.conv_out.in_channels, 64 * labels)
        needed = MAPS_AT_ONCE * 4.0 * len(code) * numbers
        sides, reach, grown = code.shape[2:], (a, a, a), (self.coarseness,) * 3
        own = tile or tile_within(sides, reach, needed, code.device)
        mean, std = in_tiles(work, [code, label_map[:, None]], sides, own, reach, grown).chunk(2, 1)
        return mean, std

    def loss(
        self, image: Tensor, label_one_hot: Tensor, noise: Tensor, kl_weight: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Absolute error of the mean, -log N(error; 0, spread), and weight·KL, for each voxel.

        The spread is fitted to the error of the mean but does not weigh it: a joint likelihood
        explains away as noise what it has not learnt yet (Seitzer et al. 2022).

        Args:
            noise: standard normal, like the code.
            kl_weight: of the Kullback-Leibler divergence of the code from N(0, 1).

        Returns:
            the loss, and mean and standard deviation of every voxel.
        """
        mean, std = self.encode(image)
        decoded, observed = self.decode(mean + std * noise, label_one_hot)
        error = (image - decoded).abs()
        likelihood = 0.5 * (error.detach() / observed) ** 2 + torch.log(observed)
        divergence = 0.5 * (mean**2 + std**2 - 1 - 2 * torch.log(std))
        divergence = divergence.mean(dim=(0, 2, 3, 4)).clamp(min=FREE_NATS).mean()
        total = 10 * error.mean() + 0.1 * likelihood.mean() + kl_weight * divergence
        return total, decoded, observed
