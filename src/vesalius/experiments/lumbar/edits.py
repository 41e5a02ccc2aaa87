"""The edits of the lumbar experiment: each method on each unseen patient, held against truth."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from vesalius.anatomy.spine import CANAL
from vesalius.evidence.inpainting import context_error, seam
from vesalius.evidence.overlap import dice
from vesalius.experiments.lumbar.recipe import LumbarRecipe
from vesalius.methods.inpainting.latent import from_latent
from vesalius.methods.inpainting.pipeline import Edit as OneEdit
from vesalius.methods.inpainting.pipeline import InpaintingPipeline
from vesalius.methods.inpainting.sampling import FindingRequest
from vesalius.phantoms.spine.findings import PATHOLOGIES
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.crop import Crop, cut, voxel_of
from vesalius.scans.landmarks import Landmark, read_landmarks
from vesalius.scans.progress import Progress, track
from vesalius.scans.writing import make_folder, write_text
from vesalius.training.run import Run

LONG = "repaint_long"
BESIDES = ("unedited", "truth")
EXAMPLES = 3


@dataclass(frozen=True)
class Edit:
    """What one method made of one patient."""

    method: str
    pathology: str
    patient: int
    level: str
    requested_mm: float
    measured_mm: float
    size_error_mm: float
    context_mae: float
    context_mae_before_blending: float
    seam: float
    dice: float
    canal_dice: float
    spared_mae: float
    disc_darker: float
    disc_darker_of_truth: float
    disc_flatter: float
    disc_flatter_of_truth: float
    network_calls: int
    seconds: float


def make_edits(
    run: Run, counterfactuals: Mapping[str, Cohort], folder: Path, recipe: LumbarRecipe, seed: int,
    progress: Progress,
) -> None:  # fmt: skip
    """Edit every unseen patient by every method; crops, measurements and some whole scans.

    One draw each, without rejection or calibration, at the place and of the size that the
    counterfactual truth has.
    """
    make_folder(folder)
    calls = dict.fromkeys(recipe.methods, recipe.inpainting.calls)
    inpainters: dict[str, InpaintingPipeline] = {
        name: InpaintingPipeline(run, name, calls[name], calibrated=False)
        for name in recipe.methods
    }
    if recipe.long_repaint_calls and seed == recipe.seeds[0]:
        inpainters[LONG] = InpaintingPipeline(
            run, "repaint", recipe.long_repaint_calls, calibrated=False
        )
    first = next(iter(inpainters.values()))
    making = {"command": "examples", "run": run.name, "seed": seed}
    examples = CohortWriter(folder / "examples", first.fingerprint.description, made=making)
    work = [(p, row) for p in PATHOLOGIES for row in range(recipe.patients)]
    rows: list[Edit] = []
    crops: dict[str, list[Crop]] = {name: [] for name in (*inpainters, *BESIDES)}
    for pathology, row in track(work, f"editing unseen patients {seed}", len(work), progress):
        truth_cohort = counterfactuals[pathology]
        healthy = counterfactuals["healthy"].read(counterfactuals["healthy"].cases[row])
        truth = truth_cohort.read(truth_cohort.cases[row])
        mark = marks_of(truth_cohort)[truth_cohort.cases[row].name][0]
        request = FindingRequest(pathology, mark.level, mark.size_mm, mark.point_mm)
        place = voxel_of(healthy, mark.point_mm)
        grid = first.fingerprint.grid
        negative, positive = cut(healthy, place, grid), cut(truth, place, grid)
        crops["unedited"].append(negative)
        crops["truth"].append(positive)
        for name, inpainter in inpainters.items():
            if name == LONG and row >= recipe.long_repaint_patients:
                continue
            start = time.perf_counter()
            generated = inpainter.edit(healthy, request, 1000 * seed + row)
            seconds = time.perf_counter() - start
            after = cut(generated.scan, place, grid)
            crops[name].append(after)
            measured = inpainter.measured(generated.scan, pathology, mark.level)
            scans = healthy, negative, positive, after
            rows.append(_edit(name, row, request, measured, scans, generated, inpainter, seconds))
            if row < EXAMPLES:
                provenance = {"synthetic": True, "run": run.name, "inpainting_method": name}
                examples.add(
                    f"{pathology}_{row:03d}_{name}", generated.scan, f"unseen-{row}", {},
                    split="test",
                    provenance=provenance, dtype=np.int16,
                )  # fmt: skip
    examples.finish()
    for kept, own in crops.items():
        _save_crops(folder / f"{kept}.npz", own, first)
    head = ",".join(field.name for field in fields(Edit))
    lines = [",".join(_cell(value) for value in astuple(edit)) for edit in rows]
    write_text(folder / "edits.csv", "\n".join([head, *lines]) + "\n")


def _save_crops(path: Path, crops: Sequence[Crop], pipeline: InpaintingPipeline) -> None:
    """Keep crops about the landmark, for the distances."""
    np.savez(
        path,
        images=np.stack([c.scan.channels[0].voxels for c in crops]).astype(np.float32),
        labels=np.stack([c.scan.label_map.voxels for c in crops]),
        slices=np.array([round(float(c.landmark[0])) for c in crops]),
        spacing=np.array(pipeline.fingerprint.spacing_mm),
        labelled=np.array(sorted(pipeline.labels)),
    )


def _edit(
    name: str, row: int, request: FindingRequest, measured: float,
    seen: tuple[LabelledScan, Crop, Crop, Crop], made: OneEdit, inpainter: InpaintingPipeline,
    seconds: float,
) -> Edit:  # fmt: skip
    """Hold one edit against the scan it was made from and against the counterfactual truth."""
    healthy, negative, positive, after = seen
    labels, blend = inpainter.labels, made.edit.blend
    canal = [labels[label] for label in CANAL if label in labels]
    free = blend > 0
    before, new, true = (c.scan.channels[0].voxels for c in (negative, after, positive))
    maps = [np.where(free, c.scan.label_map.voxels, 0) for c in (after, positive)]
    canal_dice = dice(maps[0], maps[1], canal)
    own = dice(maps[0], maps[1], [labels["herniation"]])
    scale = inpainter.fingerprint.intensity_high[0] - inpainter.fingerprint.intensity_low[0]
    raw = from_latent(made.latent, 1)[0][0, 0].numpy()
    generated = raw * scale + inpainter.fingerprint.intensity_low[0]
    spared = free & (np.abs(true - before) < 0.01 * scale)
    whole = [scan.channels[0].oriented("RAS") for scan in (healthy, made.scan)]
    disc = labels[f"disc_{request.level}"]
    # Of what the disc was, since what it is now depends on the method.
    core = negative.scan.label_map.voxels == disc
    voxels = [float((c.scan.label_map.voxels == disc).sum()) for c in (negative, after, positive)]
    return Edit(
        name, request.pathology, row, request.level, request.size_mm, measured,
        abs(measured - request.size_mm),
        context_error(whole[0], whole[1], _free_of_scan(healthy, made.crop, free)),
        float(np.abs(generated - before)[~free].mean()),
        seam(new, before, blend),
        own if request.pathology == "herniation" else canal_dice, canal_dice,
        float(np.abs(new - before)[spared].mean()),
        float((before - new)[core].mean()), float((before - true)[core].mean()),
        voxels[0] - voxels[1], voxels[0] - voxels[2], made.network_calls, seconds,
    )  # fmt: skip


def _free_of_scan(scan: LabelledScan, crop: Crop, free: np.ndarray) -> np.ndarray:
    """Where a RAS-oriented scan may have changed; of one spacing with the crop."""
    shape = scan.label_map.oriented("RAS").shape
    whole = np.zeros(shape, dtype=bool)
    inside = np.argwhere(free) + np.round(crop.start).astype(int)
    kept = inside[((inside >= 0) & (inside < shape)).all(axis=1)]
    whole[tuple(kept.T)] = True
    return whole


def marks_of(cohort: Cohort) -> dict[str, list[Landmark]]:
    return read_landmarks(cohort.folder, {case.name: case for case in cohort.cases})[0]


def _cell(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
