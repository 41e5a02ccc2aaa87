"""Inception v3 without its classifier, by the names that published weights have.

Szegedy et al. 2016, "Rethinking the Inception architecture for computer vision", as torchvision
names its parts: a network whose features are compared, never trained here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

Kernel = int | tuple[int, int]


class _Conv(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, channels_in: int, channels: int, kernel: Kernel, stride: int = 1,
                 padding: Kernel = 0) -> None:  # fmt: skip
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


Step = tuple[str, int, Kernel]
Branch = Sequence[Step]


class _Mixed(nn.Module):
    """Branches side by side, joined along the channels.

    Args:
        channels_in: of every branch.
        branches: each a chain of (name, channels, kernel); the last steps of a chain may fork.
        forks: names of steps that both take what came before them.
        pool: channels after average pooling; `None` where the block halves the grid instead, by
            the last step of each branch and by maximum pooling.
    """

    def __init__(
        self, channels_in: int, branches: Sequence[Branch], pool: int | None,
        forks: Sequence[str] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        self.chains = [[name for name, _, _ in branch] for branch in branches]
        self.forks, self.halves = set(forks), pool is None
        for branch in branches:
            width = channels_in
            for index, (name, channels, kernel) in enumerate(branch):
                last = index == len(branch) - 1 and self.halves
                padding: Kernel = (
                    0 if last
                    else kernel // 2 if isinstance(kernel, int)
                    else (kernel[0] // 2, kernel[1] // 2)
                )  # fmt: skip
                step = _Conv(width, channels, kernel, 2 if last else 1, padding)
                self.add_module(name, step)
                width = width if name in self.forks else channels
        self.branch_pool = None if pool is None else _Conv(channels_in, pool, 1)

    def forward(self, x: Tensor) -> Tensor:
        result = []
        for chain in self.chains:
            h = x
            for name in chain:
                if name in self.forks:
                    continue
                h = getattr(self, name)(h)
            forked = [getattr(self, name)(h) for name in chain if name in self.forks]
            result += forked or [h]
        if self.branch_pool is None:
            result.append(functional.max_pool2d(x, 3, 2))
        else:
            result.append(self.branch_pool(functional.avg_pool2d(x, 3, 1, 1)))
        return torch.cat(result, dim=1)


def _a(channels_in: int, pool: int) -> _Mixed:
    return _Mixed(channels_in, [
        [("branch1x1", 64, 1)],
        [("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)],
        [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)],
    ], pool)  # fmt: skip


def _b(channels_in: int) -> _Mixed:
    return _Mixed(channels_in, [
        [("branch3x3", 384, 3)],
        [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)],
    ], None)  # fmt: skip


def _c(channels_in: int, width: int) -> _Mixed:
    wide, tall = (1, 7), (7, 1)
    return _Mixed(channels_in, [
        [("branch1x1", 192, 1)],
        [("branch7x7_1", width, 1), ("branch7x7_2", width, wide), ("branch7x7_3", 192, tall)],
        [("branch7x7dbl_1", width, 1), ("branch7x7dbl_2", width, tall),
         ("branch7x7dbl_3", width, wide), ("branch7x7dbl_4", width, tall),
         ("branch7x7dbl_5", 192, wide)],
    ], 192)  # fmt: skip


def _d(channels_in: int) -> _Mixed:
    return _Mixed(channels_in, [
        [("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3)],
        [("branch7x7x3_1", 192, 1), ("branch7x7x3_2", 192, (1, 7)), ("branch7x7x3_3", 192, (7, 1)),
         ("branch7x7x3_4", 192, 3)],
    ], None)  # fmt: skip


def _e(channels_in: int) -> _Mixed:
    wide, tall = (1, 3), (3, 1)
    forks = ("branch3x3_2a", "branch3x3_2b", "branch3x3dbl_3a", "branch3x3dbl_3b")
    return _Mixed(channels_in, [
        [("branch1x1", 320, 1)],
        [("branch3x3_1", 384, 1), ("branch3x3_2a", 384, wide), ("branch3x3_2b", 384, tall)],
        [("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3),
         ("branch3x3dbl_3a", 384, wide), ("branch3x3dbl_3b", 384, tall)],
    ], 192, forks)  # fmt: skip


class InceptionV3(nn.Module):
    """Feature maps `(N, 2048, h, w)` of pictures `(N, 3, H, W)` scaled to [-1, 1], H and W ≥ 75.

    >>> network = InceptionV3().eval()
    >>> network(torch.zeros(1, 3, 128, 128)).shape
    torch.Size([1, 2048, 2, 2])
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Conv(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = _Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = _Conv(32, 64, 3, 1, 1)
        self.Conv2d_3b_1x1 = _Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = _Conv(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _a(192, 32), _a(256, 64), _a(288, 64)
        self.Mixed_6a = _b(288)
        self.Mixed_6b, self.Mixed_6c = _c(768, 128), _c(768, 160)
        self.Mixed_6d, self.Mixed_6e = _c(768, 160), _c(768, 192)
        self.Mixed_7a, self.Mixed_7b, self.Mixed_7c = _d(768), _e(1280), _e(2048)

    def forward(self, pictures: Tensor) -> Tensor:
        h = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(pictures)))
        h = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(functional.max_pool2d(h, 3, 2)))
        h = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(functional.max_pool2d(h, 3, 2))))
        h = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(h)))))
        out: Tensor = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(h)))
        return out
