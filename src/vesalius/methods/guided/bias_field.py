"""The bias field of a scan: by how much coils make it brighter in one place than in another.

It is slow, so that a crop cannot show it, and none of the anatomy. The denoiser of blocks learns
from images that it was divided out of, and a new scan draws a field of its own.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from scipy.special import eval_legendre
from torch import Tensor

from vesalius.scans.noise_texture import interior
from vesalius.training.store import Box, Store

LARGEST_LOG = 0.7
"""Of a field: it at most doubles an intensity or halves it, far from all tissue too."""
LEAST_SIGNAL = 0.02
"""Share of the brightest tissue's mean below which a voxel says nothing of the field."""


def field_powers(degree: int) -> list[tuple[int, ...]]:
    """Degrees along each axis of the polynomials that a field is made of; none is constant.

    >>> field_powers(1)
    [(0, 0, 1), (0, 1, 0), (1, 0, 0)]
    >>> len(field_powers(2))
    9
    """
    every = itertools.product(range(degree + 1), repeat=3)
    return [powers for powers in every if 0 < sum(powers) <= degree]


def _polynomials(shape: tuple[int, ...], box: Box, degree: int) -> list[np.ndarray]:
    """Legendre polynomials along each axis of a box, `(degree + 1, side)` each."""
    parts = box or tuple(slice(0, side) for side in shape)
    axes = [
        np.linspace(-1, 1, side)[part] if side > 1 else np.zeros(1)
        for side, part in zip(shape, parts, strict=True)
    ]
    return [np.stack([eval_legendre(n, axis) for n in range(degree + 1)]) for axis in axes]


def field_basis(shape: tuple[int, ...], degree: int, box: Box = ()) -> np.ndarray:
    """Products of Legendre polynomials over a grid, or a box of it, `(K, d, h, w)`.

    >>> field_basis((5, 5, 5), 1)[2, :, 0, 0].tolist()
    [-1.0, -0.5, 0.0, 0.5, 1.0]
    """
    depth, height, width = _polynomials(shape, box, degree)
    return np.stack([
        depth[a][:, None, None] * height[b][:, None] * width[c] for a, b, c in field_powers(degree)
    ])  # fmt: skip


def measured_field(image: np.ndarray, labels: np.ndarray, degree: int) -> np.ndarray:
    """Coefficients of the logarithm of each channel's bias field, `(C, K)`.

    Each tissue has one intensity times the field, by weighted least squares on the logarithm,
    away from borders of tissues; brighter tissues count more, as their noise does less.

    Args:
        image: `(C, D, H, W)`.
        labels: whole numbers from 0, the background, `(D, H, W)`.
        degree: of the polynomials.

    >>> rng = np.random.default_rng(0)
    >>> labels = np.ones((12, 12, 12), dtype=int); labels[:3] = 0; labels[8:] = 2
    >>> slope = field_basis(labels.shape, 1)[0]
    >>> image = (np.array([0, 0.5, 0.9])[labels] * np.exp(0.2 * slope))[None]
    >>> (measured_field(image, labels, 1).round(3) + 0.0).tolist()
    [[0.2, 0.0, 0.0]]
    """
    basis = field_basis(labels.shape, degree)
    result = np.zeros((len(image), len(basis)))
    inside = interior(labels) & (labels > 0)
    for row, channel in zip(result, image.astype(np.float64), strict=True):
        numbers = np.unique(labels[inside])
        means = {number: channel[inside & (labels == number)].mean() for number in numbers}
        brightest = max(means.values(), default=0.0)
        seen = inside & np.isin(labels, [n for n, m in means.items() if m > 0])
        seen &= channel > LEAST_SIGNAL * brightest
        if seen.sum() < 20 * basis.shape[0]:
            continue
        own = np.unique(labels[seen])
        tissues = labels[seen][:, None] == own
        weights = np.array([means[number] for number in own])[tissues.argmax(axis=1)] / brightest
        columns = np.concatenate([tissues, basis[:, seen].T], axis=1)
        found = np.linalg.lstsq(
            columns * weights[:, None], np.log(channel[seen]) * weights, rcond=None
        )
        row[:] = found[0][len(own) :]
    return result


def bias_field(coefficients: Tensor, shape: tuple[int, ...], degree: int, box: Box = ()) -> Tensor:
    """Factors on intensities `(B, C, d, h, w)` by coefficients `(B, C, K)`.

    >>> bias_field(torch.zeros(1, 1, 3), (4, 4, 4), 1).unique().tolist()
    [1.0]
    """
    basis = torch.from_numpy(field_basis(shape, degree, box)).to(coefficients)
    log = torch.einsum("bck,kdhw->bcdhw", coefficients, basis)
    return log.clamp(-LARGEST_LOG, LARGEST_LOG).exp()


class EvenStore:
    """A store whose images have had their bias fields divided out.

    Args:
        store: of the images as they are.
        coefficients: of each row's field `(N, C, K)`.
        degree: of the polynomials.
    """

    def __init__(self, store: Store, coefficients: Tensor, degree: int) -> None:
        self.store, self.coefficients, self.degree = store, coefficients, degree
        self.layout = store.layout

    def images(self, rows: Tensor, box: Box = ()) -> Tensor:
        """Images of some rows `(B, C, D, H, W)`, or a box of them."""
        shape = self.layout.shape
        field = bias_field(self.coefficients[rows], shape, self.degree, box)
        return self.store.images(rows, box) / field

    def labels(self, rows: Tensor, box: Box = ()) -> Tensor:
        """Label maps of some rows `(B, D, H, W)`, or a box of them."""
        return self.store.labels(rows, box)
