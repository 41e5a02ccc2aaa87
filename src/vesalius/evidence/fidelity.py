"""Fidelity: Fréchet radiomics distance of synthetic to real images, beside its own floor.

Konz et al. 2024, "Fréchet Radiomic Distance". Features and distance come from frd-score; features
are taken in 3D inside the labelled tissue, from the original image. With fewer cases than
features the distance is biased upwards, so it is always shown beside the same distance between two
halves of the real cases, at the same number of cases.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from vesalius.evidence.figure import Figure
from vesalius.scans.computing import chosen_workers
from vesalius.scans.executor import each
from vesalius.scans.progress import Progress, no_progress
from vesalius.scans.volume import Volume

SPLITS = 20


def radiomics_available() -> str:
    """Empty where the distance can be taken, otherwise why not."""
    try:
        import frd_score  # noqa: F401
        import radiomics  # noqa: F401
        import SimpleITK  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed; see docs/installing.md for the radiomics extra"
    return ""


def radiomics_features(
    cases: Sequence[tuple[Volume, Volume]], progress: Progress = no_progress
) -> np.ndarray:
    """Radiomics of each image inside the labels of its label map, `(N, F)`."""
    found = each(_radiomics, cases, "measuring radiomics", progress, chosen_workers(1))
    return np.array(list(found))


def _radiomics(case: tuple[Volume, Volume]) -> list[float]:
    """Of one image."""
    import SimpleITK as sitk

    image, label_map = case
    inside = label_map.voxels > 0
    voxels = np.where(inside, image.voxels, 0)
    pair = []
    for array in (voxels.astype(np.float32), inside.astype(np.uint8)):
        converted = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
        converted.SetSpacing([float(size) for size in image.spacing_mm])
        pair.append(converted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = _extractor().execute(*pair)
    return [float(v) for k, v in result.items() if not k.startswith("diagnostics")]


@cache
def _extractor() -> Any:
    from frd_score import frd

    frd._ensure_radiomics()
    logging.getLogger("radiomics").setLevel(logging.ERROR)
    extractor = frd.get_feature_extractor("v1", image_dim=3, image_types=["Original"], bin_width=5)
    extractor.settings["resampledPixelSpacing"] = None
    return extractor


def frechet_radiomics_distance(reference: np.ndarray, other: np.ndarray) -> float:
    """d² between two sets of features `(N, F)`, z-scored on the reference."""
    from frd_score import frd

    scored = [
        frd.z_score_normalize(
            rows.astype(np.float32), base_distribution=reference.astype(np.float32),
            replace_nan=False, handle_std_zero=False,
        )
        for rows in (reference, other)
    ]  # fmt: skip
    kept = np.isfinite(scored[0]).all(axis=0) & np.isfinite(scored[1]).all(axis=0)
    first, second = (rows[:, kept] for rows in scored)
    return float(
        frd.calculate_frechet_distance(
            first.mean(axis=0), np.cov(first, rowvar=False),
            second.mean(axis=0), np.cov(second, rowvar=False),
        )
    )  # fmt: skip


def fidelity_figures(real: np.ndarray, synthetic: np.ndarray, seed: int = 0) -> dict[str, Figure]:
    """The distance of synthetic to real features and of real to real, at one number of cases.

    Both are medians over random halves of the real cases; the interval is over those halves.
    """
    count = min(len(real) // 2, len(synthetic))
    rng = np.random.default_rng(seed)
    between, real_vs_real = [], []
    for _ in range(SPLITS):
        order = rng.permutation(len(real))
        half = real[order[:count]]
        real_vs_real.append(frechet_radiomics_distance(half, real[order[count : 2 * count]]))
        taken = synthetic[rng.permutation(len(synthetic))[:count]]
        between.append(frechet_radiomics_distance(half, taken))
    return {
        name: Figure(
            float(np.median(values)), "FRD", count,
            (float(np.percentile(values, 2.5)), float(np.percentile(values, 97.5))),
        )
        for name, values in (("frd", between), ("frd_real_to_real", real_vs_real))
    }  # fmt: skip
