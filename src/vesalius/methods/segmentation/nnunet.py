"""The real nnU-Net v2 on a training set: plans, training, prediction, in a process of its own.

nnU-Net's environment, threads and worker processes stay out of the caller: `train_and_predict`
writes the data in raw format and starts `python -m vesalius.methods.segmentation.nnunet_process`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from pydantic import Field

from vesalius.phantoms.mri import random_contrast
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.description import Description
from vesalius.scans.formats.nifti import read_nifti, write_nifti
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress
from vesalius.scans.volume import Volume
from vesalius.scans.writing import make_folder
from vesalius.training.recipe import Settings

DATASET = "Dataset001_Vesalius"


class NnunetRecipe(Settings):
    """Settings that nnU-Net does not plan itself.

    Attributes:
        epochs, iterations, validation_iterations: nnU-Net's own are 1000, 250 and 50.
        planner: nnU-Net's planner, such as `nnUNetPlannerResEncM`.
        configuration: one of those that the planner plans.
        mirroring: average predictions over mirrored images.
        threads: for arithmetic.
        held_out: share of the training cases that nnU-Net watches.
    """

    epochs: int = Field(default=1000, ge=1)
    iterations: int = Field(default=250, ge=1)
    validation_iterations: int = Field(default=50, ge=1)
    planner: str = "ExperimentPlanner"
    configuration: str = "3d_fullres"
    mirroring: bool = True
    threads: int = Field(default_factory=lambda: max(1, os.cpu_count() or 1), ge=1)
    held_out: float = 0.2


NamedScans = tuple[Sequence[str], Sequence[LabelledScan]]
"""Names, and the scan of each, read when it is asked for."""


def train_and_predict(
    training: NamedScans,
    test: NamedScans,
    description: Description,
    recipe: NnunetRecipe,
    random_contrasts: bool,
    work: Path,
    predictions: Path,
    seed: int,
    progress: Progress,
) -> None:
    """Train nnU-Net on named scans and write a label map for each test scan.

    nnU-Net wants labels numbered without gaps: they are renumbered on the way in and back.

    A case generated several times keeps all its copies on one side of nnU-Net's own validation
    split,
    and synthetic scans stay out of validation: their names hold no real case's name after the dash.

    Raises:
        InputError: if nnU-Net is not installed or fails; its log is named.
    """
    if find_spec("nnunetv2") is None:
        raise InputError("nnunetv2", "is not installed", "pip install 'vesalius[nnunet]'")
    if work.exists():
        shutil.rmtree(work)
    numbers = np.array(sorted(description.labels.values()))
    consecutive = {name: int(np.searchsorted(numbers, v)) for name, v in description.labels.items()}
    counted = replace(description, labels=consecutive)
    with CohortWriter(work / "raw" / DATASET, counted) as writer:
        for index, (name, scan) in enumerate(zip(*training, strict=True)):
            shown = _recoloured(scan, seed + index) if random_contrasts else scan
            voxels = np.searchsorted(numbers, scan.label_map.voxels).astype(np.uint8)
            labelled = LabelledScan(shown.channels, Volume(voxels, scan.label_map.affine))
            writer.add(name, labelled, subject=name, attributes={})
        counted.write(writer.folder, len(training[0]))
    images = make_folder(work / "test")
    for name, scan in zip(*test, strict=True):
        for channel, image in enumerate(scan.channels):
            write_nifti(image, images / f"{name}_{channel:04d}{description.file_ending}")
    fitted, watched = _split(training[0], recipe.held_out, seed)
    job = {
        "train_cases": fitted, "val_cases": watched, "dataset": DATASET,
        "test_images": str(images.resolve()), "predictions": str((work / "found").resolve()),
        "seed": seed, **recipe.model_dump(mode="json"),
    }  # fmt: skip
    (work / "job.json").write_text(json.dumps(job, indent=2), encoding="utf-8")
    progress("training nnU-Net", 0, 1)
    log = work / "log.txt"
    with log.open("w", encoding="utf-8") as stream:
        code = subprocess.run(
            [sys.executable, "-m", f"{__package__}.nnunet_process", str(work.resolve())],
            env=os.environ | _environment(work.resolve(), recipe.threads), stdout=stream,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
        ).returncode  # fmt: skip
    if code:
        raise InputError(log, f"nnU-Net ended with code {code}", "read the last lines of this log")
    for name in test[0]:
        result = read_nifti(work / "found" / f"{name}{description.file_ending}")
        voxels = numbers[result.voxels.round().astype(int)].astype(np.int16)
        target = make_folder(predictions) / f"{name}.nii.gz"
        write_nifti(Volume(voxels, result.affine), target, np.int16)
    progress("training nnU-Net", 1, 1)


def _split(names: Sequence[str], held_out: float, seed: int) -> tuple[list[str], list[str]]:
    """Training and validation names; copies of one case stay together, synthetic ones train."""
    origins = sorted({_origin(name) for name in names if not _origin(name).startswith("synthetic")})
    origins = origins or sorted({_origin(name) for name in names})
    np.random.default_rng(seed).shuffle(origins)
    watched = set(origins[: max(1, round(held_out * len(origins)))])
    return (
        [name for name in names if _origin(name) not in watched],
        [name for name in names if _origin(name) in watched],
    )


def _origin(name: str) -> str:
    return name.partition("-")[2]


def _recoloured(scan: LabelledScan, seed: int) -> LabelledScan:
    """The same label map under an image of arbitrary contrast."""
    values, indices = np.unique(scan.label_map.voxels, return_inverse=True)
    numbers = torch.from_numpy(indices.reshape(scan.label_map.shape).astype(np.int64))
    rng = torch.Generator().manual_seed(seed)
    image = random_contrast(numbers, len(values), scan.label_map.spacing_mm[0], rng).numpy()
    return LabelledScan((Volume(image, scan.label_map.affine),), scan.label_map)


def _environment(work: Path, threads: int) -> dict[str, str]:
    return {
        "nnUNet_raw": str(work / "raw"),
        "nnUNet_preprocessed": str(work / "preprocessed"),
        "nnUNet_results": str(work / "results"),
        "nnUNet_n_proc_DA": str(threads),
        "nnUNet_def_n_proc": "1",
        "nnUNet_compile": "false",
        "nnUNet_wandb_enabled": "0",
        "OMP_NUM_THREADS": str(threads),
        "MPLBACKEND": "Agg",
    }
