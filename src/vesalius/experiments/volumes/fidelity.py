"""How near generated volumes are to real ones: distances with their floor, diversity, slices."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np
from skimage.filters import threshold_otsu

from vesalius.evidence.diversity import pair_similarity
from vesalius.evidence.fidelity import (
    fidelity_figures,
    radiomics_available,
    radiomics_features,
)
from vesalius.evidence.figure import Figure
from vesalius.evidence.frechet import Extractor
from vesalius.evidence.intervals import jackknifed, mean_figure
from vesalius.evidence.realism import ImageSet, distance_of_planes, realism_figures
from vesalius.evidence.slices import neighbour_similarity
from vesalius.evidence.two_sample import FEWEST
from vesalius.methods.volumes.model import slice_axis
from vesalius.methods.volumes.pipeline import VolumesPipeline
from vesalius.scans.cohort import Cohort
from vesalius.scans.progress import Progress, track
from vesalius.scans.volume import Volume
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.recipe import FitRecipe


class EvaluationSet:
    """Volumes of one set as evidence looks at them, in the grid of a run.

    Args:
        cohort: whose first `count` cases are read.
        fingerprint: of the run, for grid and range of intensities.
        count: how many.
        reported: for the progress bar.
        progress: called after each case.
    """

    def __init__(
        self,
        cohort: Cohort,
        fingerprint: Fingerprint,
        count: int,
        reported: str,
        progress: Progress,
    ) -> None:
        cases = cohort.cases[:count]
        grid = fingerprint.grid
        self.volumes: list[Volume] = []
        scaled = []
        for case in track(cases, f"reading {reported}", len(cases), progress):
            placed = grid.place_whole(cohort.read_images(case))
            voxels = np.stack([image.voxels for image in placed.channels])
            self.volumes.append(placed.channels[0])
            scaled.append(np.clip(fingerprint.scaled(voxels)[0], 0, 1))
        self.scaled = np.stack(scaled).astype(np.float32)

    def reconstructed(self, pipeline: VolumesPipeline) -> EvaluationSet:
        """The second half of these volumes as they come back from their codes.

        Detail, or noise, is generated anew. What is generated whole cannot be nearer to real
        volumes than these but at random.
        """
        evaluated = copy(self)
        half = self.scaled[len(self.scaled) // 2 :]
        evaluated.scaled = np.stack([pipeline.reconstructed(volume) for volume in half])
        return evaluated

    def features(self, extract: Extractor) -> np.ndarray:
        """Features of the middle slice across each axis, `(N, 3, F)`."""
        return ImageSet(self.scaled).features(extract)

    def radiomics(self, count: int) -> np.ndarray:
        """Radiomics of what stands out from the background, `(N, F)`."""
        pairs = []
        for volume, scaled in zip(self.volumes[:count], self.scaled, strict=False):
            inside = scaled > threshold_otsu(scaled) / 2
            pairs.append((volume, Volume(inside.astype(np.uint8), volume.affine)))
        return radiomics_features(pairs)


def frechet_figures(real: np.ndarray, generated: dict[str, np.ndarray]) -> dict[str, Figure]:
    """Distance of each generated set to half of the real cases, and of their other half: the floor.

    All sets have as many cases as one half, since the distance shrinks with their number.
    """
    half = len(real) // 2
    reference, other = real[:half], real[half : 2 * half]
    result = {
        "fidelity/fid_real_vs_real": jackknifed(
            [reference, other], distance_of_planes, "FID", "cases", bounds=(0.0, np.inf)
        )
    }
    for name, rows in generated.items():
        figure = jackknifed(
            [reference, rows[:half]], distance_of_planes, "FID", "cases", bounds=(0.0, np.inf)
        )
        result[f"fidelity/{name}"] = figure
    return result


def realism_of(
    real: EvaluationSet, synthetic: EvaluationSet, extract: Extractor, seed: int, judge: FitRecipe,
    progress: Progress,
) -> dict[str, Figure]:  # fmt: skip
    """What tells generated from unseen real volumes, `realism/…`; none of a few cases."""
    if min(len(real.scaled) // 2, len(synthetic.scaled)) < FEWEST:
        return {}
    found = realism_figures(
        ImageSet(real.scaled), ImageSet(synthetic.scaled), extract, seed=seed, recipe=judge,
        progress=progress,
    )  # fmt: skip
    return {f"realism/{name}": figure for name, figure in found.items()}


def similarity_figures(
    real: EvaluationSet, synthetic: EvaluationSet, spacing_mm: Sequence[float], seed: int
) -> dict[str, Figure]:
    """Diversity and consistency between slices, of generated volumes beside real ones."""
    axis = slice_axis(spacing_mm)
    result: dict[str, Figure] = {}
    for name, evaluated in (("real", real), ("synthetic", synthetic)):
        result[f"diversity/ms_ssim/{name}"] = pair_similarity(evaluated.scaled, seed=seed)
        alike = [neighbour_similarity(volume, axis) for volume in evaluated.scaled]
        result[f"slices/ssim/{name}"] = mean_figure(np.array(alike), "SSIM", "cases")
    return result


def radiomics_figures(
    real: EvaluationSet, synthetic: EvaluationSet, count: int, seed: int
) -> tuple[dict[str, Figure], str]:
    """Fréchet radiomics distance with its floor, or why there is none."""
    missing = radiomics_available() if count else "not asked for"
    if missing:
        return {}, missing
    figures = fidelity_figures(real.radiomics(count), synthetic.radiomics(count), seed)
    return {
        "fidelity/frd": figures["frd"],
        "fidelity/frd_real_vs_real": figures["frd_real_vs_real"],
    }, ""
