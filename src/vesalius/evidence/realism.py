"""Realism: everything that tells generated from real images, beside real ones of the same number.

Half of the real cases is the reference. Generated cases are compared with it, and so is the other
half, as many of each: what the other half reaches is the mark that perfect images would get.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from vesalius.evidence.coverage import coverage_figures
from vesalius.evidence.figure import Figure
from vesalius.evidence.filter_features import filter_features
from vesalius.evidence.frechet import Extractor, features, frechet_distance
from vesalius.evidence.intervals import jackknifed
from vesalius.evidence.label_shape import shape_figures
from vesalius.evidence.slices import planes
from vesalius.evidence.spectrum import detail_power, power_ratios
from vesalius.evidence.two_sample import FIT, linear_judge, network_judge, two_sample_auc
from vesalius.scans.arrays import taken
from vesalius.scans.progress import Progress, no_progress
from vesalius.scans.volume import Volume
from vesalius.training.recipe import FitRecipe


@dataclass(frozen=True)
class ImageSet:
    """Images of one grid, to be compared.

    Attributes:
        images: volumes `(N, D, H, W)` or pictures `(N, H, W)`, in about [0, 1]; may lie on disk.
        label_maps: of volumes, in the same grid, if they have some.
        subjects: of each image, of which one is taken; all differ if empty.
    """

    images: np.ndarray
    label_maps: tuple[Volume, ...] = ()
    subjects: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def one_each(self, seed: int) -> list[int]:
        """Rows in random order, one of each subject."""
        order = np.random.default_rng(seed).permutation(len(self)).tolist()
        if not self.subjects:
            return order
        first: dict[str, int] = {}
        for row in order:
            first.setdefault(self.subjects[row], row)
        return list(first.values())

    def taken(self, rows: Sequence[int]) -> ImageSet:
        """Some of them."""
        return ImageSet(
            taken(self.images, rows), tuple(self.label_maps[row] for row in rows)
            if self.label_maps else (),
        )  # fmt: skip

    def without_labels(self) -> ImageSet:
        """The same images, of which nothing else is compared."""
        return replace(self, label_maps=())

    def features(self, extract: Extractor) -> np.ndarray:
        """Features `(N, P, F)` of the middle slice across each of P axes, or of the picture."""
        if self.images.ndim == 3:
            return features(list(self.images), extract)[:, None]
        across = zip(*(planes(volume) for volume in self.images), strict=True)
        return np.stack([features(pictures, extract) for pictures in across], axis=1)

    def power(self, labels: Mapping[str, int]) -> list[dict[str, float]]:
        """Power of fine detail of each."""
        maps: list[np.ndarray | None] = [one.voxels for one in self.label_maps]
        maps = maps or [None] * len(self)
        return [
            detail_power(image, own, labels) for image, own in zip(self.images, maps, strict=True)
        ]  # fmt: skip


def distance_of_planes(first: np.ndarray, second: np.ndarray) -> float:
    """Fréchet distance of features `(N, P, F)`, the mean over P planes."""
    return float(
        np.mean([frechet_distance(first[:, p], second[:, p]) for p in range(first.shape[1])])
    )


def realism_figures(
    real: ImageSet, generated: ImageSet, extract: Extractor,
    labels: Mapping[str, int] | None = None, seed: int = 0, recipe: FitRecipe = FIT,
    progress: Progress = no_progress,
) -> dict[str, Figure]:  # fmt: skip
    """Two-sample tests, Fréchet ratio, power of fine detail, coverage, and shape of label maps.

    Args:
        real: cases that nothing was fitted on, best twice as many as generated ones.
        generated: cases of the same grid.
        extract: pinned features that no critic looks through.
        labels: numbers of labels by name, of which border and thickness are compared.
        seed: of halves and classifiers.
        recipe: of the small network.
        progress: called after each step of it.

    Returns:
        Figures by name; `<figure>_real_to_real` is that of other real cases. `frechet_ratio` is the
        distance of generated over that of other real cases; `frechet_ratio_of_filters` is the
        same of features that nothing can have been trained against.
    """
    rows, own_rows = real.one_each(seed), generated.one_each(seed)
    count = min(len(rows) // 2, len(own_rows))
    reference, other = real.taken(rows[:count]), real.taken(rows[count : 2 * count])
    made, known = generated.taken(own_rows[:count]), dict(labels or {})
    network = partial(network_judge, recipe=recipe, progress=progress)
    sets = {"reference": reference, "other": other, "made": made}
    seen = {name: own.features(extract) for name, own in sets.items()}
    powers = reference.power(known)
    result: dict[str, Figure] = {}
    for name, own, vectors in (("", made, seen["made"]), ("_real_to_real", other, seen["other"])):
        result[f"two_sample_auc{name}"] = two_sample_auc(
            reference.images, own.images, network, seed
        )  # fmt: skip
        result[f"two_sample_auc_of_features{name}"] = two_sample_auc(
            seen["reference"], vectors, linear_judge, seed
        )  # fmt: skip
        result[f"frechet{name}"] = jackknifed(
            [seen["reference"], vectors], distance_of_planes, "", "subjects", bounds=(0.0, np.inf)
        )
        for place, ratio in power_ratios(powers, own.power(known)).items():
            at = "" if place == "whole" else f"/{place}"
            result[f"power_ratio{name}{at}"] = ratio
        flat = (seen["reference"].reshape(count, -1), vectors.reshape(count, -1))
        result |= {f"{key}{name}": figure for key, figure in coverage_figures(*flat).items()}
    filtered = {name: own.features(filter_features) for name, own in sets.items()}
    for name, known_by in (("", seen), ("_of_filters", filtered)):
        result[f"frechet_ratio{name}"] = jackknifed(
            [known_by["reference"], known_by["other"], known_by["made"]], _frechet_ratio, "",
            "subjects", bounds=(0.0, np.inf),
        )  # fmt: skip
    if made.label_maps and reference.label_maps and known:
        every = (*reference.label_maps, *other.label_maps)
        shapes = shape_figures(every, made.label_maps, known)
        result |= {f"labels/{key}": figure for key, figure in shapes.items()}
        result |= _label_tests(reference, other, made, network, seed)
    return result


def _label_tests(
    reference: ImageSet, other: ImageSet, made: ImageSet, network: partial[np.ndarray], seed: int
) -> dict[str, Figure]:
    """The network's two-sample test on label maps, which it sees as grey values, alike in all."""
    stacks = [
        np.stack([one.voxels for one in own.label_maps]).astype(np.float32)
        for own in (reference, other, made)
    ]
    highest = max(float(stack.max()) for stack in stacks)
    stacks = [stack / max(highest, 1.0) for stack in stacks]
    return {
        f"labels/two_sample_auc{name}": two_sample_auc(stacks[0], own, network, seed)
        for name, own in (("", stacks[2]), ("_real_to_real", stacks[1]))
    }


def _frechet_ratio(reference: np.ndarray, other: np.ndarray, made: np.ndarray) -> float:
    return distance_of_planes(reference, made) / distance_of_planes(reference, other)
