"""Figures of the lumbar edits: how near to real findings, what was kept, what it cost."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vesalius.evidence.fidelity import (
    frechet_radiomics_distance,
    radiomics_available,
    radiomics_features,
)
from vesalius.evidence.figure import Figure
from vesalius.evidence.frechet import Extractor, features, frechet_distance
from vesalius.evidence.intervals import bootstrapped, jackknifed, mean_figure
from vesalius.evidence.realism import ImageSet, realism_figures
from vesalius.evidence.two_sample import FEWEST
from vesalius.experiments.lumbar.edits import BESIDES, LONG, marks_of
from vesalius.experiments.lumbar.recipe import LumbarRecipe
from vesalius.methods.inpainting.methods import Method
from vesalius.networks.picture_features import features_from, lite0_features
from vesalius.phantoms.spine.findings import PATHOLOGIES
from vesalius.scans.cohort import Cohort
from vesalius.scans.crop import Crop, cut, voxel_of
from vesalius.scans.intensity import intensity_range, to_unit_range
from vesalius.scans.progress import Progress, track
from vesalius.scans.volume import Volume
from vesalius.training.run import Run

PICTURE_MM = 48.0
SHOWN: Method = "voxelwise_trained"
"""The method whose findings are told from real ones."""


def edit_figures(
    folder: Path, reference: Cohort, recipe: LumbarRecipe,
    progress: Progress,
) -> dict[str, Figure]:  # fmt: skip
    """Fidelity, context, seam, anatomy and cost of every method, over all seeds."""
    result: dict[str, Figure] = {}
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
            result[head] = mean_figure(_by_patient(own, column), unit, "patients")
        for pathology in PATHOLOGIES:
            some = [row for row in own if row["pathology"] == pathology]
            head = f"anatomy/{pathology}/{name}"
            for column, unit in (("dice", ""), ("canal_dice", ""), ("spared_mae", "units"),
                                 ("size_error_mm", "mm")):  # fmt: skip
                result[f"{head}/{column}"] = mean_figure(
                    _by_patient(some, column), unit, "patients"
                )
            for change in ("disc_darker", "disc_flatter"):
                pair = [_by_patient(some, name) for name in (change, f"{change}_of_truth")]
                result[f"{head}/{change}"] = bootstrapped(pair, _share, "", "patients")
    result |= _fidelity(folder, reference, recipe, names, progress)
    return result


def _fidelity(
    folder: Path, reference: Cohort, recipe: LumbarRecipe, names: Sequence[str], progress: Progress
) -> dict[str, Figure]:
    seen_by = features_from(Path(recipe.features)) if recipe.features else lite0_features()
    extract = seen_by.pooled
    halves = reference_crops(reference, Path(folder / f"run-{recipe.seeds[0]}"), recipe)
    stored = {
        (name, seed): np.load(folder / f"edits-{seed}" / f"{name}.npz")
        for name in (*names, *BESIDES)
        for seed in (recipe.seeds[:1] if name in (*BESIDES, LONG) else recipe.seeds)
    }
    result: dict[str, Figure] = {}
    work = [(p, name) for p in PATHOLOGIES for name in (*names, *BESIDES)]
    pictures = {p: [_pictures(half[p]) for half in halves] for p in PATHOLOGIES}
    seen = {p: [features(half, extract) for half in pictures[p]] for p in PATHOLOGIES}
    made: dict[tuple[str, str], np.ndarray] = {}
    for pathology, name in track(work, "measuring fidelity", len(work), progress):
        count = edited_patients(name, recipe)
        first = PATHOLOGIES.index(pathology) * count
        span = slice(first, first + count)
        own = [features(_stored_pictures(s, span), extract)
               for (n, _), s in stored.items() if n == name]  # fmt: skip
        made[pathology, name] = np.stack(own, axis=1)
        result[f"fidelity/{pathology}/{name}/fid"] = _over_seeds(
            seen[pathology][0], made[pathology, name]
        )
    for pathology in PATHOLOGIES:
        real_vs_real = jackknifed(
            seen[pathology], frechet_distance, "FID", "patients", bounds=(0.0, np.inf)
        )
        result[f"fidelity/{pathology}/real_vs_real/fid"] = real_vs_real
        for voxelwise in (n for n in names if n.startswith("voxelwise")):
            for rival in (n for n in names if not n.startswith("voxelwise")):
                other = made[pathology, rival]
                same = made[pathology, voxelwise][: len(other), : other.shape[1]]
                pair = np.concatenate([same, other], axis=1)
                result[f"fidelity/{pathology}/{voxelwise}_minus_{rival}/fid"] = jackknifed(
                    [seen[pathology][0], pair], _difference, "FID", "patients"
                )
    result |= _realism(pictures, stored[SHOWN, recipe.seeds[0]], extract, recipe, progress)
    if recipe.radiomics_cases and not radiomics_available():
        result |= _radiomics(stored, halves, recipe, names, progress)
    return result


def _realism(
    pictures: Mapping[str, list[list[np.ndarray]]], own: Mapping[str, np.ndarray],
    extract: Extractor, recipe: LumbarRecipe, progress: Progress,
) -> dict[str, Figure]:  # fmt: skip
    """What tells generated findings from real ones, `spine/realism/…`, of the first seed.

    Both pathologies together, each of other patients: of the real ones herniations of one half and
    stenoses of the other, of the edited ones every other patient with either.
    """
    real, made = [], []
    for index, pathology in enumerate(PATHOLOGIES):
        span = slice(index * recipe.patients, (index + 1) * recipe.patients)
        made += _stored_pictures(own, span)[index :: len(PATHOLOGIES)]
        real += pictures[pathology][index]
    if min(len(real) // 2, len(made)) < FEWEST:
        return {}
    found = realism_figures(
        ImageSet(np.stack(real).astype(np.float32)), ImageSet(np.stack(made).astype(np.float32)),
        extract, seed=recipe.seed, recipe=recipe.judge, progress=progress,
    )  # fmt: skip
    return {f"spine/realism/{name}": figure for name, figure in found.items()}


def edited_patients(method: str, recipe: LumbarRecipe) -> int:
    """How many patients a method edited for each pathology."""
    if method == LONG:
        return min(recipe.long_repaint_patients, recipe.patients)
    return recipe.patients


def _over_seeds(reference: np.ndarray, rows: np.ndarray) -> Figure:
    """Mean distance over seeds, `rows` `(N, seeds, F)`; its SD is that between seeds."""

    def mean_distance(real: np.ndarray, generated: np.ndarray) -> float:
        return float(
            np.mean([frechet_distance(real, generated[:, s]) for s in range(generated.shape[1])])
        )

    figure = jackknifed(
        [reference, rows], mean_distance, "FID", "patients", bounds=(0.0, np.inf)
    )  # fmt: skip
    each = [frechet_distance(reference, rows[:, s]) for s in range(rows.shape[1])]
    if len(each) < 2:
        return figure
    return replace(figure, sd=float(np.std(each, ddof=1)), sd_over="seeds")


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
    result: dict[str, Figure] = {}
    count = min(recipe.radiomics_cases, recipe.patients)
    sets = ("reference", "real_vs_real", *(name for name in names if name != LONG))
    work = [(p, name) for p in PATHOLOGIES for name in sets]
    real: dict[str, np.ndarray] = {}
    for pathology, name in track(work, "measuring radiomics", len(work), progress):
        if name in ("reference", "real_vs_real"):
            crops = halves[name == "real_vs_real"][pathology][:count]
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
            result[f"fidelity/{pathology}/{name}/frd"] = jackknifed(
                [real[pathology], rows],
                frechet_radiomics_distance,
                "FRD",
                "patients",
                bounds=(0.0, np.inf),
            )
    return result


def reference_crops(
    reference: Cohort, run_folder: Path, recipe: LumbarRecipe
) -> tuple[dict[str, list[Crop]], dict[str, list[Crop]]]:
    """Crops around real findings, by pathology, in two halves of different patients."""
    grid = Run.open(run_folder, type(recipe.inpainting)).fingerprint.grid
    marks = marks_of(reference)
    halves: tuple[dict[str, list[Crop]], ...] = ({}, {})
    for index, case in enumerate(reference.cases):
        scan = reference.read(case)
        for mark in marks[case.name]:
            crop = cut(scan, voxel_of(scan, mark.point_mm), grid)
            halves[index % 2].setdefault(mark.pathology, []).append(crop)
    kept = [{p: crops[: recipe.patients] for p, crops in half.items()} for half in halves]
    return kept[0], kept[1]


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
    ends = intensity_range(image)
    plane = image[min(max(sheet, 0), len(image) - 1)]
    half = [round(PICTURE_MM / 2 / size) for size in spacing_mm[1:]]
    box = tuple(
        slice(max(0, n // 2 - h), n // 2 + h) for n, h in zip(plane.shape, half, strict=True)
    )
    return np.flipud(to_unit_range(plane[box], ends).T).copy()


def _share(own: np.ndarray, of: np.ndarray) -> float:
    """What there is of something, over all patients; none where there is nothing."""
    return float(own.sum() / of.sum()) if of.sum() else float("nan")


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _by_patient(rows: Sequence[Mapping[str, str]], name: str) -> np.ndarray:
    """One value a patient: the mean over its pathologies and seeds."""
    values: dict[str, list[float]] = {}
    for row in rows:
        values.setdefault(row["patient"], []).append(float(row[name]))
    means = [np.nanmean(own) for own in values.values() if np.isfinite(own).any()]
    return np.array(means)
