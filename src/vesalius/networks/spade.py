"""SPADE: normalisation whose scale and shift are read off a label map (Park et al. 2019, eq. 1).

    out = norm(x)·(1 + γ(labels)) + β(labels)

γ and β depend on the labels alone. `LabelEncoder` computes what all layers of one resolution share
once for each label map, and a sampler may keep it through all its steps; the result is the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.folding import space_to_depth
from vesalius.networks.residual import voxel_norm


class LabelEncoder(nn.Module):
    """Features of a one-hot label map at some resolutions, no voxel of it averaged away.

    Args:
        labels: number of labels, the background included.
        factors: coarseness of each resolution that is read, such as `(2, 4)`.
        width: channels that come out for each.

    >>> reader = LabelEncoder(labels=3, factors=(2, 4), width=8)
    >>> {f: tuple(map_.shape) for f, map_ in reader(torch.zeros(1, 3, 8, 8, 8)).items()}
    {2: (1, 8, 4, 4, 4), 4: (1, 8, 2, 2, 2)}
    """

    def __init__(self, labels: int, factors: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.labels, self.factors = labels, factors
        self.conv_in, self.mix = nn.ModuleList(), nn.ModuleList()
        at, channels = 1, labels
        for factor in factors:
            self.conv_in.append(nn.Conv3d(channels * (factor // at) ** 3, width, 1))
            self.mix.append(nn.Conv3d(width, width, 3, padding=1))
            at, channels = factor, width

    def forward(self, one_hot: Tensor) -> dict[int, Tensor]:
        maps: dict[int, Tensor] = {}
        below, at = one_hot, 1
        for factor, conv_in, mix in zip(self.factors, self.conv_in, self.mix, strict=True):
            below = conv_in(space_to_depth(below, factor // at))
            below = below + mix(functional.silu(below))
            maps[factor], at = below, factor
        return maps


Modulation = tuple[Tensor, Tensor]
"""Scale and shift of each voxel and channel, as they are read off the labels."""


class Spade(nn.Module):
    """Normalise the channels of `(B, C, D, H, W)` voxel by voxel, scale and shift them by labels.

    >>> Spade(4, 8)(torch.rand(2, 4, 3, 3, 3), torch.rand(2, 8, 3, 3, 3)).shape
    torch.Size([2, 4, 3, 3, 3])
    """

    def __init__(self, channels: int, label_width: int) -> None:
        super().__init__()
        self.modulation = nn.Conv3d(label_width, 2 * channels, 1)

    def read(self, label_features: Tensor) -> Modulation:
        """1 + γ and β, which depend on the labels alone and may be kept."""
        gamma, beta = self.modulation(label_features).chunk(2, dim=1)
        return 1 + gamma, beta

    def forward(self, x: Tensor, labels: Tensor | Modulation) -> Tensor:
        """Of `x`, with features of labels or what was read of them."""
        scale, shift = labels if isinstance(labels, tuple) else self.read(labels)
        out: Tensor = voxel_norm(x) * scale + shift
        return out


class SpadeBlock(nn.Module):
    """Two SPADE-normalised convolutions beside a skip, optionally told a vector.

    Args:
        channels_in, channels: in and out.
        label_width: channels of the label features.
        embedding_dim: width of the vector added between the convolutions, 0 for none.
    """

    def __init__(
        self, channels_in: int, channels: int, label_width: int, embedding_dim: int = 0
    ) -> None:
        super().__init__()
        self.first_norm = Spade(channels_in, label_width)
        self.first = nn.Conv3d(channels_in, channels, 3, padding=1)
        self.second_norm = Spade(channels, label_width)
        self.second = nn.Conv3d(channels, channels, 3, padding=1)
        self.skip = nn.Conv3d(channels_in, channels, 1) if channels_in != channels else None
        self.embed = nn.Linear(embedding_dim, channels) if embedding_dim else None

    def read(self, label_features: Tensor) -> tuple[Modulation, Modulation]:
        """What both normalisations read of the labels, kept through the steps of a sampler."""
        return self.first_norm.read(label_features), self.second_norm.read(label_features)

    def forward(
        self, x: Tensor, labels: Tensor | tuple[Modulation, Modulation],
        vector: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Of `x`, with features of labels or what was read of them."""
        first, second = labels if isinstance(labels, tuple) else (labels, labels)
        h = self.first(functional.silu(self.first_norm(x, first)))
        if self.embed is not None and vector is not None:
            h = h + self.embed(vector)[:, :, None, None, None]
        h = self.second(functional.silu(self.second_norm(h, second)))
        total: Tensor = h + (x if self.skip is None else self.skip(x))
        return total


def one_hot(label_map: Tensor, labels: int) -> Tensor:
    """Label numbers `(B, D, H, W)` as `(B, labels, D, H, W)` floats.

    >>> one_hot(torch.tensor([[[[0, 2]]]]), 3)[0, :, 0, 0].tolist()
    [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    """
    codes = torch.arange(labels, device=label_map.device).reshape(1, labels, 1, 1, 1)
    return (label_map[:, None] == codes).float()
