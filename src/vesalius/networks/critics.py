"""Critics of a volume: one looks at slices, one at the whole; MONAI's patch discriminators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from monai.networks.nets import PatchDiscriminator
from torch import Tensor, nn
from torch.nn import functional


def patch_critic(dimensions: int, channels: int, width: int, levels: int) -> PatchDiscriminator:
    """Judges overlapping patches of `(B, C, …)` in two or three dimensions (Isola et al. 2017).

    >>> judged = patch_critic(2, 1, 8, 2)(torch.rand(1, 1, 32, 32))
    >>> len(judged), judged[-1].shape[1]
    (4, 1)
    """
    return PatchDiscriminator(
        spatial_dims=dimensions, channels=width, in_channels=channels, num_layers_d=levels,
        norm="INSTANCE",
    )  # fmt: skip


def hinge_loss(real: Tensor, generated: Tensor) -> Tensor:
    """What a critic minimises: (max(0, 1 − D(x)) + max(0, 1 + D(x̂)))/2 (Lim and Ye 2017, eq. 3).

    >>> hinge_loss(torch.tensor([2.0]), torch.tensor([-0.5])).item()
    0.25
    """
    return 0.5 * (functional.relu(1 - real).mean() + functional.relu(1 + generated).mean())


def feature_distance(real: Sequence[Tensor], generated: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of a critic's inner layers (Wang et al. 2018, "pix2pixHD", eq. 4).

    >>> feature_distance([torch.ones(1), torch.ones(1)], [torch.zeros(1), torch.ones(1)]).item()
    0.5
    """
    gaps = [(a.detach() - b).abs().mean() for a, b in zip(real, generated, strict=True)]
    return torch.stack(gaps).mean()


@contextmanager
def frozen(critic: nn.Module) -> Iterator[nn.Module]:
    """The critic with its weights held: gradients pass through to what it judges alone."""
    for weight in critic.parameters():
        weight.requires_grad_(False)
    try:
        yield critic
    finally:
        for weight in critic.parameters():
            weight.requires_grad_(True)
