"""GPUs that a fit can be planned for where there is none, with their makers' numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """A GPU as its maker describes it.

    Attributes:
        memory_bytes: of the card.
        bf16, tf32: operations a second of dense products in bfloat16, and in TF32, through which
            PyTorch sends convolutions of full precision.

    >>> CARDS["h100"].memory_bytes / 1e9
    80.0
    """

    memory_bytes: float
    bf16: float
    tf32: float


CARDS = {
    "a100": Card(80e9, 312e12, 156e12),
    "h100": Card(80e9, 989e12, 494e12),
    "h200": Card(141e9, 989e12, 494e12),
    "l40s": Card(48e9, 362e12, 183e12),
    "rtx4090": Card(24e9, 165e12, 82.6e12),
}
