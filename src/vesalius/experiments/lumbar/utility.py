"""What inpainted cases are for: a classifier with them, without them, and with the truth.

The classifier is trained where findings are rare: at another site, whose patients the run has never
seen. Such a site has the run, but not the scans that it was fitted on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vesalius.anatomy.spine import CANAL, landmark_voxel, levels_of
from vesalius.evidence.discrimination import Resampling, auc_difference, auc_figure
from vesalius.evidence.figure import Figure
from vesalius.experiments.lumbar.recipe import LumbarRecipe
from vesalius.methods.classification.crops import (
    LabelledCrops,
    classify,
    fit_classifier,
)
from vesalius.phantoms.cohorts.organs import write_spines
from vesalius.phantoms.cohorts.writing import case_seeds
from vesalius.phantoms.spine.anatomy import LEVELS
from vesalius.phantoms.spine.findings import PATHOLOGIES, SIZES_MM, Finding, draw_finding
from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.crop import cut
from vesalius.scans.grid import Grid
from vesalius.scans.intensity import intensity_range
from vesalius.scans.landmarks import read_landmarks
from vesalius.scans.progress import Progress, track
from vesalius.scans.writing import make_folder

ARMS = ("real", "augmented", "pooled", "upper_bound")
GAPS = (
    ("augmented", "real"), ("augmented", "pooled"), ("pooled", "real"), ("upper_bound", "real"),
    ("upper_bound", "augmented"),
)  # fmt: skip
CROP = (8, 40, 40)


def site_findings(recipe: LumbarRecipe) -> list[list[Finding]]:
    """Findings of the other site's patients: few, at most one a patient, at levels in turn."""
    rng = np.random.default_rng([recipe.seed, 14])
    positive = rng.permutation(recipe.site_cases)[: len(PATHOLOGIES) * recipe.site_findings]
    result: list[list[Finding]] = [[] for _ in range(recipe.site_cases)]
    for index, patient in enumerate(positive):
        pathology = PATHOLOGIES[index % len(PATHOLOGIES)]
        level = LEVELS[(index // len(PATHOLOGIES)) % len(LEVELS)]
        result[int(patient)] = [draw_finding(pathology, level, rng)]
    return result


def upper_bound_cohort(
    balanced: Cohort, out: Path, recipe: LumbarRecipe, progress: Progress
) -> None:  # fmt: skip
    """For every inpainted case the phantom that truly has the finding: same donor, same size."""
    seeds, known = case_seeds(recipe.seed + 3, recipe.site_cases), site_findings(recipe)
    rng = np.random.default_rng([recipe.seed, 13])
    donors, findings = [], []
    for case in balanced.cases:
        requested = case.provenance()["request"]
        donor = int(str(case.provenance()["parent"]).removeprefix("spine_"))
        draw = draw_finding(requested["pathology"], requested["level"], rng)
        low, high = sorted(SIZES_MM[requested["pathology"]])
        size = float(np.clip(requested["size_mm"], low, high))
        own = Finding(draw.pathology, draw.level, size, draw.side_mm, draw.offset_mm,
                      draw.width_mm, draw.front)  # fmt: skip
        donors.append(seeds[donor])
        findings.append([*known[donor], own])
    write_spines(
        out, len(donors), recipe.seed, recipe.spacing_mm, findings=findings, seeds=donors,
        split="train", workers=recipe.workers, progress=progress,
    )  # fmt: skip


def utility_figures(
    site: Cohort, balanced: Cohort, source: Cohort, upper_bound: Cohort,
    tests: Sequence[Cohort], folder: Path, recipe: LumbarRecipe, progress: Progress,
) -> dict[str, Figure]:  # fmt: skip
    """AUC of each arm on unseen patients, for each pathology and their mean; paired differences.

    Each arm is trained once for each seed, and its AUC is the mean over them. Intervals are over
    patients, all crops of a patient together. `pooled` has the scans that the run was fitted on
    beside those of the site: what a site would do that could have them.
    """
    own, _ = labelled_crops(site, site.cases, None, progress)
    generated, _ = labelled_crops(balanced, balanced.cases, _edited_levels(balanced), progress)
    true, _ = labelled_crops(
        upper_bound, upper_bound.cases, _paired_levels(balanced, upper_bound), progress
    )
    fitted_on, _ = labelled_crops(source, source.cases, None, progress)
    sets = {
        "real": own, "augmented": own.joined(generated), "pooled": own.joined(fitted_on),
        "upper_bound": own.joined(true),
    }  # fmt: skip
    parts = [labelled_crops(test, test.cases, None, progress) for test in tests]
    test = parts[0][0]
    for more, _ in parts[1:]:
        test = test.joined(more)
    patients = np.concatenate([who for _, who in parts])
    scores: dict[str, list[np.ndarray]] = {arm: [] for arm in ARMS}
    for arm in ARMS:
        for seed in recipe.classifier_seeds:
            part = f"{arm}_classifier_{seed}"
            network = fit_classifier(
                sets[arm], recipe.classifier, seed, make_folder(folder / arm), progress, part
            )
            scores[arm].append(classify(network, test.images))
    return _figures(scores, test.targets, patients)


def labelled_crops(
    cohort: Cohort, cases: Sequence[Case], only: dict[str, str] | None, progress: Progress
) -> tuple[LabelledCrops, np.ndarray]:
    """Crops at every level, or at one level a case, with what `landmarks.csv` says of them.

    Returns:
        crops, and the subject of each.
    """
    labels = cohort.description.labels
    canal = [labels[name] for name in CANAL if name in labels]
    marks, _ = (
        read_landmarks(cohort.folder, {case.name: case for case in cohort.cases})
        if (cohort.folder / "landmarks.csv").exists()
        else ({}, [])
    )
    images, targets, subjects = [], [], []
    for case in track(cases, "cutting crops for the classifier", len(cases), progress):
        scan = cohort.read(case)
        spacing = scan.label_map.oriented("RAS").spacing_mm
        affine = tuple(tuple(float(x) for x in row) for row in np.diag([*spacing, 1.0]))
        grid = Grid(CROP, spacing, affine)
        low, high = intensity_range(scan.channels[0].voxels)
        for level in levels_of(labels):
            if only is not None and only.get(case.name) != level:
                continue
            place = landmark_voxel(scan.label_map, labels[f"disc_{level}"], canal, "herniation")
            if place is None:
                continue
            crop = cut(scan, place, grid).scan.channels[0].voxels
            images.append(((crop - low) / (high - low)).astype(np.float16))
            result = {m.pathology for m in marks.get(case.name, ()) if m.level == level}
            targets.append([float(name in result) for name in PATHOLOGIES])
            subjects.append(case.subject)
    crops = LabelledCrops(np.stack(images), np.array(targets), PATHOLOGIES)
    return crops, np.array(subjects)


def _edited_levels(balanced: Cohort) -> dict[str, str]:
    return {case.name: case.provenance()["request"]["level"] for case in balanced.cases}


def _paired_levels(balanced: Cohort, upper_bound: Cohort) -> dict[str, str]:
    """Levels of the upper bound's cases, which stand in the order of the inpainted ones."""
    levels = list(_edited_levels(balanced).values())
    return {case.name: level for case, level in zip(upper_bound.cases, levels, strict=True)}


def _figures(
    scores: dict[str, list[np.ndarray]], targets: np.ndarray, patients: np.ndarray
) -> dict[str, Figure]:
    """Areas of each arm and the gaps between arms, resampled by patient and by training."""
    resampling = Resampling(subjects=patients.tolist())
    columns = {f"{name}/": [k] for k, name in enumerate(PATHOLOGIES)} | {
        "": [*range(len(PATHOLOGIES))]
    }
    result: dict[str, Figure] = {}
    for arm in ARMS:
        every = np.stack(scores[arm])
        for name, chosen in columns.items():
            result[f"utility/{arm}/{name}auc"] = auc_figure(
                every[..., chosen], targets[:, chosen], resampling
            )
    for first, second in GAPS:
        result[f"utility/{first}_minus_{second}/auc"] = auc_difference(
            np.stack(scores[first]), np.stack(scores[second]), targets, resampling
        )
    return result
