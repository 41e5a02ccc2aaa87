"""What tells generated brains from unseen real ones, and which part of them does.

Cases are generated with ventricles as large as those of the training cases, so that nothing but
realism differs. Images for real label maps stand beside those for generated ones: what the second
lose against the first is lost by the label maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from vesalius.evidence.fidelity import (
    fidelity_figures,
    radiomics_available,
    radiomics_features,
)
from vesalius.evidence.figure import Figure
from vesalius.evidence.realism import ImageSet, realism_figures
from vesalius.evidence.two_sample import FEWEST
from vesalius.experiments.ventricles.recipe import VentriclesRecipe
from vesalius.methods.guided.own_labels import OwnLabels, images_for
from vesalius.methods.guided.pipeline import GuidedPipeline
from vesalius.methods.guided.sampling import GuidedSampler
from vesalius.networks.picture_features import lite0_features
from vesalius.phantoms.brain import ATTRIBUTE
from vesalius.sampling.cohort import sample_cohort
from vesalius.sampling.rejection import case_requests
from vesalius.scans.arrays import scratch
from vesalius.scans.case import read_label_map
from vesalius.scans.cohort import Cohort
from vesalius.scans.progress import Progress, track
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.run import Run

BRIGHTEST = 1.25
"""Scaled intensity above which two images are alike: well above white matter and its noise."""

TRIES = 20
OF_IMAGES = ("two_sample_auc", "frechet", "frechet_ratio", "power_ratio")
"""What is reported of images for real label maps."""


def brain_realism(
    run: Run, reference: Cohort, training_ml: np.ndarray, folder: Path,
    recipe: VentriclesRecipe, progress: Progress,
) -> dict[str, Figure]:  # fmt: skip
    """Figures `brain/realism/…`, and `brain/realism/from_real_labels/…` of images alone; none of
    fewer cases than can be told.

    Args:
        run: of guided synthesis.
        reference: unseen real cases, twice as many as are generated.
        training_ml: ventricular volumes of the training cases, of which requests are taken.
        folder: `generated/` and `relabelled/` appear in it.
        recipe: of the experiment.
        progress: called after each case and step.
    """
    pipeline, count, seed = GuidedPipeline(run), recipe.realism_cases, recipe.seed + 3
    asked = np.random.default_rng(seed).choice(training_ml, count)
    requests = case_requests(run, [{ATTRIBUTE: float(ml)} for ml in asked], seed)
    sampler = GuidedSampler(pipeline)
    sampled = sample_cohort(sampler, requests, folder / "generated", TRIES, progress=progress)
    if len(sampled.cohort.cases) < FEWEST:
        return {}
    real = image_set(reference, run.fingerprint, "reference cases", progress)
    # Those that the reference of the comparison is not made of.
    others = real.one_each(recipe.seed)[count : 2 * count]
    relabelled = _relabelled(pipeline, reference, others, folder / "relabelled", seed, progress)
    generated = image_set(sampled.cohort, run.fingerprint, "generated cases", progress)
    repainted = image_set(relabelled, run.fingerprint, "images for real labels", progress)

    known = run.fingerprint.labels
    labels = {name: number for name, number in known.items() if number}
    compare = partial(
        realism_figures, extract=lite0_features().pooled, seed=recipe.seed, recipe=recipe.judge,
        progress=progress,
    )  # fmt: skip
    figures = compare(real, generated, labels=labels)
    alone = compare(real.without_labels(), repainted.without_labels())
    figures |= {f"from_real_labels/{name}": alone[name] for name in OF_IMAGES if name in alone}
    figures |= _radiomics(reference, sampled.cohort, recipe.seed, progress)
    return {f"brain/realism/{name}": figure for name, figure in figures.items()}


def image_set(
    cohort: Cohort, fingerprint: Fingerprint, what: str, progress: Progress
) -> ImageSet:  # fmt: skip
    """Cases of a cohort in the grid of a run, images on disk, with their label maps."""
    images, maps = scratch(np.float32, (len(cohort.cases), *fingerprint.shape)), []
    cases = enumerate(cohort.cases)
    for row, case in track(cases, f"reading {what}", len(cohort.cases), progress):
        placed = fingerprint.grid.place(cohort.read(case))
        scaled = fingerprint.scaled(np.stack([one.voxels for one in placed.channels]))[0]
        images[row] = np.clip(scaled / BRIGHTEST, 0, 1)
        maps.append(placed.label_map)
    return ImageSet(images, tuple(maps), tuple(case.subject for case in cohort.cases))


def _relabelled(
    pipeline: GuidedPipeline, cohort: Cohort, rows: Sequence[int], out: Path, seed: int,
    progress: Progress,
) -> Cohort:  # fmt: skip
    """Images for the label maps of real cases, as a cohort; of every case, whatever its size."""
    label_maps = [
        OwnLabels(
            cohort.cases[row].name, file, partial(read_label_map, file, cohort.description)
        )
        for row in rows if (file := cohort.cases[row].label_map)
    ]  # fmt: skip
    return images_for(pipeline, label_maps, out, seed, progress=progress, covered=0.0)[0]


def _radiomics(real: Cohort, generated: Cohort, seed: int, progress: Progress) -> dict[str, Figure]:
    """Fréchet radiomics distance, and its ratio to that of real cases; none without the extra."""
    if radiomics_available():
        return {}
    features = [
        radiomics_features(
            [(scan.channels[0], scan.label_map) for scan in map(cohort.read, cohort.cases)],
            progress,
        )
        for cohort in (real, generated)
    ]
    found = fidelity_figures(features[0], features[1], seed)
    return {name.replace("frd", "radiomics"): figure for name, figure in found.items()}
