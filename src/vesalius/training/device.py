"""Where to compute: Lightning Fabric as the environment offers it."""

from __future__ import annotations

import functools
import logging
import os
from typing import TypeVar

import torch
from lightning_fabric import Fabric
from torch import nn

from vesalius.networks.single_volume import at_speed
from vesalius.scans.cards import CARDS
from vesalius.scans.computing import (
    Precision,
    chosen_device,
    chosen_precision,
    chosen_workers,
)
from vesalius.scans.input_error import InputError

Network = TypeVar("Network", bound=nn.Module)


def fabric_for(precision: Precision = "32-true") -> Fabric:
    """Fabric on all processes that `torchrun` or SLURM started, otherwise on one device.

    Device and precision are those of `set_computing`, where it decided on them; where the device
    computes bfloat16 without hardware for it, `bf16-mixed` becomes `32-true`.

    >>> fabric_for("32-true").world_size
    1
    """
    device = compute_device()
    return _fabric(precision_here(precision), device.type, device.index)


def precision_here(precision: Precision) -> Precision:
    """What is computed in: as was asked for, otherwise as the recipe says if this device can.

    >>> precision_here("32-true") == (chosen_precision() or "32-true")
    True
    """
    chosen = chosen_precision()
    if chosen:
        return chosen
    possible = precision == "32-true" or has_bfloat16(compute_device().type)
    return precision if possible else "32-true"


@functools.cache
def has_bfloat16(kind: str) -> bool:
    """Whether a kind of device has hardware for bfloat16; others emulate it.

    On a processor with AVX2 alone, a 3D convolution in bfloat16 was seen to run at a hundredth of
    the speed of one in 32 bits.

    Args:
        kind: `cpu`, `cuda` or `mps`.
    """
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind == "cpu":
        asked = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
        return asked is not None and torch.backends.mkldnn.is_available() and bool(asked())
    return True


def compute_device() -> torch.device:
    """The device that is computed on, of each process.

    Raises:
        InputError: for one that this machine does not have.

    >>> compute_device().type in ("cpu", "cuda", "mps")
    True
    """
    asked = chosen_device()
    if asked == "auto":
        asked = "cuda" if torch.cuda.is_available() else "cpu"
    if asked in CARDS:
        fault = f"{asked} is a card to plan for"
        raise InputError("--device", fault, "add --plan-only, or choose cuda where there is one")
    kind, _, number = asked.partition(":")
    count = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind != "cpu" and not int(number or 0) < count[kind]:
        fault = f"of {asked} is asked for, and there are {count[kind]}"
        raise InputError("--device", fault, "choose auto or cpu")
    return torch.device(kind, int(number)) if number else torch.device(kind)


@functools.cache
def _fabric(precision: Precision, kind: str, index: int | None) -> Fabric:
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    world = int(os.environ.get("WORLD_SIZE", os.environ.get("SLURM_NTASKS", "1")))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1" if world == 1 else str(world)))
    fabric = Fabric(
        accelerator=kind, devices=local if index is None else [index],
        num_nodes=max(1, world // local),
        strategy="ddp_find_unused_parameters_true" if world > 1 else "auto", precision=precision,
    )  # fmt: skip
    if world > 1:
        fabric.launch()
    return fabric


def loader_threads() -> int:
    """Threads that read the cases of coming steps, one unless more are asked for.

    >>> loader_threads() >= 0
    True
    """
    return chosen_workers(1)


def placed(network: Network) -> Network:
    """A network on the device that is there, set to evaluation, its convolutions at their speed.

    This is where modules of finished fits are moved; the loop moves those that are being fitted.

    >>> placed(torch.nn.Linear(2, 2)).training
    False
    """
    return at_speed(network.to(fabric_for().device).eval())


def sampled_often(denoiser: nn.Module, precision: Precision) -> None:
    """Lay a denoiser out for many calls without gradients: channels last, weights as computed with.

    Autocast would round the weights anew at each call; the numbers that come out are the same.

    Args:
        denoiser: wrapper whose `network` is called at each step.
        precision: under which it will be called, unless another was chosen.
    """
    for weight in denoiser.parameters():
        if weight.ndim == 5:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last_3d)
    network = denoiser.network
    if isinstance(network, nn.Module) and precision_here(precision) == "bf16-mixed":
        network.to(torch.bfloat16)
