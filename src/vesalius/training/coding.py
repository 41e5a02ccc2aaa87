"""What a fitted network makes of training cases, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.scans.progress import Progress, track
from vesalius.training.device import fabric_for, placed


@torch.no_grad()
def coded(
    network: nn.Module, code: Callable[[Any], Any], inputs: Callable[[Tensor], Tensor],
    rows: Sequence[int], precision: str, what: str, progress: Progress,
) -> list[Tensor]:  # fmt: skip
    """What `code` gives of each case, on the CPU; several tensors are stacked `(P, 1, ...)`.

    Args:
        network: moved to the device and set to evaluation.
        code: of the network, given one case `(1, ...)`.
        inputs: one case by its row `(1,)`.
        rows: of the cases.
        precision: of the arithmetic.
        what: is done, for the progress bar.
        progress: called after each case.
    """
    placed(network)
    fabric = fabric_for(precision)
    result = []
    for row in track(rows, what, len(rows), progress):
        with fabric.autocast():
            out = code(inputs(torch.tensor([row])).to(fabric.device))
        result.append(out.cpu() if isinstance(out, Tensor) else torch.stack([*out]).float().cpu())
    return result
