"""Fidelity: Fréchet radiomics distance of synthetic to real images, beside its own floor.

Konz et al. 2024, "Fréchet Radiomic Distance". Features come from fastrad, the distance from
frd-score; features are taken in 3D inside the labelled tissue, from the original image. With fewer
cases than features the distance is biased upwards, so it is always shown beside the same distance
between two halves of the real cases, at the same number of cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage

from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import jackknifed
from vesalius.scans.computing import chosen_workers
from vesalius.scans.executor import each
from vesalius.scans.progress import Progress, no_progress
from vesalius.scans.volume import Volume

SPLITS = 20


CLASSES = ("firstorder", "glcm", "glrlm", "glszm", "ngtdm")
NOT_IN_FRD = ("firstorder:standard_deviation", "glcm:sum_average", "glcm:mcc")
"""Features that fastrad has and pyradiomics, which the distance was published with, has not."""

BIN_WIDTH, SD_AS, RAISED_BY = 5.0, 100.0, 300.0
"""Settings of the published distance: intensities are brought to a mean of 0 and this SD, cut into
bins so wide, and raised before they are squared."""


def radiomics_available() -> str:
    """Empty where the distance can be taken, otherwise why not."""
    try:
        import fastrad  # noqa: F401
        import frd_score  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed: pip install 'vesalius[radiomics]'"
    return ""


def radiomics_features(
    cases: Sequence[tuple[Volume, Volume]], progress: Progress = no_progress
) -> np.ndarray:
    """Radiomics of each image inside the labels of its label map, `(N, F)`."""
    found = each(radiomics, cases, "measuring radiomics", progress, chosen_workers(1))
    return np.array([list(features.values()) for features in found])


def radiomics(case: tuple[Volume, Volume]) -> dict[str, float]:
    """Radiomics of an image inside the labels of its label map, by `class:feature`.

    They are those of pyradiomics 3.0.1 with the settings of the published distance.
    """
    from fastrad import FeatureExtractor, FeatureSettings, Mask, MedicalImage

    image, label_map = case
    inside = label_map.voxels > 0
    voxels = np.where(inside, image.voxels, 0).astype(np.float64)
    voxels = SD_AS * (voxels - voxels.mean()) / max(float(voxels.std(ddof=1)), 1e-12)
    box = ndimage.find_objects(inside.astype(np.uint8))[0]
    own, mask = voxels[box], inside[box]
    spacing = tuple(float(size) for size in image.spacing_mm)
    extractor = FeatureExtractor(
        FeatureSettings(feature_classes=list(CLASSES), bin_width=BIN_WIDTH, device="cpu")
    )
    found = extractor.extract(
        MedicalImage(_tensor(own), spacing), Mask(_tensor(mask), spacing)
    )  # fmt: skip
    energy = float(np.square(own[mask] + RAISED_BY).sum())
    raised = {
        "firstorder:energy": energy,
        "firstorder:total_energy": energy * float(np.prod(spacing)),
        "firstorder:root_mean_squared": (energy / int(mask.sum())) ** 0.5,
    }
    return {k: raised.get(k, float(v)) for k, v in found.items() if k not in NOT_IN_FRD}


def _tensor(voxels: np.ndarray) -> torch.Tensor:
    """Axes in the order z, y, x."""
    return torch.from_numpy(np.ascontiguousarray(voxels.T, np.float32))


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
    """The distance of synthetic to real features, of real to real, and their ratio.

    All are at one number of cases and medians over random halves of the real cases; the interval
    is that of a jackknife over cases at the first of these halves.
    """
    count = min(len(real) // 2, len(synthetic))
    rng = np.random.default_rng(seed)
    distance = frechet_radiomics_distance
    halves: list[list[np.ndarray]] = []
    for _ in range(SPLITS):
        order = rng.permutation(len(real))
        taken = synthetic[rng.permutation(len(synthetic))[:count]]
        halves.append([real[order[:count]], real[order[count : 2 * count]], taken])
    between = np.array([distance(half, made) for half, _, made in halves])
    floors = np.array([distance(half, other) for half, other, _ in halves])
    first, other, made = halves[0]
    return {
        "frd": _about(np.median(between), jackknifed([first, made], distance, "FRD", "cases")),
        "frd_real_vs_real": _about(
            np.median(floors), jackknifed([first, other], distance, "FRD", "cases")
        ),
        "frd_ratio": _about(
            np.median(between / floors), jackknifed([first, other, made], _ratio, "", "cases")
        ),
    }


def _about(value: float, spread: Figure) -> Figure:
    """A value with the reach of another figure's interval, not below zero."""
    if spread.ci95 is None:
        return replace(spread, value=float(value))
    reach = (spread.ci95[1] - spread.ci95[0]) / 2
    ends = (max(0.0, float(value - reach)), float(value + reach))
    return replace(spread, value=float(value), ci95=ends)


def _ratio(real: np.ndarray, other: np.ndarray, synthetic: np.ndarray) -> float:
    floor = frechet_radiomics_distance(real, other)
    return frechet_radiomics_distance(real, synthetic) / floor if floor > 0 else float("nan")
