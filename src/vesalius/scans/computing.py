"""How this process and those that it starts compute: device, precision, threads, workers.

It is kept in the environment, so that it reaches every process, `torchrun`'s and SLURM's as well.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Literal, get_args

import psutil

from vesalius.scans.cards import CARDS
from vesalius.scans.input_error import InputError

Precision = Literal["32-true", "bf16-mixed"]
Tracker = Literal["tensorboard", "mlflow"]
DEVICE, PRECISION = "VESALIUS_DEVICE", "VESALIUS_PRECISION"
THREADS, WORKERS = "VESALIUS_THREADS", "VESALIUS_WORKERS"
CLUSTER, TRACKERS = "VESALIUS_CLUSTER", "VESALIUS_TRACKERS"
MOST = 1024
LEAST_BUSY = 0.3
"""Processors that others compute on, from which on a machine counts as shared."""
DEVICES = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")


def be_friendly() -> None:
    """Let waiting threads sleep where others compute as well, unless the user decided otherwise.

    OpenMP's threads spin while they wait, which is quick on a machine of one's own and takes the
    processors from others on a shared one; asleep they wake up late. So this looks for a tenth of a
    second whether other processes compute. It acts before torch is loaded, or not at all.
    """
    decided = any(name in os.environ for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"))
    if not decided and "torch" not in sys.modules and busy_processors() >= LEAST_BUSY:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


def busy_processors(seconds: float = 0.1) -> float:
    """How many processors others keep busy, while this process waits.

    >>> busy_processors(0.01) >= 0
    True
    """
    share = psutil.cpu_percent(interval=seconds) / 100
    return share * float(psutil.cpu_count() or 1)


def set_computing(
    device: str | None = None, precision: Precision | None = None, threads: int | None = None,
    workers: int | None = None, cluster: str | None = None,
    trackers: Sequence[Tracker] | None = None,
) -> None:  # fmt: skip
    """Decide how is computed from now on; what is `None` stays as it is.

    Args:
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`; `auto` is a GPU of CUDA if there is one,
            otherwise the CPU. A plan is made for a card such as `h100` as well.
        precision: of the arithmetic, instead of that of recipes.
        threads: of one process.
        workers: that read cases while a step computes, and processes that share the work by case.
        cluster: address of a Dask scheduler that shares the work by case instead; empty for none.
        trackers: that losses of fits are sent to beside `log.csv`.

    Raises:
        InputError: for a device that there is none of, or numbers out of bounds.

    >>> set_computing(device="abacus")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: --device: 'abacus' is none; choose auto, cpu, cuda, ...
    """
    if device is not None:
        require_device_name(device)
    for name, value, least in (("--threads", threads, 1), ("--workers", workers, 0)):
        if value is not None and not least <= value <= MOST:
            raise InputError(name, f"{value} is out of bounds", f"choose {least} to {MOST}")
    for tracker in trackers or ():
        if tracker not in get_args(Tracker) or find_spec(tracker) is None:
            remedy = "pip install 'vesalius[tracking]', and choose tensorboard or mlflow"
            raise InputError("--track", f"{tracker} is not there", remedy)
    for name, one in (
        (DEVICE, device), (PRECISION, precision), (THREADS, threads), (WORKERS, workers),
        (CLUSTER, cluster), (TRACKERS, None if trackers is None else ",".join(trackers)),
    ):  # fmt: skip
        if one is not None:
            os.environ[name] = str(one)
    if threads is not None:
        set_threads(threads)


SENT = (DEVICE, PRECISION, THREADS)


def settings_for_others() -> dict[str, str]:
    """What was decided, for workers that no process of ours has started.

    >>> set(settings_for_others()) <= set(SENT)
    True
    """
    return {name: os.environ[name] for name in SENT if name in os.environ}


def take_settings(settings: Mapping[str, str]) -> None:
    """Compute as the sender of work has decided."""
    for name in SENT:
        os.environ.pop(name, None)
    os.environ.update(settings)
    if THREADS in settings:
        set_threads(int(settings[THREADS]))


def set_threads(count: int) -> None:
    """Let this process compute in so many threads."""
    os.environ["OMP_NUM_THREADS"] = str(count)
    loaded = sys.modules.get("torch")
    if loaded is not None:
        loaded.set_num_threads(count)


def thread_count_chosen() -> bool:
    """Whether the user has decided on threads."""
    return any(name in os.environ for name in (THREADS, "OMP_NUM_THREADS"))


def available_processors() -> int:
    """Processors that this process may use.

    >>> available_processors() >= 1
    True
    """
    own = psutil.Process()
    if hasattr(own, "cpu_affinity"):  # not on macOS
        return len(own.cpu_affinity() or [0])
    return psutil.cpu_count() or 1


def require_device_name(name: str) -> None:
    """Refuse what is no name of a device, nor of a card that can be planned for.

    >>> require_device_name("cuda:1")
    """
    if not DEVICES.fullmatch(name) and name not in CARDS:
        raise InputError("--device", f"'{name}' is none", "choose auto, cpu, cuda, cuda:1 or mps")


def chosen_device() -> str:
    """What was asked for, `auto` where nothing was.

    Raises:
        InputError: for what is no device.
    """
    name = os.environ.get(DEVICE, "auto")
    require_device_name(name)
    return name


def chosen_precision() -> Precision | None:
    """What was asked for instead of the precision of recipes."""
    asked = os.environ.get(PRECISION)
    return asked if asked in ("32-true", "bf16-mixed") else None  # type: ignore[return-value]


def chosen_trackers() -> list[str]:
    """Whom losses of fits are sent to beside `log.csv`."""
    return [name for name in os.environ.get(TRACKERS, "").split(",") if name]


def chosen_cluster() -> str:
    """Address of a Dask scheduler, empty where none was chosen."""
    return os.environ.get(CLUSTER, "")


def chosen_workers(default: int) -> int:
    """How many workers were asked for.

    >>> chosen_workers(2) >= 0
    True
    """
    asked = os.environ.get(WORKERS, "")
    return int(asked) if asked.isdigit() else default
