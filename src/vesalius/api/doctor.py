"""What works on this machine: devices, memory, packages, viewer, browser, speed."""

from __future__ import annotations

import platform
import shutil
import time
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import psutil
import torch
from torch.nn import functional

from vesalius import __version__
from vesalius.scans.computing import available_processors
from vesalius.scans.input_error import InputError
from vesalius.training.device import compute_device, precision_here

State = Literal["works", "missing", "look"]
GIB = 2**30
LITTLE_MEMORY_GIB, LITTLE_DISK_GIB = 4.0, 10.0
"""Below which the demos do not go through."""
SIDE, CHANNELS, SECONDS = 48, 32, 0.5
EXTRAS = {
    "formats": ("DICOM with SEG, NRRD, MetaImage", ("highdicom", "SimpleITK", "pylibjpeg")),
    "nnunet": ("nnU-Net v2 in proofs", ("nnunetv2",)),
    "radiomics": ("radiomics distances", ("fastrad", "frd_score")),
    "readers": ("reader studies in the browser", ("fastapi", "sqlalchemy", "uvicorn")),
    "cluster": ("work on a Dask cluster", ("distributed",)),
}
"""What each extra is for, and the modules by which it is known to be there."""


@dataclass(frozen=True)
class Checked:
    """One thing that was looked at.

    Attributes:
        name: of it.
        state: `works`, `missing`, or `look` where something is slow or scarce.
        said: what was found, and what to do about it.
    """

    name: str
    state: State
    said: str


def doctor() -> list[Checked]:
    """Look at this machine; takes some seconds, and writes nothing.

    >>> [one.name for one in doctor()][:3]
    ['Vesalius', 'processor', 'device']
    """
    return [
        Checked("Vesalius", "works", f"{__version__}, Python {platform.python_version()}, torch "
                f"{torch.__version__}, MONAI {_version('monai')}, {platform.platform()}"),
        _processor(), *_devices(), _speed(), _disk(), *_extras(), _browser(),
    ]  # fmt: skip


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not there"


def _processor() -> Checked:
    memory = psutil.virtual_memory()
    free, total = memory.available / GIB, memory.total / GIB
    said = f"{available_processors()} cores, {free:.1f} of {total:.1f} GiB memory free"
    if free < LITTLE_MEMORY_GIB:
        return Checked("processor", "look", f"{said}; close other programs before a fit")
    return Checked("processor", "works", said)


def _devices() -> Iterator[Checked]:
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        said = f"cuda:{index} {name}, {free / GIB:.1f} of {total / GIB:.1f} GiB free"
        yield Checked("device", "works", said)
    try:
        device = compute_device()
    except InputError as refusal:
        yield Checked("device", "missing", str(refusal))
        return
    if device.type == "cpu":
        bfloat16 = precision_here("bf16-mixed") == "bf16-mixed"
        said = (
            "no GPU: computes on the processor, in "
            + ("bfloat16 and 32 bits" if bfloat16 else "32 bits, as it has no bfloat16")
            + "; demos and presets named demo are made for that"
        )
        yield Checked("device", "works" if bfloat16 else "look", said)


def _speed() -> Checked:
    """GFLOP/s of the convolution that most of a fit is spent in."""
    try:
        device = compute_device()
    except InputError as refusal:
        return Checked("speed", "missing", str(refusal))
    kind = torch.bfloat16 if precision_here("bf16-mixed") == "bf16-mixed" else torch.float32
    image = torch.rand(1, CHANNELS, SIDE, SIDE, SIDE, device=device, dtype=kind)
    weight = torch.rand(CHANNELS, CHANNELS, 3, 3, 3, device=device, dtype=kind)
    flops = 2 * CHANNELS**2 * 27 * SIDE**3

    def once() -> None:
        functional.conv3d(image, weight, padding=1)
        if device.type == "cuda":
            torch.cuda.synchronize()

    with torch.no_grad():
        once()
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < SECONDS:
            once()
            count += 1
    rate = count * flops / (time.perf_counter() - start) / 1e9
    name = str(kind).removeprefix("torch.")
    said = f"{rate:.0f} GFLOP/s in a 3D convolution, {name}; --dry-run says minutes of a fit"
    return Checked("speed", "works", said)


def _disk() -> Checked:
    free = shutil.disk_usage(Path.cwd()).free / GIB
    said = f"{free:.0f} GiB free here"
    if free < LITTLE_DISK_GIB:
        return Checked("disk", "look", f"{said}; a fit keeps its crops and codes on disk")
    return Checked("disk", "works", said)


def _extras() -> Iterator[Checked]:
    for name, (purpose, modules) in EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        if missing:
            said = f"{purpose}: {', '.join(missing)} not there; pip install 'vesalius[{name}]'"
            yield Checked(f"extra {name}", "missing", said)
        else:
            yield Checked(f"extra {name}", "works", purpose)


def _browser() -> Checked:
    try:
        webbrowser.get()
    except webbrowser.Error:
        said = "none found here; reports and reader studies open in that of another machine"
        return Checked("browser", "look", said)
    return Checked("browser", "works", "reports are single files that it opens without a server")
