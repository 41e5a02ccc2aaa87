"""The edits of the lumbar experiment: each method on each unseen patient, held against truth."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from vesalius.evidence.fidelity import (
    frechet_radiomics_distance,
    radiomics_available,
    radiomics_features,
)
from vesalius.evidence.figure import Figure, jackknifed, mean_figure
from vesalius.evidence.frechet import features, frechet_distance, lite0_extractor
from vesalius.evidence.inpainting import context_error, dice, seam
from vesalius.phantoms.spine.findings import PATHOLOGIES
from vesalius.protocols.lumbar_recipe import LumbarRecipe
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort, CohortWriter
from vesalius.scans.crop import Crop, cut, voxel_of
from vesalius.scans.description import write_text
from vesalius.scans.fault import make_folder
from vesalius.scans.landmarks import Landmark, read_landmarks
from vesalius.scans.progress import Progress, followed
from vesalius.scans.spine import CANAL
from vesalius.scans.volume import Volume
from vesalius.synthesis.inpainting.inpainter import FindingRequest, Inpainter, OneDraw
from vesalius.synthesis.inpainting.latent import from_latent
from vesalius.training.run import Run

LONG = "repaint_long"
BESIDES = ("unedited", "truth")
PICTURE_MM = 48.0
EXAMPLES = 3


@dataclass(frozen=True)
class Edit:
    """What one method made of one patient."""

    method: str
    pathology: str
    patient: int
    level: str
    asked_mm: float
    measured_mm: float
    context_mae: float
    context_mae_before_blending: float
    seam: float
    dice: float
    canal_dice: float
    spared_mae: float
    network_calls: int
    seconds: float


def make_edits(
    run: Run, twins: Mapping[str, Cohort], folder: Path, recipe: LumbarRecipe, seed: int,
    progress: Progress,
) -> None:  # fmt: skip
    """Edit every unseen patient by every method; crops, measurements and some whole scans.

    One draw each, without rejection, at the place and of the size that the counterfactual truth
    has.
    """
    make_folder(folder)
    calls = dict.fromkeys(recipe.methods, recipe.inpainting.calls)
    inpainters = {name: Inpainter(run, name, calls[name]) for name in recipe.methods}
    if recipe.long_repaint_calls:
        inpainters[LONG] = Inpainter(run, "repaint", recipe.long_repaint_calls)  # type: ignore[index]
    first = next(iter(inpainters.values()))
    examples = CohortWriter(folder / "examples", first.fingerprint.description)
    labels = first.labels
    work = [(p, row) for p in PATHOLOGIES for row in range(recipe.patients)]
    rows: list[Edit] = []
    crops: dict[str, list[Crop]] = {name: [] for name in (*inpainters, *BESIDES)}
    for pathology, row in followed(work, f"editing unseen patients {seed}", len(work), progress):
        truth_cohort = twins[pathology]
        healthy = twins["healthy"].read(twins["healthy"].cases[row])
        truth = truth_cohort.read(truth_cohort.cases[row])
        mark = _marks(truth_cohort)[truth_cohort.cases[row].name][0]
        request = FindingRequest(pathology, mark.level, mark.size_mm, mark.point_mm)
        place = voxel_of(healthy, mark.point_mm)
        grid = first.fingerprint.grid
        well, ill = cut(healthy, place, grid), cut(truth, place, grid)
        crops["unedited"].append(well)
        crops["truth"].append(ill)
        for name, inpainter in inpainters.items():
            start = time.perf_counter()
            made = inpainter.once(healthy, request, 1000 * seed + row)
            seconds = time.perf_counter() - start
            after = cut(made.scan, place, grid)
            crops[name].append(after)
            measured = inpainter.measured(made.scan, pathology, mark.level)
            rows.append(_edit(name, row, request, measured, (healthy, well, ill, after), made,
                              inpainter, seconds))  # fmt: skip
            if row < EXAMPLES:
                provenance = {"synthetic": True, "run": run.name, "drawn_by": name}
                examples.add(
                    f"{pathology}_{row:03d}_{name}", made.scan, f"unseen-{row}", {}, split="test",
                    provenance=provenance, dtype=np.int16,
                )  # fmt: skip
    examples.finish()
    for kept, own in crops.items():
        np.savez(
            folder / f"{kept}.npz",
            images=np.stack([c.scan.channels[0].voxels for c in own]).astype(np.float32),
            labels=np.stack([c.scan.label_map.voxels for c in own]),
            slices=np.array([round(float(c.landmark[0])) for c in own]),
            spacing=np.array(first.fingerprint.spacing_mm), labelled=np.array(sorted(labels)),
        )  # fmt: skip
    head = ",".join(field.name for field in fields(Edit))
    lines = [",".join(_cell(value) for value in astuple(edit)) for edit in rows]
    write_text(folder / "edits.csv", "\n".join([head, *lines]) + "\n")


def edit_figures(
    folder: Path, twins: Mapping[str, Cohort], reference: Cohort, recipe: LumbarRecipe,
    progress: Progress,
) -> dict[str, Figure]:  # fmt: skip
    """Fidelity, context, seam, anatomy and cost of every method, over all seeds."""
    found: dict[str, Figure] = {}
    names = [*recipe.methods, *([LONG] if recipe.long_repaint_calls else [])]
    tables = {seed: _read(folder / f"edits-{seed}" / "edits.csv") for seed in recipe.seeds}
    for name in names:
        own = [row for table in tables.values() for row in table if row["method"] == name]
        for head, column, unit in (
            (f"context/{name}/mae", "context_mae", "units"),
            (f"context/{name}/mae_before_blending", "context_mae_before_blending", "units"),
            (f"seam/{name}", "seam", ""),
            (f"cost/{name}/network_calls", "network_calls", ""),
            (f"cost/{name}/seconds", "seconds", "s"),
        ):
            found[head] = mean_figure(_column(own, column), unit)
        for pathology in PATHOLOGIES:
            some = [row for row in own if row["pathology"] == pathology]
            head = f"anatomy/{pathology}/{name}"
            found[f"{head}/dice"] = mean_figure(_column(some, "dice"), "")
            found[f"{head}/canal_dice"] = mean_figure(_column(some, "canal_dice"), "")
            found[f"{head}/spared_mae"] = mean_figure(_column(some, "spared_mae"), "units")
            error = np.abs(_column(some, "asked_mm") - _column(some, "measured_mm"))
            found[f"{head}/size_mae_mm"] = mean_figure(error, "mm")
    found |= _fidelity(folder, reference, recipe, names, progress)
    return found


def _fidelity(
    folder: Path, reference: Cohort, recipe: LumbarRecipe, names: Sequence[str], progress: Progress
) -> dict[str, Figure]:
    extract = lite0_extractor()
    halves = reference_crops(reference, Path(folder / f"run-{recipe.seeds[0]}"), recipe)
    stored = {
        (name, seed): np.load(folder / f"edits-{seed}" / f"{name}.npz")
        for name in (*names, *BESIDES)
        for seed in (recipe.seeds if name not in BESIDES else recipe.seeds[:1])
    }
    found: dict[str, Figure] = {}
    work = [(p, name) for p in PATHOLOGIES for name in (*names, *BESIDES)]
    pictures = {p: [_pictures(half[p]) for half in halves] for p in PATHOLOGIES}
    seen = {p: [features(half, extract) for half in pictures[p]] for p in PATHOLOGIES}
    made: dict[tuple[str, str], np.ndarray] = {}
    for pathology, name in followed(work, "measuring fidelity", len(work), progress):
        first = PATHOLOGIES.index(pathology) * recipe.patients
        span = slice(first, first + recipe.patients)
        own = [features(_stored_pictures(s, span), extract)
               for (n, _), s in stored.items() if n == name]  # fmt: skip
        made[pathology, name] = np.stack(own, axis=1)
        found[f"fidelity/{pathology}/{name}/fid"] = _over_seeds(
            seen[pathology][0], made[pathology, name]
        )
    for pathology in PATHOLOGIES:
        floor = jackknifed(seen[pathology], frechet_distance, "FID")
        found[f"fidelity/{pathology}/floor/fid"] = floor
        for voxelwise in (n for n in names if n.startswith("voxelwise")):
            for rival in (n for n in names if not n.startswith("voxelwise")):
                pair = np.concatenate([made[pathology, voxelwise], made[pathology, rival]], axis=1)
                found[f"fidelity/{pathology}/{voxelwise}_minus_{rival}/fid"] = jackknifed(
                    [seen[pathology][0], pair], _difference, "FID"
                )
    if recipe.radiomics_cases and not radiomics_available():
        found |= _radiomics(stored, halves, recipe, names, progress)
    return found


def _over_seeds(reference: np.ndarray, rows: np.ndarray) -> Figure:
    """Mean distance over seeds, `rows` `(N, seeds, F)`; its SD is that between seeds."""

    def mean_distance(real: np.ndarray, drawn: np.ndarray) -> float:
        return float(np.mean([frechet_distance(real, drawn[:, s]) for s in range(drawn.shape[1])]))

    figure = jackknifed([reference, rows], mean_distance, "FID")
    each = [frechet_distance(reference, rows[:, s]) for s in range(rows.shape[1])]
    spread = float(np.std(each, ddof=1)) if len(each) > 1 else None
    return Figure(figure.value, figure.unit, figure.n, figure.ci95, spread)


def _difference(real: np.ndarray, both: np.ndarray) -> float:
    half = both.shape[1] // 2
    distances = [frechet_distance(real, both[:, s]) for s in range(both.shape[1])]
    return float(np.mean(distances[:half]) - np.mean(distances[half:]))


def _radiomics(
    stored: Mapping[tuple[str, int], Mapping[str, np.ndarray]],
    halves: Sequence[Mapping[str, list[Crop]]], recipe: LumbarRecipe, names: Sequence[str],
    progress: Progress,
) -> dict[str, Figure]:  # fmt: skip
    """Fréchet radiomics distance inside the labelled tissue of the crops, of the first seed."""
    found: dict[str, Figure] = {}
    count = min(recipe.radiomics_cases, recipe.patients)
    work = [(p, name) for p in PATHOLOGIES for name in ("reference", "floor", *names)]
    real: dict[str, np.ndarray] = {}
    for pathology, name in followed(work, "measuring radiomics", len(work), progress):
        if name in ("reference", "floor"):
            crops = halves[name == "floor"][pathology][:count]
            cases = [(c.scan.channels[0], c.scan.label_map) for c in crops]
        else:
            own = stored[name, recipe.seeds[0]]
            first = PATHOLOGIES.index(pathology) * recipe.patients
            affine = np.diag([*own["spacing"], 1.0])
            cases = [
                (Volume(own["images"][row], affine), Volume(own["labels"][row], affine))
                for row in range(first, first + count)
            ]
        rows = radiomics_features(cases)
        if name == "reference":
            real[pathology] = rows
        else:
            found[f"fidelity/{pathology}/{name}/frd"] = jackknifed(
                [real[pathology], rows], frechet_radiomics_distance, "FRD"
            )
    return found


def reference_crops(
    reference: Cohort, run_folder: Path, recipe: LumbarRecipe
) -> tuple[dict[str, list[Crop]], dict[str, list[Crop]]]:
    """Crops around real findings, by pathology, in two halves of different patients."""
    grid = Run.open(run_folder, type(recipe.inpainting)).fingerprint.grid
    marks = _marks(reference)
    halves: tuple[dict[str, list[Crop]], ...] = ({}, {})
    for index, case in enumerate(reference.cases):
        scan = reference.read(case)
        for mark in marks[case.name]:
            crop = cut(scan, voxel_of(scan, mark.point_mm), grid)
            halves[index % 2].setdefault(mark.pathology, []).append(crop)
    kept = [{p: crops[: recipe.patients] for p, crops in half.items()} for half in halves]
    return kept[0], kept[1]


def _edit(
    name: str, row: int, request: FindingRequest, measured: float,
    seen: tuple[LabelledScan, Crop, Crop, Crop], made: OneDraw, inpainter: Inpainter,
    seconds: float,
) -> Edit:  # fmt: skip
    """Hold one edit against the scan it was made from and against the counterfactual truth."""
    healthy, well, ill, after = seen
    labels, blend = inpainter.labels, made.edit.blend
    canal = [labels[label] for label in CANAL if label in labels]
    free = blend > 0
    before, new, true = (c.scan.channels[0].voxels for c in (well, after, ill))
    maps = [np.where(free, c.scan.label_map.voxels, 0) for c in (after, ill)]
    canal_dice = dice(maps[0], maps[1], canal)
    own = dice(maps[0], maps[1], [labels["herniation"]])
    scale = inpainter.fingerprint.intensity_high[0] - inpainter.fingerprint.intensity_low[0]
    raw = from_latent(made.latent, 1)[0][0, 0].numpy()
    drawn = raw * scale + inpainter.fingerprint.intensity_low[0]
    spared = free & (np.abs(true - before) < 0.01 * scale)
    whole = [scan.channels[0].oriented("RAS") for scan in (healthy, made.scan)]
    return Edit(
        name, request.pathology, row, request.level, request.size_mm, measured,
        context_error(whole[0], whole[1], _free_of_scan(healthy, made.crop, free)),
        float(np.abs(drawn - before)[~free].mean()),
        seam(new, before, blend),
        own if request.pathology == "herniation" else canal_dice, canal_dice,
        float(np.abs(new - before)[spared].mean()), made.network_calls, seconds,
    )  # fmt: skip


def _free_of_scan(scan: LabelledScan, crop: Crop, free: np.ndarray) -> np.ndarray:
    """Where a RAS-oriented scan may have changed; of one spacing with the crop."""
    shape = scan.label_map.oriented("RAS").shape
    whole = np.zeros(shape, dtype=bool)
    inside = np.argwhere(free) + np.round(crop.start).astype(int)
    kept = inside[((inside >= 0) & (inside < shape)).all(axis=1)]
    whole[tuple(kept.T)] = True
    return whole


def _pictures(crops: Sequence[Crop]) -> list[np.ndarray]:
    return [
        _picture(c.scan.channels[0].voxels, round(float(c.landmark[0])),
                 c.scan.label_map.spacing_mm)
        for c in crops
    ]  # fmt: skip


def _stored_pictures(stored: Mapping[str, np.ndarray], span: slice) -> list[np.ndarray]:
    _, y, z = (float(x) for x in stored["spacing"])
    images, slices = stored["images"][span], stored["slices"][span]
    return [
        _picture(image, int(s), (0.0, y, z)) for image, s in zip(images, slices, strict=True)
    ]  # fmt: skip


def _picture(
    image: np.ndarray, sheet: int, spacing_mm: tuple[float, float, float]
) -> np.ndarray:  # fmt: skip
    """The slice through the landmark, `PICTURE_MM` wide around it, head up, in about [0, 1]."""
    low, high = np.percentile(image, [0.5, 99.5])
    plane = image[min(max(sheet, 0), len(image) - 1)]
    half = [round(PICTURE_MM / 2 / size) for size in spacing_mm[1:]]
    box = tuple(
        slice(max(0, n // 2 - h), n // 2 + h) for n, h in zip(plane.shape, half, strict=True)
    )
    return np.flipud(np.clip((plane[box] - low) / max(high - low, 1e-6), 0, 1).T).copy()


def _marks(cohort: Cohort) -> dict[str, list[Landmark]]:
    return read_landmarks(cohort.folder, {case.name: case for case in cohort.cases})[0]


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _column(rows: Sequence[Mapping[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows])


def _cell(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
