"""What a fitted network makes of cases: codes, on disk, a case at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.scans.arrays import allocated
from vesalius.scans.computing import Precision
from vesalius.scans.progress import Progress, track
from vesalius.scans.writing import refused_if_unwritable
from vesalius.training.content import content_digest
from vesalius.training.device import fabric_for, placed

Code = Callable[[Any], Any]
"""What a network makes of one case `(1, ...)`: a tensor, or several of one shape."""


class Codes:
    """Codes of N cases, each of P parts such as mean and SD, of which rows are read as needed.

    Args:
        array: `(N, P, ...)`, in memory or mapped from disk.

    >>> codes = Codes(np.stack([np.zeros((2, 3)), np.ones((2, 3))]))
    >>> [part.shape for part in codes.taken(torch.tensor([1, 1, 0]))]
    [torch.Size([3, 3]), torch.Size([3, 3])]
    >>> [float(one) for one in codes.moments(range(2), (0, 1))]
    [0.5, 0.75]
    """

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def taken(self, rows: Tensor, box: tuple[slice, ...] = ()) -> tuple[Tensor, ...]:
        """The parts of some rows, each `(B, ...)`, or a box of their last axes."""
        own = torch.from_numpy(np.stack([self.array[row][(..., *box)] for row in rows.tolist()]))
        return own.float().unbind(dim=1)

    def moments(self, rows: range, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Mean and variance of the first part over rows and axes of `(N, ...)`, in one pass.

        Each keeps the axes that are not averaged over. Further parts are SDs about the first, and
        add to the variance.
        """
        inner = tuple(axis - 1 for axis in axes if axis)
        total: Any = 0.0
        squares: Any = 0.0
        for row in rows:
            first, *further = np.asarray(self.array[row], dtype=np.float64)
            total = total + first.mean(axis=inner)
            squares = squares + (first**2).mean(axis=inner)
            for one in further:
                squares = squares + (one**2).mean(axis=inner)
        mean = total / len(rows)
        variance = (squares / len(rows) - mean**2).clip(min=0)
        return torch.as_tensor(mean).float(), torch.as_tensor(variance).float()


def coded(
    network: nn.Module, code: Code, inputs: Callable[[Tensor], Tensor], rows: Sequence[int],
    precision: Precision, what: str, progress: Progress,
) -> Iterator[Tensor]:  # fmt: skip
    """What `code` gives of each case, one after the other, on the CPU, `(P, ...)`.

    Args:
        network: moved to the device and set to evaluation.
        code: of the network.
        inputs: one case by its row `(1,)`.
        rows: of the cases.
        precision: of the arithmetic.
        what: is done, for the progress bar.
        progress: called after each case.
    """
    placed(network)
    fabric = fabric_for(precision)
    for row in track(rows, what, len(rows), progress):
        with torch.no_grad(), fabric.autocast():
            out = code(inputs(torch.tensor([row])).to(fabric.device))
        parts = [out] if isinstance(out, Tensor) else [*out]
        yield torch.stack([part[0] for part in parts]).float().cpu()


def kept_codes(
    path: Path, network: nn.Module, code: Code, inputs: Callable[[Tensor], Tensor],
    rows: Sequence[int], precision: Precision, what: str, progress: Progress,
) -> Codes:  # fmt: skip
    """Codes of all rows in a file, each process working on its share of them.

    The file takes its name once it is whole, and the name tells by which weights it was made: a
    killed fit that has it goes on with it, and one whose network was fitted anew does not.

    Args:
        path: of the file, without those digits.
        network, code, inputs, rows, precision, what, progress: see `coded`.
    """
    fabric = fabric_for()
    weights = [one.detach().cpu().float().numpy() for one in network.state_dict().values()]
    path = path.with_name(f"{path.stem}-{content_digest(weights)}-{len(rows)}{path.suffix}")
    unfinished = path.with_name(f"{path.name}.unfinished")
    if not path.exists():
        own = range(len(rows))[fabric.global_rank :: fabric.world_size]
        taken = [rows[place] for place in own]
        codes = coded(network, code, inputs, taken, precision, what, progress)
        first = next(codes) if taken else None
        with refused_if_unwritable(path.parent):
            if fabric.is_global_zero:
                assert first is not None
                path.parent.mkdir(parents=True, exist_ok=True)
                allocated(unfinished, np.float32, (len(rows), *first.shape))
            fabric.barrier()
            if first is not None:
                file = np.load(unfinished, mmap_mode="r+")
                for place, one in zip(own, itertools.chain([first], codes), strict=True):
                    file[place] = one.numpy()
                file.flush()
            fabric.barrier()
            if fabric.is_global_zero:
                unfinished.replace(path)
        fabric.barrier()
    return Codes(np.load(path, mmap_mode="r"))
