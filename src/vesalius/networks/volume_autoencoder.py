"""The volume autoencoder: whole volumes of any organ to codes some times coarser, and back.

After the 3D VQ-GAN of Khader et al. 2023, "Denoising diffusion probabilistic models for 3D medical
image generation". Resolution is changed by folding, and every layer looks at a neighbourhood alone:
a network fitted on whole volumes may decode them in tiles.
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.bottleneck import Codebook, Gaussian, Quantized
from vesalius.networks.folding import Factors, depth_to_space, space_to_depth
from vesalius.networks.residual import Residual, voxel_norm
from vesalius.networks.tiling import MAPS_AT_ONCE, in_tiles, tile_within

FINEST = 8
"""Channels at full resolution, where one last convolution smooths over the seams of the folds."""


class VolumeAutoencoder(nn.Module):
    """Images `(B, C, D, H, W)` in about [0, 1] to codes `(B, K, D/f, H/g, W/h)`, and back.

    Args:
        channels: C.
        code_channels: K.
        downsampling: f, g and h, powers of two.
        widths: channels of each resolution that is worked on, finest first: as many as the largest
            factor has powers of two.
        blocks: residual blocks of each resolution.
        bottleneck: codebook or Gaussian.

    >>> import torch
    >>> net = VolumeAutoencoder(1, 4, (4, 4, 2), (8, 16), 1, Codebook(4, size=32))
    >>> decoded, loss, code = net(torch.rand(1, 1, 8, 8, 8))
    >>> decoded.shape, code.shape
    (torch.Size([1, 1, 8, 8, 8]), torch.Size([1, 4, 2, 2, 4]))
    """

    def __init__(
        self, channels: int, code_channels: int, downsampling: Factors, widths: tuple[int, ...],
        blocks: int, bottleneck: Codebook | Gaussian,
    ) -> None:  # fmt: skip
        super().__init__()
        self.steps = folding_steps(downsampling)
        if len(widths) != len(self.steps):
            raise ValueError(f"{downsampling} takes {len(self.steps)} widths, not {len(widths)}")
        self.downsampling, self.bottleneck = downsampling, bottleneck
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.encoders, self.decoders = nn.ModuleList(), nn.ModuleList()
        before = channels
        for step, width in zip(self.steps, widths, strict=True):
            folded = before * math.prod(step)
            reach = 3 if before == channels else 1
            self.down.append(nn.Conv3d(folded, width, reach, padding=reach // 2))
            self.encoders.append(nn.Sequential(*[Residual(width) for _ in range(blocks)]))
            self.decoders.append(nn.Sequential(*[Residual(width) for _ in range(blocks)]))
            unfolded = FINEST * math.prod(step) if before == channels else folded
            self.up.append(nn.Conv3d(width, unfolded, 3, padding=1))
            before = width
        self.to_features = nn.Conv3d(before, code_channels * bottleneck.features_per_channel, 1)
        self.from_code = nn.Conv3d(code_channels, before, 3, padding=1)
        self.conv_out = nn.Conv3d(FINEST, channels, 3, padding=1)
        self.blocks = blocks

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The image come back, the loss of the bottleneck, and the code."""
        features = self.features(image)
        quantized: Quantized = self.bottleneck(features)
        return (
            self.decode_quantized(quantized.code),
            quantized.loss,
            self.bottleneck.code(features),
        )

    def features(self, image: Tensor) -> Tensor:
        """What the encoder sees, before the bottleneck."""
        h = 2 * image - 1
        for step, down, encoder in zip(self.steps, self.down, self.encoders, strict=True):
            h = encoder(down(space_to_depth(h, step)))
        out: Tensor = self.to_features(functional.silu(voxel_norm(h)))
        return out

    def encode(self, image: Tensor) -> Tensor:
        """The code before quantisation."""
        return self.bottleneck.code(self.features(image))

    def decode(self, code: Tensor) -> Tensor:
        """The image of a code, whole."""
        return self.decode_quantized(self.bottleneck.quantize(code))

    def decode_quantized(self, code: Tensor) -> Tensor:
        """The image of what the bottleneck passes on."""
        h = self.from_code(code)
        for step, up, decoder in reversed(
            list(zip(self.steps, self.up, self.decoders, strict=True))
        ):
            h = depth_to_space(up(functional.silu(voxel_norm(decoder(h)))), step)
        return 0.5 + 0.5 * self.conv_out(functional.silu(h)).float()

    def decode_in_tiles(self, code: Tensor, tile: Factors | None = None) -> Tensor:
        """The same image as `decode`, from one tile of the code after the other.

        What is held at any time is the volume and one tile with its surroundings.

        Args:
            code: `(B, K, D, H, W)`.
            tile: its sides in voxels of the code; as large as the free memory allows if `None`.
        """
        sides = code.shape[2:]
        own = tile or tile_within(sides, self.reach, len(code) * self._bytes(), code.device)
        return in_tiles(self.decode, [code], sides, own, self.reach, self.downsampling)

    def encode_in_tiles(self, image: Tensor, tile: Factors | None = None) -> Tensor:
        """The same code as `encode`, from one tile of the image after the other.

        Args:
            image: `(B, C, D, H, W)`.
            tile: its sides in voxels of the code; as large as the free memory allows if `None`.
        """
        sides = [n // factor for n, factor in zip(image.shape[2:], self.downsampling, strict=True)]
        own = tile or tile_within(sides, self.reach, len(image) * self._bytes(), image.device)
        return in_tiles(self.encode, [image], sides, own, self.reach, (1, 1, 1))

    def _bytes(self) -> float:
        """About what working on one voxel of the code takes: maps of the largest resolution."""
        numbers, voxels = [FINEST * math.prod(self.downsampling)], math.prod(self.downsampling)
        for step, down in zip(self.steps, self.down, strict=True):
            assert isinstance(down, nn.Conv3d)
            voxels //= math.prod(step)
            numbers.append(down.out_channels * voxels)
        return MAPS_AT_ONCE * 4.0 * max(numbers)

    @property
    def reach(self) -> Factors:
        """How many voxels of the code away along each axis a decoded voxel may look."""
        a, b, c = (self._reach_along(axis) for axis in range(3))
        return a, b, c

    def _reach_along(self, axis: int) -> int:
        away, size = 1.0, 1.0
        for step in reversed(self.steps):
            away += size * (2 * self.blocks + 1)
            size /= step[axis]
        return math.ceil(away + size)


def folding_steps(downsampling: Factors) -> tuple[Factors, ...]:
    """Factors of each step down; axes that need fewer are folded last.

    >>> folding_steps((8, 8, 4))
    ((2, 2, 1), (2, 2, 2), (2, 2, 2))
    """
    powers = [factor.bit_length() - 1 for factor in downsampling]
    if any(2**power != factor for power, factor in zip(powers, downsampling, strict=True)):
        raise ValueError(f"{downsampling} are no powers of two")
    most = max(powers)
    steps = [[2 if level >= most - power else 1 for power in powers] for level in range(most)]
    return tuple((a, b, c) for a, b, c in steps)
