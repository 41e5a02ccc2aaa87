"""What a fit will need, before its first step: parameters, peak memory, time.

Each part's objective takes one step on tensors without data. What a step allocates is followed
allocation by allocation, what it computes is counted, and both are exact for that step; its
heaviest layer is timed for a moment, or a card's numbers tell the speed.
"""

from __future__ import annotations

import shutil
import weakref
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from vesalius.networks.single_volume import passed_over
from vesalius.scans.cards import CARDS
from vesalius.scans.computing import chosen_device
from vesalius.scans.input_error import InputError
from vesalius.scans.memory import free_memory_bytes
from vesalius.training.device import compute_device, precision_here
from vesalius.training.method import Part
from vesalius.training.objective import Objective
from vesalius.training.speed import SHARE_OF_PEAK, Layer, card_speed, layer_speed

BASE_BYTES = 900e6
"""What the interpreter and its libraries take before any tensor."""

GPU_BASE_BYTES = 600e6
"""Set aside for the context of CUDA and its libraries; not measured here."""


@dataclass(frozen=True)
class StepCost:
    """Of one optimiser step of one network."""

    parameters: int
    peak_bytes: float
    flops: float
    heaviest: Layer | None = None


@dataclass(frozen=True)
class PlannedFit:
    """One network of a plan."""

    part: str
    steps: int
    cost: StepCost
    seconds: float


@dataclass(frozen=True)
class Plan:
    """All fits of a run, one after the other.

    Attributes:
        fits: of each part.
        held_bytes: that stay in the host's memory.
        decisions: that the data led to, a line each.
        disk_bytes: of cases and codes in the folder of the run, until it is finished.
        card: the GPU that is planned for, empty for this machine.
    """

    fits: tuple[PlannedFit, ...]
    held_bytes: float
    decisions: tuple[str, ...] = ()
    disk_bytes: float = 0.0
    card: str = ""

    @property
    def step_bytes(self) -> float:
        """Largest memory of a step, on the device that it runs on."""
        return max((f.cost.peak_bytes for f in self.fits), default=0.0)

    @property
    def peak_bytes(self) -> float:
        """Largest memory at any time where all is computed on the host, the process included."""
        return BASE_BYTES + self.held_bytes + self.step_bytes

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
        disk = [f"on disk until it is finished: {self.disk_bytes / 1e9:.2f} GB"]
        disk = disk if self.disk_bytes else []
        assumed = f"at {SHARE_OF_PEAK:.0%} of its peak, an assumption"
        card = [f"planned for one {self.card} {assumed}"] if self.card else []
        return [*self.decisions, *rows, *disk, f"in all: {total}", *card]

    def require_room(self) -> None:
        """Refuse a plan that needs more memory than there is: of the host, and of a GPU.

        Raises:
            InputError: naming the largest part where a step is too large.
        """
        gpu = CARDS[self.card].memory_bytes if self.card else gpu_free_bytes()
        parts = sorted(self.fits, key=lambda fit: fit.cost.peak_bytes)
        largest = f" (largest: {parts[-1].part})" if parts else ""
        smaller = f"choose a smaller preset, batch or crop{largest}"
        if gpu is None:
            _require("", self.peak_bytes, free_memory_bytes(), smaller)
            return
        _require(" on the GPU", GPU_BASE_BYTES + self.step_bytes, gpu, smaller)
        if self.card:
            return  # the host of that card is not this one
        held = BASE_BYTES + self.held_bytes
        _require(" on the host", held, free_memory_bytes(), "fit on fewer or coarser cases")

    def require_disk(self, folder: str | Path) -> None:
        """Refuse a folder whose disk has no room for cases and codes.

        What a killed fit has written there already is not asked for once more.

        Raises:
            InputError: naming the folder.
        """
        place = next(one for one in (Path(folder).absolute(), *Path(folder).absolute().parents)
                     if one.exists())  # fmt: skip
        there = sum(one.stat().st_size for one in (Path(folder) / "state").rglob("*.npy*"))
        _require(" on its disk", self.disk_bytes - there, shutil.disk_usage(place).free,
                 "choose a folder on another disk", str(folder))  # fmt: skip


def _require(where: str, needed: float, free: float, remedy: str, place: str = "plan") -> None:
    if needed > free:
        fault = f"needs {needed / 1e9:.1f} GB{where}, {free / 1e9:.1f} GB are free"
        raise InputError(place, fault, remedy)


def gpu_free_bytes() -> float | None:
    """Free memory of the GPU, if there is one."""
    return float(torch.cuda.mem_get_info()[0]) if compute_device().type == "cuda" else None


def step_cost(objective: Objective, batch: int, precision: str, cases: int = 0) -> StepCost:
    """Count one step of an objective, forward and backward, on tensors without data.

    The objective itself runs, with fake tensors for its weights, so that plan and fit cannot drift
    apart. Where it reads a number off a tensor, the number is 0.

    Args:
        objective: see `training.objective.Objective`; it is not changed.
        batch: cases a step.
        precision: as in `FitRecipe`.
        cases: that there are; as many as a step takes if 0.

    >>> class Sum(Objective):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = nn.Linear(1000, 10)
    ...     def batch(self, rows, rng):
    ...         return torch.rand(len(rows), 1000, generator=rng)
    ...     def forward(self, batch, rng):
    ...         return self.layer(batch).sum()
    >>> cost = step_cost(Sum(), 8, "32-true")
    >>> cost.parameters, round(cost.flops)
    (10010, 320000)
    """
    device = "cpu" if chosen_device() in CARDS else compute_device().type
    rows, rng = torch.arange(batch) % (cases or batch), torch.Generator()
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        copied = _without_data(objective, fake, device)
        with _Counter() as counted, _Numbers():
            copied.train()
            parameters = sum(p.numel() for p in copied.parameters())
            held = sum(t.nbytes for t in (*copied.parameters(), *copied.buffers()))
            with torch.autocast(device, torch.bfloat16, enabled=precision != "32-true"):
                loss = copied.loss_of(rows, rng)
            loss.backward()
    moments_and_average = 3 * 4 * parameters
    peak = counted.peak + held + moments_and_average
    return StepCost(parameters, peak, counted.flops, counted.heaviest)


def _without_data(objective: Objective, fake: FakeTensorMode, device: str) -> Objective:
    """A copy whose weights are fake; what its modules hold beside weights is shared."""
    shared = {
        id(value): value
        for module in objective.modules()
        for name, value in vars(module).items()
        if not name.startswith("_")
    }
    with _disable_current_modes(), FakeCopyMode(fake):
        copied = deepcopy(objective, shared)
    for module in copied.modules() if device != "cpu" else ():
        for name, weight in module._parameters.items():
            if weight is not None:
                module._parameters[name] = nn.Parameter(weight.to(device), weight.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = buffer.to(device)
    return copied


def planned(part: Part) -> PlannedFit:
    """The fit of one part with its cost and its time on this machine."""
    recipe, blank = part.recipe, part.blank
    assert recipe and part.objective and blank
    objective = part.objective(blank())
    card = CARDS.get(chosen_device())
    precision = precision_here(recipe.precision) if card is None else recipe.precision
    cost = step_cost(objective, recipe.batch_size, precision, part.cases)
    if card is not None:
        speed = card_speed(card, precision)
    else:
        speed = layer_speed(cost.heaviest, precision)
    seconds = recipe.steps * cost.flops / speed
    return PlannedFit(part.name, recipe.steps, cost, seconds)


class _Numbers(TorchFunctionMode):
    """Lets code read numbers off tensors without data: each is 0, or false."""

    READ: ClassVar[dict[Any, Any]] = {
        Tensor.__int__: 0, Tensor.__index__: 0, Tensor.__float__: 0.0, Tensor.__bool__: False,
    }  # fmt: skip

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        given = {name: value for name, value in (kwargs or {}).items() if name != "generator"}
        if func is torch.arange and "device" not in given:
            with _disable_current_modes():  # a list of numbers, such as axes, not data
                return func(*args, **given)
        if args and isinstance(args[0], FakeTensor):
            if func in self.READ:
                return self.READ[func]
            if func in (Tensor.item, Tensor.tolist, Tensor.numpy):
                zeros = _zeros(args[0])
                return zeros if func is Tensor.numpy else zeros.tolist()
        return func(*args, **given)


def _convolution(image: Tensor, weight: Tensor, *settings: Any) -> Tensor:
    """A convolution without an offset, as aten calls it, and as `at_speed` lets it be."""
    stride, padding, dilation, transposed, _, groups = settings
    if not transposed and passed_over(image, weight):
        result: Tensor = torch.ops.aten.mkldnn_convolution(
            image, weight, None, padding, stride, dilation, groups
        )
        return result
    return torch.convolution(image, weight, None, *settings)


def _zeros(like: Tensor) -> np.ndarray:
    kind = np.float32 if like.is_floating_point() else bool if like.dtype == torch.bool else int
    return np.zeros(tuple(like.shape), kind)


class _Counter(TorchDispatchMode):
    """Counts operations, and follows the bytes of all living tensors to their largest sum."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.peak, self.flops = 0, 0, 0.0
        self.heaviest: Layer | None = None
        self._seen: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            own = count(*args, **(kwargs or {}), out_val=out)
            self.flops += own
            self._weigh(func._overloadpacket, args, own)
        for tensor in tree_leaves(out):
            if isinstance(tensor, FakeTensor):
                self._follow(tensor.untyped_storage())
        return out

    def _weigh(self, call: Any, args: tuple[Any, ...], flops: float) -> None:
        """Remember the heaviest layer of the kinds that can be called again by their shapes."""
        if self.heaviest is not None and flops <= self.heaviest.flops:
            return
        if call is torch.ops.aten.convolution:
            image, weight, _, *settings = args
            shapes = (tuple(image.shape), tuple(weight.shape))
            self.heaviest = Layer(_convolution, shapes, tuple(settings), flops)
        elif call is torch.ops.aten.mm:
            one, other = args[:2]
            self.heaviest = Layer(call, (tuple(one.shape), tuple(other.shape)), (), flops)

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
