"""Two normalisation paths in one network: one for clean images, one for adversarial ones.

Clean and adversarial images have different statistics. With a batch normalisation of their own
each, and all other weights shared, a network learns from both without paying in accuracy on the
clean ones (Xie et al. 2020, "Adversarial examples improve image recognition", section 3.2; for
radiology Han et al. 2021, "Advancing diagnostic performance and clinical usability of neural
networks via adversarial training and dual batch normalization").
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Literal, TypeVar

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Path = Literal["clean", "adversarial"]
Network = TypeVar("Network", bound=nn.Module)


class DualNorm(nn.Module):
    """A batch normalisation for each path; `path` says through which the next batch goes.

    Args:
        norm: whose weights and statistics both paths begin with.
        momentum: of the running statistics, that of `norm` if `None`.

    >>> import torch
    >>> norm = DualNorm(nn.BatchNorm2d(3)).eval()
    >>> norm.adversarial.bias.data += 1
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> clean = float(norm(image).mean())
    >>> with route(norm, "adversarial"):
    ...     clean, round(float(norm(image).mean()), 3)
    (0.0, 1.0)
    """

    def __init__(self, norm: _BatchNorm, momentum: float | None = None) -> None:
        super().__init__()
        self.clean, self.adversarial = norm, deepcopy(norm)
        self.path: Path = "clean"
        for own in (self.clean, self.adversarial):
            own.momentum = norm.momentum if momentum is None else momentum

    def forward(self, maps: Tensor) -> Tensor:
        norm = self.clean if self.path == "clean" else self.adversarial
        out: Tensor = norm(maps)
        return out


def to_dual_bn(network: Network, momentum: float | None = None) -> Network:
    """A copy of a network in which every batch normalisation, 1D to 3D, has two paths.

    Both begin with the weights and statistics that the network has.

    Args:
        network: any that has batch normalisation.
        momentum: of the running statistics; 0.01 as published.

    Raises:
        ValueError: for a network without batch normalisation.

    >>> network = nn.Sequential(nn.Conv3d(1, 4, 3), nn.BatchNorm3d(4), nn.ReLU())
    >>> [type(part).__name__ for part in to_dual_bn(network)]
    ['Conv3d', 'DualNorm', 'ReLU']
    """
    norms = [name for name, part in network.named_modules() if isinstance(part, _BatchNorm)]
    if not norms:
        raise ValueError(f"{type(network).__name__} has no batch normalisation to double")
    twin = deepcopy(network)
    for name in norms:
        part = twin.get_submodule(name)
        assert isinstance(part, _BatchNorm)
        twin.set_submodule(name, DualNorm(part, momentum))
    return twin


def to_single_bn(network: Network, path: Path = "clean") -> Network:
    """A copy with plain batch normalisation, those of one path: the network that was doubled.

    Its state dict has the names of the standard network.

    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    >>> list(to_single_bn(to_dual_bn(network)).state_dict()) == list(network.state_dict())
    True
    """
    twin = deepcopy(network)
    for name, part in network.named_modules():
        if isinstance(part, DualNorm):
            twin.set_submodule(name, deepcopy(part.clean if path == "clean" else part.adversarial))
    return twin


def is_dual(network: nn.Module) -> bool:
    """Whether a network has two paths."""
    return any(isinstance(part, DualNorm) for part in network.modules())


@contextmanager
def route(network: nn.Module, path: Path) -> Iterator[None]:
    """Send images through one path; afterwards through the one that they took before.

    A network without two paths has only one way, and stays as it is.
    """
    norms = [part for part in network.modules() if isinstance(part, DualNorm)]
    before = [norm.path for norm in norms]
    for norm in norms:
        norm.path = path
    try:
        yield
    finally:
        for norm, own in zip(norms, before, strict=True):
            norm.path = own
