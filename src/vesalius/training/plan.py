"""What a fit will need, before its first step: parameters, peak memory, time.

Each network takes one step on tensors without data. What a step allocates is followed allocation by
allocation, what it computes is counted, and both are exact for that step; the machine's speed is
measured for a moment.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    FakeCopyMode,
    FakeTensor,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from vesalius.scans.fault import Refused
from vesalius.scans.memory import free_memory_bytes

BASE_BYTES = 900e6
"""What the interpreter and its libraries take before any tensor."""


@dataclass(frozen=True)
class StepCost:
    """Of one optimiser step of one network."""

    parameters: int
    peak_bytes: float
    flops: float


@dataclass(frozen=True)
class PlannedFit:
    """One network of a plan."""

    part: str
    steps: int
    cost: StepCost
    seconds: float


@dataclass(frozen=True)
class Plan:
    """All fits of a run, one after the other."""

    fits: tuple[PlannedFit, ...]
    held_bytes: float
    decisions: tuple[str, ...] = ()

    @property
    def peak_bytes(self) -> float:
        """Largest memory at any time, the process itself included."""
        return BASE_BYTES + self.held_bytes + max((f.cost.peak_bytes for f in self.fits), default=0)

    @property
    def seconds(self) -> float:
        """Of all fits."""
        return sum(f.seconds for f in self.fits)

    def lines(self) -> list[str]:
        """The plan in words, a line each."""
        rows = [
            f"{f.part.replace('_', ' ')}: {f.cost.parameters / 1e6:.2f} M parameters, "
            f"{f.steps} steps, {f.cost.peak_bytes / 1e9:.2f} GB, about {f.seconds / 60:.1f} min"
            for f in self.fits
        ]
        total = f"{self.peak_bytes / 1e9:.1f} GB at most, about {self.seconds / 60:.0f} min"
        return [*self.decisions, *rows, f"in all: {total}"]

    def require_room(self) -> None:
        """Refuse a plan that needs more memory than there is."""
        room = available_bytes()
        if self.peak_bytes > room:
            largest = max(self.fits, key=lambda f: f.cost.peak_bytes)
            fault = f"needs {self.peak_bytes / 1e9:.1f} GB, {room / 1e9:.1f} GB are free"
            remedy = f"choose a smaller preset, batch or crop (largest: {largest.part})"
            raise Refused("plan", fault, remedy)


def available_bytes() -> float:
    """Free memory of the GPU if there is one, otherwise of the machine or its container."""
    if torch.cuda.is_available():
        return float(torch.cuda.mem_get_info()[0])
    return free_memory_bytes()


def step_cost(
    build: Callable[[], nn.Module], step: Callable[[nn.Module], Tensor], precision: str
) -> StepCost:
    """Count one forward and backward pass on tensors without data.

    Args:
        build: makes the network.
        step: gives its loss on tensors it makes itself.
        precision: as in `FitRecipe`.

    >>> cost = step_cost(lambda: nn.Linear(1000, 10), lambda net: net(torch.rand(8, 1000)).sum(),
    ...                  "32-true")
    >>> cost.parameters, round(cost.flops)
    (10010, 320000)
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with FakeTensorMode(allow_non_fake_inputs=True) as fake, _Allocations() as memory:
        with torch.device(device):
            network = _without_data(build, fake)
            parameters = sum(p.numel() for p in network.parameters())
            with FlopCounterMode(display=False) as counter:
                with torch.autocast(device, torch.bfloat16, enabled=precision != "32-true"):
                    loss = step(network)
                loss.backward()
    moments_and_average = 3 * 4 * parameters
    return StepCost(parameters, memory.peak + moments_and_average, counter.get_total_flops())


def _without_data(build: Callable[[], nn.Module], fake: FakeTensorMode) -> nn.Module:
    """The network; one that reads numbers off tensors as it is made, as MONAI's Swin, is copied."""
    try:
        return build()
    except DataDependentOutputException:
        with _disable_current_modes():
            network = build()
        with FakeCopyMode(fake):
            return deepcopy(network)


def planned(part: str, steps: int, cost: StepCost, precision: str) -> PlannedFit:
    """A fit with its time on this machine."""
    return PlannedFit(part, steps, cost, steps * cost.flops / _flops_per_second(precision))


class _Allocations(TorchDispatchMode):
    """Follows the bytes of all living tensors; `peak` is their largest sum."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.peak = 0, 0
        self._seen: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, FakeTensor):
                self._follow(tensor.untyped_storage())
        return out

    def _follow(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._seen:
            return
        size = storage.nbytes()
        self._seen.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._released, key, size)

    def _released(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.now -= size


_speeds: dict[str, float] = {}


def _flops_per_second(precision: str) -> float:
    """What a convolution of ordinary size reaches here, forward and backward."""
    if precision not in _speeds:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        layer = nn.Conv3d(32, 32, 3, padding=1).to(device)
        x = torch.randn(4, 32, 16, 16, 16, device=device)
        repeats, start = 0, 0.0
        for attempt in range(100):
            if attempt == 2:
                start = time.perf_counter()
            with torch.autocast(device, torch.bfloat16, enabled=precision != "32-true"):
                layer(x).sum().backward()
            if attempt >= 2:
                repeats += 1
            if attempt > 4 and time.perf_counter() - start > 0.3:
                break
        if device == "cuda":
            torch.cuda.synchronize()
        flops = 3 * 2 * 27 * 32 * 32 * 4 * 16**3
        _speeds[precision] = 0.6 * repeats * flops / (time.perf_counter() - start)
    return _speeds[precision]
