"""A deformation space: one case as template, and the principal components of what leads to others.

Sums of signed distances smear what is thin and folded, such as a cortex. A template that is warped
keeps it (statistical deformation models: Rueckert, Frangi and Schnabel 2003, "Automatic
construction of 3-D statistical deformation models of the brain using nonrigid registration"). The
components are those of velocities, whose sums fold nowhere (Arsigny et al. 2006, "A Log-Euclidean
framework for statistics on diffeomorphisms").

What it cannot do: a structure that the template lacks appears in no generated case. Cases should be
deformations of one another, as healthy brains are, more or less.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vesalius.geometry.deformation import averaged, enlarged, flow, gaussian_smooth, warp_voxels
from vesalius.geometry.registration import LEVELS, register
from vesalius.networks.linear_codes import LinearCodes
from vesalius.networks.spade import one_hot
from vesalius.scans.arrays import ScratchRows

BLUR = 0.7
"""SD in voxels by which label maps are blurred before they are registered."""

BALANCED = 12
"""Cases by which the labels are balanced."""


class DeformationSpace(LinearCodes):
    """Label maps as one template under velocities, with codes whitened to unit SD.

    Args:
        labels: how many labels, the background included.
        shape: of the label maps, multiples of 4.
        components: K.

    Attributes:
        template: the label map that is warped; set it before `fit`.

    >>> maps = np.zeros((6, 16, 16, 16), dtype=np.uint8)
    >>> for size, one in enumerate(maps, start=1): one[2 : 6 + size, 4:12, 4:12] = 1
    >>> space = DeformationSpace(labels=2, shape=(16, 16, 16), components=4)
    >>> _ = space.template.copy_(torch.from_numpy(typical(maps, maps, 2)))
    >>> codes = space.fit(maps)
    >>> same = space.decode(codes).argmax(dim=1) == torch.from_numpy(maps)
    >>> codes.shape, float(same.float().mean()) > 0.95
    (torch.Size([6, 4]), True)
    """

    def __init__(self, labels: int, shape: tuple[int, int, int], components: int) -> None:
        coarse = LEVELS[-1].factor
        self.field = (3, *(side // coarse for side in shape))
        super().__init__(int(np.prod(self.field)), components)
        self.labels, self.shape = labels, shape
        self.code_shape: tuple[int, ...] = (components,)
        self.register_buffer("template", torch.zeros(shape, dtype=torch.uint8))
        self.register_buffer("weights", torch.ones(labels))
        self.template: Tensor
        self.weights: Tensor

    def fit(
        self, label_maps: Iterable[np.ndarray], folder: Path | None = None,
        device: torch.device | None = None,
    ) -> Tensor:  # fmt: skip
        """Register the template to each of N label maps, and find the components.

        Args:
            label_maps: whole numbers `(D, H, W)`, looked at one after the other.
            folder: on whose disk the velocities lie; the temporary one if `None`.
            device: where label maps are registered; the CPU if `None`.

        Returns:
            the codes `(N, K)` of these label maps, as `encode` would give them.
        """
        rows = ScratchRows(folder)
        some: list[Tensor] = []
        for label_map in label_maps:
            numbers = torch.from_numpy(label_map)[None]
            rows.add(self._velocity(numbers.to(device)).ravel().cpu().numpy())
            if len(some) < BALANCED:
                some.append(numbers)
        codes = self.fit_rows(rows.array())
        self._balance(codes[: len(some)], torch.cat(some))
        return codes

    def encode(self, label_map: Tensor) -> tuple[Tensor, Tensor]:
        """Codes `(B, K)` of label maps, each registered; their standard deviation is zero."""
        velocities = [self._velocity(one[None]).ravel() for one in label_map]
        code = self.project(torch.stack(velocities))
        return code, torch.zeros_like(code)

    @torch.no_grad()
    def registered(self, label_map: np.ndarray) -> np.ndarray:
        """The template as it looks when registered to a label map `(D, H, W)`, by no components."""
        numbers = torch.from_numpy(label_map)[None].to(self.template.device)
        template = one_hot(self.template[None], self.labels)
        warped = warp_voxels(template, enlarged(flow(self._velocity(numbers)[None]), self.shape))
        result: np.ndarray = warped.argmax(dim=1)[0].cpu().numpy()
        return result

    def decode(self, code: Tensor) -> Tensor:
        """Scores `(B, labels, D, H, W)`: how much of each label a voxel sees in the template."""
        return self._warped(code) * self.weights.reshape(1, -1, 1, 1, 1)

    def _warped(self, code: Tensor) -> Tensor:
        coarse = flow(self.expand(code).reshape(len(code), *self.field))
        template = one_hot(self.template[None], self.labels)
        return warp_voxels(template, enlarged(coarse, self.shape))

    @torch.no_grad()
    def _velocity(self, label_map: Tensor) -> Tensor:
        """The velocity `(3, d, h, w)` from the template to a label map `(1, D, H, W)`."""
        template = self.template.to(label_map.device)
        moving = gaussian_smooth(one_hot(template[None], self.labels), BLUR)
        fixed = gaussian_smooth(one_hot(label_map, self.labels), BLUR)
        return register(moving, fixed)[0]

    @torch.no_grad()
    def _balance(self, codes: Tensor, label_maps: Tensor, rounds: int = 8) -> None:
        """Weigh labels so that warping shrinks none: what is thin would lose at each border."""
        warped = torch.cat([self._warped(code[None]) for code in codes])
        real = torch.bincount(label_maps.ravel().long(), minlength=self.labels).float()
        for _ in range(rounds):
            numbers = (warped * self.weights.reshape(1, -1, 1, 1, 1)).argmax(dim=1)
            counted = torch.bincount(numbers.ravel(), minlength=self.labels).float()
            ratio = (real / counted.clamp(min=1)).clamp(0.5, 2.0)
            self.weights.mul_(torch.where(real > 0, ratio**0.3, 1.0))
            self.weights.div_(self.weights[0].clone())


def typical(
    label_maps: Iterable[np.ndarray], same: Iterable[np.ndarray], labels: int
) -> np.ndarray:  # fmt: skip
    """The label map that is nearest to the mean of all, seen coarsely.

    Args:
        label_maps: whole numbers `(D, H, W)`, one after the other.
        same: they once more, for the second look.
        labels: how many labels, the background included.

    >>> maps = np.zeros((3, 8, 8, 8), dtype=np.uint8)
    >>> for size, one in zip((2, 5, 6), maps): one[:size] = 1
    >>> int((typical(maps, maps, 2) == 1).sum()) // 64
    5
    """
    total: Tensor | float = 0.0
    count = 0
    for label_map in label_maps:
        total, count = total + _coarse(label_map, labels), count + 1
    mean = total / max(1, count)
    nearest: tuple[float, np.ndarray] | None = None
    for label_map in same:
        distance = float((_coarse(label_map, labels) - mean).square().sum())
        if nearest is None or distance < nearest[0]:
            nearest = distance, label_map
    assert nearest is not None, "no label map"
    return np.ascontiguousarray(nearest[1])


def _coarse(label_map: np.ndarray, labels: int) -> Tensor:
    numbers = torch.from_numpy(np.ascontiguousarray(label_map))[None]
    return averaged(one_hot(numbers, labels), LEVELS[0].factor)
