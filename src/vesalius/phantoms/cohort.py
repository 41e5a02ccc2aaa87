"""A cohort of phantoms on disk: the same seed gives the same bytes, in any number of processes."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from vesalius.phantoms.brain import ATTRIBUTE, DESCRIPTION, VOLUME_RANGE_ML, draw_brain
from vesalius.scans.cohort import Cohort, CohortWriter
from vesalius.scans.fault import Refused
from vesalius.scans.progress import Progress, followed, silent


def write_brains(
    folder: str | Path,
    count: int,
    seed: int = 0,
    spacing_mm: float = 3.0,
    volume_ml: tuple[float, float] | None = None,
    split: str = "",
    workers: int = 1,
    progress: Progress = silent,
) -> Cohort:
    """Write phantom brains as a cohort, or complete one that was left unfinished.

    Args:
        folder: of the cohort.
        count: how many cases.
        seed: of the cohort; each case draws its own from it.
        spacing_mm: edge length of a voxel.
        volume_ml: range of ventricular volumes, or `None` for the skewed one of patients.
        split: written to the column `split` of every case.
        workers: processes to share the work.
        progress: told after each case.

    Raises:
        Refused: for a range or a spacing that no phantom can have, before any work.
    """
    low, high = volume_ml or VOLUME_RANGE_ML
    if not VOLUME_RANGE_ML[0] <= low <= high <= VOLUME_RANGE_ML[1]:
        remedy = f"ask within {VOLUME_RANGE_ML[0]:g} to {VOLUME_RANGE_ML[1]:g} mL"
        raise Refused(ATTRIBUTE, f"{low:g} to {high:g} mL cannot be built", remedy)
    if not 1.0 <= spacing_mm <= 8.0:
        raise Refused("spacing", f"{spacing_mm:g} mm is out of reach", "ask for 1 to 8 mm")
    if count < 1:
        raise Refused("n", f"{count} cases are none", "ask for at least 1")
    writer = CohortWriter(folder, DESCRIPTION, [ATTRIBUTE])
    seeds = np.random.SeedSequence(seed).generate_state(count, dtype=np.uint32)
    wanted = [(f"brain_{index:04d}", int(case_seed)) for index, case_seed in enumerate(seeds)]
    missing = [(name, case_seed) for name, case_seed in wanted if name not in writer.done]
    write = partial(
        _write_one, folder=str(folder), seed=seed, spacing_mm=spacing_mm, volume_ml=volume_ml,
        split=split,
    )  # fmt: skip
    told = ("drawing phantom brains", len(missing))
    if workers > 1 and len(missing) > 3:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for _ in followed(pool.map(write, missing), *told, progress):
                pass
    else:
        for item in followed(missing, *told, progress):
            write(item)
    return CohortWriter(folder, DESCRIPTION, [ATTRIBUTE]).finish()


def _write_one(
    item: tuple[str, int], folder: str, seed: int, spacing_mm: float,
    volume_ml: tuple[float, float] | None, split: str,
) -> None:  # fmt: skip
    name, case_seed = item
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        phantom = draw_brain(case_seed, spacing_mm, volume_ml)
    finally:
        torch.set_num_threads(threads)
    CohortWriter(folder, DESCRIPTION, [ATTRIBUTE]).add(
        name, phantom.scan, subject=f"phantom-{seed}-{name}",
        attributes={ATTRIBUTE: phantom.volume_ml}, split=split, dtype=np.int16,
    )  # fmt: skip
