"""What a network minimises: cases are read on the CPU, and the loss is computed on the device.

The two halves are apart so that a loader can read the cases of coming steps while one step runs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

Batch = Any
"""Tensors of some cases, nested in tuples as an objective likes it."""


class Objective(nn.Module):
    """A module whose forward pass gives the loss of some cases.

    A step's only source of randomness is the generator that goes first through `batch` and then
    through `forward`; so what a step does does not hang on who read its cases, or when.

    Attributes:
        held_out: numbers of the cases that decide which weights are kept.
        validated_at_once: how many of them.
        early: averages of the weights at an early step, by name, once a fit that keeps them is
            finished.
    """

    held_out: Any = ()
    validated_at_once: int = 1
    early: dict[str, Tensor] | None = None

    @abstractmethod
    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        """Read cases by their numbers `(B,)`, as tensors on the CPU.

        It may run in another thread while an earlier step computes, so it must not look at weights,
        buffers, or anything else that a step changes.
        """

    @abstractmethod
    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """The loss of a batch that lies on the device of the weights."""

    def loss_of(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        """The loss of cases by their numbers, read and computed at once."""
        device = next(self.parameters()).device
        loss: Tensor = self(moved(self.batch(rows, rng), device), rng)
        return loss

    def clipped_apart(self) -> list[list[nn.Parameter]]:
        """Groups of weights whose gradients are clipped each alone; all of them together here."""
        return [list(self.parameters())]

    def validation_loss(self) -> float:
        """The loss on held-out cases, the same at every call for the same weights."""
        return mean_loss(self.loss_of, self.held_out, self.validated_at_once)


def moved(batch: Batch, device: torch.device) -> Batch:
    """A batch on a device; what is pinned goes there while the CPU goes on.

    >>> moved((torch.ones(2), [torch.zeros(1)]), torch.device("cpu"))
    (tensor([1., 1.]), [tensor([0.])])
    """
    return tree_map(
        lambda one: one.to(device, non_blocking=True) if isinstance(one, Tensor) else one, batch
    )


@torch.no_grad()
def mean_loss(
    loss: Callable[[Tensor, torch.Generator], Tensor], rows: Sequence[int], batch: int
) -> float:
    """The mean loss of held-out cases, in batches, each with a seed of its own.

    Args:
        loss: of cases by their numbers.
        rows: numbers of the cases.
        batch: cases at once.

    Raises:
        ValueError: where no case is held out.

    >>> mean_loss(lambda rows, rng: rows.float().mean(), range(5), 2)
    2.0
    """
    if not len(rows):
        raise ValueError("no case is held out")
    total, parts = 0.0, torch.as_tensor(np.asarray(rows)).split(batch)
    for seed, part in enumerate(parts):
        total += float(loss(part, torch.Generator().manual_seed(seed))) * len(part)
    return total / len(rows)
