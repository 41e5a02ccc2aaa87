"""Batches of coming steps, read by threads while a step computes.

What a batch holds is a function of its step alone, so the number of threads changes no weight.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from vesalius.training.objective import Batch, moved

AHEAD = 2
"""Batches that each thread keeps ready."""

Read = Callable[[int], tuple[Batch, torch.Generator]]
"""What a step computes with: its cases, and its generator as reading them left it."""


class Loader:
    """Batches of some steps in their order, on a device.

    Args:
        read: a step's batch on the CPU.
        steps: to read for.
        device: that batches are moved to; for a GPU they are pinned first, in the thread.
        workers: threads; 0 reads each batch when it is asked for.

    Attributes:
        waited_seconds: for batches that were not ready.

    >>> def read(step):
    ...     rng = torch.Generator().manual_seed(step)
    ...     return torch.randint(100, (1,), generator=rng), rng
    >>> def every(workers):
    ...     return [(step, int(batch)) for step, batch, _ in
    ...             Loader(read, range(3), torch.device("cpu"), workers)]
    >>> every(0) == every(2)
    True
    """

    def __init__(
        self, read: Read, steps: range, device: torch.device, workers: int = 1
    ) -> None:  # fmt: skip
        self.read, self.steps, self.device, self.workers = read, steps, device, workers
        self.waited_seconds = 0.0

    def __iter__(self) -> Iterator[tuple[int, Batch, torch.Generator]]:
        if not self.workers:
            for step in self.steps:
                began = time.perf_counter()
                batch, rng = self.read(step)
                self.waited_seconds += time.perf_counter() - began
                yield step, moved(batch, self.device), rng
            return
        with ThreadPoolExecutor(self.workers, "loader") as pool:
            waiting: deque[tuple[int, Future[tuple[Batch, torch.Generator]]]] = deque()
            coming = iter(self.steps)
            try:
                for step in coming:
                    waiting.append((step, pool.submit(self._pinned, step)))
                    if len(waiting) > AHEAD * self.workers:
                        yield self._next(waiting)
                while waiting:
                    yield self._next(waiting)
            finally:
                for _, one in waiting:
                    one.cancel()

    def _next(
        self, waiting: deque[tuple[int, Future[tuple[Batch, torch.Generator]]]]
    ) -> tuple[int, Batch, torch.Generator]:
        step, one = waiting.popleft()
        began = time.perf_counter()
        batch, rng = one.result()
        self.waited_seconds += time.perf_counter() - began
        return step, moved(batch, self.device), rng

    def _pinned(self, step: int) -> tuple[Batch, torch.Generator]:
        batch, rng = self.read(step)
        if self.device.type == "cuda":
            pinned = tree_map(lambda t: t.pin_memory() if isinstance(t, Tensor) else t, batch)
            return pinned, rng
        return batch, rng
