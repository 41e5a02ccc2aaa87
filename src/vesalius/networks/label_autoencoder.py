"""What any label autoencoder offers, whether a linear shape space or a convolutional network."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class LabelAutoencoder(Protocol):
    """Label maps `(B, D, H, W)` to codes of about unit SD, and back to a score for each label.

    Codes are `(B, K)` in a shape space and `(B, K, d, h, w)` in a convolutional one.
    """

    code_shape: tuple[int, ...]

    def encode(self, label_map: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the codes of whole-number label maps."""

    def decode(self, code: Tensor) -> Tensor:
        """Scores `(B, labels, D, H, W)`; the label of a voxel is the highest."""
