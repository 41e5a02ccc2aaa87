"""A pretend GPU: CPU tensors that carry a device and refuse what CUDA refuses.

Moved to `cuda`, a tensor is marked. Marked and unmarked tensors do not mix, marked ones are not
turned into numpy and take no generator of the CPU, and unmarked ones are not indexed by marked
ones. Numbers are computed on the CPU as ever, so a fit that passes here gives the same run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from lightning_fabric.accelerators import CPUAccelerator
from lightning_fabric.strategies import SingleDeviceStrategy
from lightning_fabric.wrappers import _FabricModule
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

GPU = torch.device("cuda", 0)
CPU = torch.device("cpu")

_MOVES = {Tensor.to, Tensor.cuda, Tensor.cpu, Tensor.type}
_ACROSS = {
    Tensor.copy_, Tensor.__setitem__, Tensor.backward, torch.autograd.backward,
    torch._has_compatible_shallow_copy_type,
}  # fmt: skip
"""What CUDA takes from either side."""
_TO_NUMPY = {Tensor.numpy, Tensor.__array__}
_DEVICE, _IS_CUDA = Tensor.device.__get__, Tensor.is_cuda.__get__
_FORWARD = _FabricModule.forward
_SET_DATA, _GRAD = Tensor.data.__set__, Tensor.grad.__get__


def on_gpu(tensor: Tensor) -> bool:
    """Whether a tensor is marked."""
    return bool(getattr(tensor, "_on_gpu", False))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _tensors(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)


def _mark(value: Any, marked: bool) -> Any:
    for tensor in _tensors(value):
        tensor._on_gpu = marked  # type: ignore[attr-defined]
    return value


def _is_gpu(device: Any) -> bool:
    return torch.device(device).type == "cuda"


def _really(value: Any) -> Any:
    """The device on which is computed; what is no device stays as it is."""
    return CPU if isinstance(value, torch.device | str) and _is_gpu(value) else value


class PretendGpu(TorchFunctionMode):
    """While it is entered, `cuda:0` is there."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func == _DEVICE:
            return GPU if on_gpu(args[0]) else func(*args)
        if func == _IS_CUDA:
            return on_gpu(args[0])
        if func in _TO_NUMPY and on_gpu(args[0]):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if func == _GRAD:
            return _mark(func(*args), on_gpu(args[0]))
        if func == _SET_DATA:
            func(*args)
            _mark(args[0], on_gpu(args[1]))
            return None
        if func in _MOVES:
            return self._moved(func, args, kwargs)
        return self._computed(func, args, kwargs)

    def _moved(self, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        tensor, *rest = args
        target = on_gpu(tensor)
        if func == Tensor.cpu:
            target = False
        elif func == Tensor.cuda:
            func, rest, target = Tensor.to, [CPU], True
        places = [*rest, *kwargs.values()]
        for one in places:
            if isinstance(one, Tensor):
                target = on_gpu(one)
            elif isinstance(one, torch.device | str):
                target = _is_gpu(one)
        plain = [_really(one) for one in rest]
        named = {key: _really(one) for key, one in kwargs.items()}
        moved = func(tensor, *plain, **named)
        if moved is tensor and target != on_gpu(tensor):
            moved = tensor.clone()
        return _mark(moved, target) if moved is not tensor else moved

    def _computed(self, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        given = list(_tensors((args, kwargs)))
        marked = [on_gpu(one) for one in given]
        target = any(marked)
        device = kwargs.get("device")
        if device is not None:
            target = _is_gpu(device)
            kwargs["device"] = _really(device)
        generator = kwargs.get("generator")
        if generator is not None and target:
            raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
        name = getattr(func, "__name__", "")
        if device is None and func not in _ACROSS:
            self._require_one_place(name, func, args, given, marked)
        result = func(*args, **kwargs)
        inplace = name.endswith("_") and not name.endswith("__")
        if func in _ACROSS or inplace or not any(True for _ in _tensors(result)):
            return result
        return _mark(result, target)

    @staticmethod
    def _require_one_place(
        name: str, func: Callable[..., Any], args: Any, given: list[Tensor], marked: list[bool]
    ) -> None:
        if func == Tensor.__getitem__:
            if not on_gpu(args[0]) and any(marked[1:]):
                raise RuntimeError(
                    "indices should be either on cpu or on the same device as the indexed tensor"
                )
            return
        sides = {m for one, m in zip(given, marked, strict=True) if one.ndim or m}
        if len(sides) > 1:
            raise RuntimeError(
                f"Expected all tensors to be on the same device, but found at least two devices, "
                f"cuda:0 and cpu! (in {name})"
            )


def _handed_over(wrapped: _FabricModule, *args: Any, **kwargs: Any) -> Any:
    """Move tensors to the device before the module sees them, as DDP does."""
    moved = [one.to(GPU) if isinstance(one, Tensor) else one for one in args]
    return _FORWARD(wrapped, *moved, **kwargs)


@contextmanager
def pretended() -> Iterator[None]:
    """Enter a pretend GPU, with Fabric on it."""
    new = nn.Parameter.__new__

    def parameter(cls: Any, data: Any = None, requires_grad: bool = True) -> Any:
        return _mark(new(cls, data, requires_grad), data is not None and on_gpu(data))

    with ExitStack() as stack:
        stack.enter_context(patch.object(nn.Parameter, "__new__", parameter))
        stack.enter_context(patch.object(CPUAccelerator, "setup_device"))
        stack.enter_context(patch.object(_FabricModule, "forward", _handed_over))
        there = property(lambda strategy: GPU)
        stack.enter_context(patch.object(SingleDeviceStrategy, "root_device", there))
        stack.enter_context(patch.object(Tensor, "pin_memory", lambda tensor: tensor))
        # A mode sees no other thread, so cases are read in this one.
        stack.enter_context(patch.dict(os.environ, {"VESALIUS_WORKERS": "0"}))
        stack.enter_context(PretendGpu())
        yield
