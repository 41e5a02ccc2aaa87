"""Where to compute: Lightning Fabric as the environment offers it."""

from __future__ import annotations

import functools
import logging
import os
from typing import TypeVar

import torch
from lightning_fabric import Fabric
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


@functools.cache
def fabric_for(precision: str = "32-true") -> Fabric:
    """Fabric on all processes that `torchrun` or SLURM started, otherwise on one device.

    >>> fabric_for("32-true").world_size
    1
    """
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    world = int(os.environ.get("WORLD_SIZE", os.environ.get("SLURM_NTASKS", "1")))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1" if world == 1 else str(world)))
    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    fabric = Fabric(
        accelerator=accelerator, devices=local, num_nodes=max(1, world // local),
        strategy="ddp_find_unused_parameters_true" if world > 1 else "auto", precision=precision,  # type: ignore[arg-type]
    )  # fmt: skip
    if world > 1:
        fabric.launch()
    return fabric


def workers() -> int:
    """Threads that read the cases of coming steps: `VESALIUS_WORKERS`, or one.

    >>> workers() >= 0
    True
    """
    return int(os.environ.get("VESALIUS_WORKERS", "1"))


def placed(network: Network) -> Network:
    """A network on the device that is there, set to evaluation.

    This is where modules of finished fits are moved; the loop moves those that are being fitted.

    >>> placed(torch.nn.Linear(2, 2)).training
    False
    """
    return network.to(fabric_for().device).eval()
