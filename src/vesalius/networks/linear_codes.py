"""Whitened principal components of long rows of numbers, found through their Gram matrix."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

UNIT = 1000
"""By which axes are multiplied, so that float16 keeps their digits."""

LARGEST_BLOCK, BLOCK_NUMBERS = 65_536, 2**22


class LinearCodes(nn.Module):
    """Rows `(B, V)` to codes `(B, K)` of unit SD and back, K far below V.

    Args:
        size: V.
        components: K.

    >>> rows = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    >>> linear = LinearCodes(8, 4)
    >>> codes = linear.fit_rows(rows)
    >>> back = linear.expand(linear.project(torch.from_numpy(rows)))
    >>> bool(torch.allclose(back, torch.from_numpy(rows), atol=1e-2)), codes.shape
    (True, torch.Size([5, 4]))
    """

    def __init__(self, size: int, components: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("axes", torch.zeros(components, size, dtype=torch.float16))
        self.register_buffer("scales", torch.ones(components))
        self._unpacked: tuple[tuple[int, int], Tensor] | None = None
        self.mean: Tensor
        self.axes: Tensor
        self.scales: Tensor

    def fit_rows(self, rows: np.ndarray) -> Tensor:
        """Find the components from `(N, V)`, which may lie on disk, and code these rows.

        They are gone through in blocks of V, so that memory holds one block of all rows and the
        Gram matrix, and the components are exact.

        Returns:
            the codes `(N, K)`, as `project` would give them.
        """
        data = torch.from_numpy(rows)
        block = block_numbers(len(data))
        gram = torch.zeros(len(data), len(data), dtype=torch.float64)
        for start in range(0, data.shape[1], block):
            part = data[:, start : start + block].float()
            self.mean[start : start + block] = part.mean(dim=0)
            part = part - self.mean[start : start + block]
            gram += (part @ part.T).double()
        power, vectors = torch.linalg.eigh(gram)
        order = power.argsort(descending=True)[: len(self.scales)]
        length = power[order].clamp(min=1e-9).sqrt()
        turn = (vectors[:, order] / length).float()
        for start in range(0, data.shape[1], block):
            part = data[:, start : start + block].float() - self.mean[start : start + block]
            self.axes[: len(order), start : start + block] = (UNIT * turn.T @ part).half()
        self.scales[: len(order)] = (length / max(1, len(data) - 1) ** 0.5).float()
        codes = torch.zeros(len(data), len(self.scales))
        codes[:, : len(order)] = (vectors[:, order] * length).float() / self.scales[: len(order)]
        return codes

    def project(self, rows: Tensor) -> Tensor:
        """Codes `(B, K)` of rows `(B, V)`."""
        data = rows.to(self.mean.device).float() - self.mean
        code: Tensor = (data @ self._axes_in_float32().T) / UNIT / self.scales
        return code

    def expand(self, code: Tensor) -> Tensor:
        """The rows `(B, V)` that codes stand for."""
        return torch.addmm(self.mean, code.float() * self.scales / UNIT, self._axes_in_float32())

    def _axes_in_float32(self) -> Tensor:
        """The axes as they are computed with, unpacked once: that takes longer than a decoding."""
        source = (self.axes.data_ptr(), self.axes._version)
        if self._unpacked is None or self._unpacked[0] != source:
            self._unpacked = (source, self.axes.float())
        return self._unpacked[1]


def block_numbers(cases: int) -> int:
    """Numbers of each row that are looked at at once in all of the rows.

    >>> block_numbers(40), block_numbers(400)
    (65536, 10485)
    """
    return max(1, min(LARGEST_BLOCK, BLOCK_NUMBERS // cases))
