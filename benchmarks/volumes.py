"""Whole volumes at their published sizes: one training step of each network, and tiled decoding.

    python benchmarks/volumes.py step chest_ct     # seconds and memory of a step, beside the plan
    python benchmarks/volumes.py decode            # memory of decoding as the volume grows

Memory is the largest resident set of the process above what it held before; each measurement runs
in a process of its own.
"""

from __future__ import annotations

import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Literal

import torch
from cyclopts import App

from vesalius.methods.volumes.fitting import VolumesData
from vesalius.methods.volumes.method import Volumes
from vesalius.methods.volumes.recipe import PRESETS, PUBLISHED_SHAPES
from vesalius.networks.bottleneck import Codebook
from vesalius.networks.volume_autoencoder import VolumeAutoencoder
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.method import Part
from vesalius.training.plan import Plan, planned

app = App(help=__doc__)
Preset = Literal["knee_mri", "breast_mri", "brain_mri", "chest_ct"]


def fingerprint_of(shape: tuple[int, int, int]) -> Fingerprint:
    """A cohort of one channel at some size, of which nothing else is known."""
    rows = ((1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 1.0, 0), (0, 0, 0, 1.0))
    return Fingerprint(
        cases=100, subjects=100, channels=("image",), labels={"background": 0}, origin="",
        shape=shape, spacing_mm=(1.0, 1.0, 1.0), affine=rows, orientation="RAS",
        intensity_low=(0.0,), intensity_high=(1.0,), intensity_bounds=((0.0, 1.0),),
        attributes=(), content="",
    )  # fmt: skip


def resident() -> float:
    """Largest resident set so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def parts_of(preset: Preset) -> list[Part]:
    """Both networks at the published size."""
    seen = fingerprint_of(PUBLISHED_SHAPES[preset])
    return Volumes().parts(VolumesData(PRESETS[preset], seen, fitted=seen.cases))


def one_step(preset: Preset, name: str) -> tuple[float, float]:
    """Seconds and GB of one optimiser step at the published size, critics included."""
    torch.manual_seed(0)
    part = next(part for part in parts_of(preset) if part.name == name)
    before, fit = resident(), part.recipe
    assert fit and part.objective and part.blank
    objective = part.objective(part.blank()).train()
    optimizer = torch.optim.AdamW(objective.parameters(), fit.learning_rate, betas=fit.betas)
    start = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=fit.precision != "32-true"):
        total = objective.loss_of(torch.arange(fit.batch_size), torch.Generator().manual_seed(0))
    total.backward()
    optimizer.step()
    if not torch.isfinite(total):
        raise ValueError(f"{preset}: the loss is {float(total)}")
    return time.perf_counter() - start, resident() - before


def decoding(side: int, tiled: bool) -> tuple[float, float]:
    """Seconds and GB of decoding a volume of `side`³ voxels."""
    torch.manual_seed(0)
    network = VolumeAutoencoder(1, 8, (4, 4, 4), (32, 64), 1, Codebook(8, 1024)).eval()
    code = torch.randn(1, 8, *(side // 4,) * 3)
    with torch.no_grad():
        network.decode_in_tiles(code[:, :, :8, :8, :8])
        before, start = resident(), time.perf_counter()
        if tiled:
            network.decode_in_tiles(code)
        else:
            network.decode(code)
    return time.perf_counter() - start, resident() - before


@app.command
def step(preset: Preset) -> None:
    """Take one step of both networks at the published size."""
    plan = Plan(tuple(planned(part) for part in parts_of(preset)), 0.0)
    print(f"{preset}: {' x '.join(map(str, PUBLISHED_SHAPES[preset]))} voxels")
    for fit in plan.fits:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            seconds, gigabytes = pool.submit(one_step, preset, fit.part).result()
        planned = fit.cost.peak_bytes / 1e9
        print(
            f"  {fit.part:<12} {fit.cost.parameters / 1e6:6.2f} M parameters  {seconds:6.1f} s  "
            f"{gigabytes:5.2f} GB, planned {planned:.2f} GB"
        )


@app.command
def decode() -> None:
    """Decode ever larger volumes, whole and in tiles."""
    for side in (64, 128, 192, 256):
        found = {}
        for tiled in (False, True):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                found[tiled] = pool.submit(decoding, side, tiled).result()
        volume = 4 * side**3 / 1e9
        print(
            f"{side}^3: volume {volume:.3f} GB; whole {found[False][1]:.2f} GB "
            f"{found[False][0]:.1f} s; tiles {found[True][1]:.2f} GB {found[True][0]:.1f} s"
        )


if __name__ == "__main__":
    app()
