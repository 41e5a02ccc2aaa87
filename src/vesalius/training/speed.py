"""How fast a part will be computed: by its own heaviest layer here, or by the numbers of a card."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vesalius.scans.cards import Card
from vesalius.training.device import compute_device

SHARE_OF_LAYER = 0.6
"""What a whole step reaches of the speed of its heaviest layer."""

SHARE_OF_PEAK = 0.12
"""What 3D networks reach of a card's peak; an assumption, not a measurement of ours."""

MEASURED_SECONDS, MOST_FLOPS = 0.3, {"cpu": 3e9, "cuda": 3e11, "mps": 3e10}
"""For how long a layer is measured, and how much of it: operations of one forward pass."""


@dataclass(frozen=True)
class Layer:
    """A convolution or a product of matrices as a step calls it.

    Attributes:
        call: of torch.
        shapes: of its tensors.
        settings: what else it is called with.
        flops: of its forward pass.
    """

    call: Callable[..., Tensor]
    shapes: tuple[tuple[int, ...], ...]
    settings: tuple[Any, ...]
    flops: float


def layer_speed(layer: Layer | None, precision: str) -> float:
    """Operations a second that a step with this heaviest layer reaches here.

    A layer that takes long is measured on a part of its cases and of its first axes.

    >>> layer = Layer(torch.mm, ((64, 64), (64, 64)), (), 2 * 64**3)
    >>> layer_speed(layer, "32-true") > 1e6
    True
    """
    if layer is None:
        layer = Layer(torch.mm, ((512, 512), (512, 512)), (), 2 * 512**3)
    device = compute_device()
    shapes, flops = _reduced(layer, MOST_FLOPS[device.type])
    tensors = [torch.randn(shape, device=device, requires_grad=True) for shape in shapes]
    repeats, began = 0, 0.0
    while True:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision != "32-true"):
            layer.call(*tensors, *layer.settings).float().sum().backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        if not began:
            began = time.perf_counter()
            continue
        repeats += 1
        if time.perf_counter() - began > MEASURED_SECONDS:
            return SHARE_OF_LAYER * 3 * flops * repeats / (time.perf_counter() - began)


def _reduced(layer: Layer, most: float) -> tuple[list[tuple[int, ...]], float]:
    """Shapes of a part of a layer that takes at most so many operations, and how many it takes."""
    first, *others = layer.shapes
    sides, flops = list(first), layer.flops
    while flops > most:
        axis = next((a for a in (0, *range(2, len(sides))) if sides[a] >= (16 if a else 2)), None)
        if axis is None:
            break
        flops *= (sides[axis] // 2) / sides[axis]
        sides[axis] //= 2
    return [tuple(sides), *others], flops


def card_speed(card: Card, precision: str) -> float:
    """Operations a second that a step is taken to reach on a card.

    >>> from vesalius.scans.cards import CARDS
    >>> card_speed(CARDS["h100"], "bf16-mixed") > card_speed(CARDS["a100"], "bf16-mixed")
    True
    """
    return SHARE_OF_PEAK * (card.tf32 if precision == "32-true" else card.bf16)
