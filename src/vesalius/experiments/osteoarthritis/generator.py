"""The generator of knees: how near its pictures are to real ones, and whether they vary alike."""

from __future__ import annotations

import numpy as np
import torch

from vesalius.evidence.figure import Figure
from vesalius.evidence.filter_features import filter_features
from vesalius.evidence.frechet import features, frechet_distance
from vesalius.evidence.intervals import jackknifed
from vesalius.evidence.realism import ImageSet, distance_of_planes, realism_figures
from vesalius.evidence.spectrum import power_ratios
from vesalius.evidence.two_sample import FEWEST
from vesalius.experiments.osteoarthritis.recipe import OsteoarthritisRecipe
from vesalius.methods.progression.evaluator import read_attributes
from vesalius.methods.progression.futures import Forecaster
from vesalius.methods.progression.projection import draw_styles
from vesalius.networks.picture_features import lite0_features
from vesalius.networks.style_generator import StyleGenerator
from vesalius.scans.progress import Progress
from vesalius.scans.visits import Visits

COMPARED = 500
"""Pictures of each set for the Fréchet distance, at most."""


def generator_figures(
    forecaster: Forecaster, real: Visits, unseen: Visits, graded: Visits,
    recipe: OsteoarthritisRecipe, progress: Progress,
) -> dict[str, Figure]:  # fmt: skip
    """Fréchet distance and spread of joint spaces, `generator/…`, and `knee/realism/…`.

    Args:
        forecaster: of the run.
        real: pictures that the generator has learnt from.
        unseen: those of the test.
        graded: of other patients, whom no generator has seen either.
        recipe: of the experiment.
        progress: called after each step.
    """
    count = min(COMPARED, len(real), len(unseen))
    generated = forecaster.new_pictures(count, seed=1)
    extract = lite0_features().pooled
    picks = np.random.default_rng(0)
    seen, apart = (
        features(list(one.images[picks.permutation(len(one))[:count], 0].astype(float)), extract)
        for one in (real, unseen)
    )
    own = features(list(generated[:, 0].astype(float)), extract)
    result = {
        "generator/fid": jackknifed(
            [apart, own], frechet_distance, "", "pictures", bounds=(0.0, np.inf)
        ),
        "generator/fid_real_vs_real": jackknifed(
            [apart, seen], frechet_distance, "", "pictures", bounds=(0.0, np.inf)
        ),
    }
    spaces = read_attributes(forecaster.model.meter, generated)
    true = read_attributes(forecaster.model.meter, real.images)
    for name, one, two in zip(recipe.progression.attributes, spaces.T, true.T, strict=True):
        result[f"generator/spread/{name}"] = jackknifed([one], np.std, "mm", "pictures")
        result[f"generator/true_spread/{name}"] = jackknifed([two], np.std, "mm", "pictures")
        result[f"knee/spread/{name}"] = jackknifed([one, two], _ratio_of_sd, "", "pictures")
    alone = _of_the_generator_alone(forecaster.model.generator, count)
    return result | _realism(unseen, graded, generated, alone, recipe, progress)


def _of_the_generator_alone(generator: StyleGenerator, count: int) -> np.ndarray:
    """Pictures of its own noise, without a fine stage, as published."""
    rng = torch.Generator().manual_seed(1)
    noise = torch.randn(count, generator.mapping.noise, generator=rng)
    with torch.no_grad():
        styles = generator.mapping(noise.to(generator.mapping.mean.device)).cpu().numpy()
    return draw_styles(generator, styles, rng=rng)


def _ratio_of_sd(own: np.ndarray, reference: np.ndarray) -> float:
    return float(own.std() / reference.std())


def _realism(
    unseen: Visits, graded: Visits, generated: np.ndarray, alone: np.ndarray,
    recipe: OsteoarthritisRecipe, progress: Progress,
) -> dict[str, Figure]:  # fmt: skip
    """What tells generated knees from those of patients whom no generator has seen.

    Those of the generator `alone`, without a fine stage, are held against the same real ones; by
    features that no critic looks through, since one looks at EfficientNet-Lite0.
    """
    real = ImageSet(
        np.concatenate([unseen.images[:, 0], graded.images[:, 0]]).astype(np.float32),
        subjects=(*unseen.patients, *graded.patients),
    )
    made = ImageSet(generated[:, 0].astype(np.float32))
    if min(len(set(real.subjects)) // 2, len(made)) < FEWEST:
        return {}
    found = realism_figures(
        real, made, filter_features, seed=recipe.seed, recipe=recipe.judge, progress=progress
    )
    plain = ImageSet(alone[:, 0].astype(np.float32))
    result = {f"knee/realism/{name}": figure for name, figure in found.items()}
    return result | _against(real, plain, recipe.seed)


def _against(real: ImageSet, plain: ImageSet, seed: int) -> dict[str, Figure]:
    """Fréchet ratio and power of pictures without a fine stage, by the halves of `_realism`."""
    rows = real.one_each(seed)
    count = min(len(rows) // 2, len(plain))
    halves = [real.taken(rows[:count]), real.taken(rows[count : 2 * count])]
    seen = [one.features(filter_features) for one in (*halves, plain.taken(range(count)))]
    powers = power_ratios(halves[0].power({}), plain.taken(range(count)).power({}))
    return {
        "knee/without_detail/frechet_ratio": jackknifed(
            seen, _ratio_of_distances, "", "subjects", bounds=(0.0, np.inf)
        ),
        "knee/without_detail/power_ratio": powers["whole"],
    }


def _ratio_of_distances(reference: np.ndarray, other: np.ndarray, made: np.ndarray) -> float:
    return distance_of_planes(reference, made) / distance_of_planes(reference, other)
