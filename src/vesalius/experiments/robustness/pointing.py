"""Do maps show where the disease is? Each training's, and what any of them must beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from torch import nn

from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import clustered_mean
from vesalius.evidence.localisation import (
    pixel_precision,
    pointing_game,
    rank_similarity,
    share_inside,
)
from vesalius.experiments.robustness.discrimination import Trained
from vesalius.methods.classification.pipeline import ClassificationPipeline
from vesalius.methods.classification.saliency import METHODS, Method, randomised, saliency
from vesalius.networks.dual_norm import Path
from vesalius.scans.classified import Classified

RIVAL_MAPS = (
    "standard", "adversarial", "mean_mask",
    *(f"{arm}_{method}" for method in METHODS[1:] for arm in ("standard", "adversarial")),
)  # fmt: skip
"""What gradients of dual training are held against."""

MEASURES = {
    "pointing_game": pointing_game, "saliency_in_mask": share_inside,
    "pixel_precision": pixel_precision,
}  # fmt: skip
Rows = dict[str, dict[str, np.ndarray]]
"""Of each measure and label, one value for each image that shows it, see `_showing`."""


def readable_path(
    trained: Sequence[ClassificationPipeline], held_out: Classified, headline: Sequence[str]
) -> Path:
    """The path of dual networks whose maps lie more inside the masks of held-out images.

    Which one does differs: of radiographs the adversarial path, of small volumes the clean one.
    """

    def inside(path: Path) -> float:
        rows = _averaged([_measured(one.network, held_out, path) for one in trained])
        shares = rows["saliency_in_mask"]
        reported = [shares[name] for name in headline if name in shares]
        return float(np.concatenate(reported).mean()) if reported else 0.0

    return "clean" if inside("clean") > inside("adversarial") else "adversarial"


def pointing_figures(
    arms: Trained, training: Classified, test: Classified, headline: Sequence[str], path: Path
) -> dict[str, Figure]:
    """Pointing game, share inside the mask and average precision of every training's maps.

    Maps are input gradients; a network with two paths is looked at through both, and told through
    one of them. Beside them what they must beat: the mean mask of the training images, which
    ignores the image, and every other method on every training; and how much of a map is left
    when weights are generated anew.

    Args:
        arms: trainings of each seed.
        training: for the mean masks.
        test: unseen images with masks.
        headline: labels that are told together.
        path: through which dual networks are told, see `readable_path`.
    """
    assert test.masks is not None and training.masks is not None
    result: dict[str, Figure] = {}
    paths: tuple[Path, ...] = ("clean", "adversarial")
    each: dict[str, list[Rows]] = {
        f"dual_{own}": [_measured(one.network, test, own) for one in arms["dual"]] for own in paths
    }
    every = {
        arm: [_measured(one.network, test, "clean") for one in trained]
        for arm, trained in arms.items() if arm != "dual"
    } | {"dual": each[f"dual_{path}"]} | each  # fmt: skip
    for method, (arm, trained) in product(METHODS[1:], arms.items()):
        taken = path if arm == "dual" else "clean"
        every[f"{arm}_{method}"] = [_measured(one.network, test, taken, method) for one in trained]
    shown = training.targets == 1
    means = [training.masks[shown[:, k], k].mean(axis=0) for k in range(len(test.labels))]
    every["mean_mask"] = [
        _rows(test, lambda images, column: np.stack([means[column]] * len(images)))
    ]
    pooled = {arm: _averaged(rows) for arm, rows in every.items() if rows}
    whose = {
        label: [test.subjects[row] for row in _showing(test, column)]
        for column, label in enumerate(test.labels)
    }
    told = [name for name in headline if whose.get(name)]
    owners = [subject for name in told for subject in whose[name]]
    for arm, rows in pooled.items():
        for measure, labels in rows.items():
            reported = np.concatenate([labels[name] for name in told])
            result[f"{arm}/{measure}"] = clustered_mean(reported, owners, "", "patients")
            for label, values in labels.items():
                own = clustered_mean(values, whose[label], "", "patients")
                result[f"{arm}/{measure}/{label}"] = own
    for measure, rival in product(MEASURES, RIVAL_MAPS):
        gaps = np.concatenate(
            [pooled["dual"][measure][name] - pooled[rival][measure][name] for name in told]
        )
        result[f"dual_minus_{rival}/{measure}"] = clustered_mean(gaps, owners, "", "patients")
    return result | _sanity(arms, test, path)


def _measured(
    network: nn.Module, test: Classified, path: Path, method: Method = "gradient"
) -> Rows:
    return _rows(test, lambda images, column: saliency(network, images, column, method, path))


def _rows(test: Classified, draw: Callable[[np.ndarray, int], np.ndarray]) -> Rows:
    """Every measure of the maps that are generated of the images which show a label."""
    assert test.masks is not None
    rows: Rows = {measure: {} for measure in MEASURES}
    for column, label in enumerate(test.labels):
        chosen = _showing(test, column)
        if not len(chosen):
            continue
        maps, masks = draw(test.images[chosen], column), test.masks[chosen, column]
        for measure, function in MEASURES.items():
            rows[measure][label] = function(maps, masks)
    return rows


def _showing(test: Classified, column: int) -> np.ndarray:
    """Rows of the images whose mask of one label holds something."""
    assert test.masks is not None
    return np.flatnonzero(test.masks[:, column].reshape(len(test), -1).any(axis=1))


def _averaged(seeds: Sequence[Rows]) -> Rows:
    """The mean over trainings, image by image."""
    return {
        measure: {
            label: np.mean([one[measure][label] for one in seeds], axis=0) for label in labels
        }
        for measure, labels in seeds[0].items()
    }


def _sanity(arms: Trained, test: Classified, path: Path) -> dict[str, Figure]:
    """Rank correlation of maps with those of the same network with fresh weights."""
    result = {}
    images = test.images[: min(50, len(test))]
    for arm, trained in arms.items():
        network = trained[0].network
        own, fresh = (
            saliency(n, images, 0, path=path) for n in (network, randomised(network, seed=0))
        )
        result[f"{arm}/randomised_likeness"] = clustered_mean(
            rank_similarity(own, fresh), test.subjects[: len(images)], "", "patients"
        )
    return result
