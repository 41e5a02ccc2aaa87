"""Were segmenters trained long enough? The same training with fewer steps, on the same cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vesalius.evidence.figure import Figure
from vesalius.evidence.utility import Trainings, arm_figures, paired_difference
from vesalius.experiments.arms import Arm, run_arm, score_arms
from vesalius.methods.segmentation.training import SegmenterRecipe
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.progress import Progress
from vesalius.scans.writing import make_folder

CURVE_ARMS = ("real", "resampled", "augmented")
"""Arms whose curve is measured, where they are trained."""


def shorter(recipe: SegmenterRecipe, share: float) -> SegmenterRecipe:
    """The same with a share of the steps, over which the learning rate falls all the same.

    >>> shorter(SegmenterRecipe(), 0.5).fit.steps
    250
    """
    return recipe.changed(fit=recipe.fit.changed(steps=max(1, round(share * recipe.fit.steps))))


def train_shorter(
    arms: Sequence[Arm], test: Cohort, test_cases: Sequence[Case], recipe: SegmenterRecipe,
    shares: Sequence[float], seed: int, folder: Path, progress: Progress,
) -> dict[str, dict[float, Path]]:  # fmt: skip
    """Train arms with shares of their steps, each anew with the seed of its first training.

    Args:
        arms: of which those of `CURVE_ARMS` are taken.
        test: cohort of the test cases.
        test_cases: that are predicted.
        recipe: of the full training.
        shares: of its steps.
        seed: of the trainings.
        folder: of the proof.
        progress: called after each step.

    Returns:
        folders of the predictions by arm and share.
    """
    places: dict[str, dict[float, Path]] = {}
    for arm in arms:
        if arm.name not in CURVE_ARMS:
            continue
        places[arm.name] = {}
        for share in shares:
            place = make_folder(folder / f"curve-{share:g}")
            run_arm(arm, test, test_cases, shorter(recipe, share), seed, place, progress)
            places[arm.name][share] = place
    return places


def curve_figures(
    places: Mapping[str, Mapping[float, Path]], full: Mapping[str, Trainings], test: Cohort,
    test_cases: Sequence[Case], attribute: Attribute, folder: Path,
) -> dict[str, Figure]:  # fmt: skip
    """Dice and error at each share of the steps, and what the last steps changed.

    `curve/<arm>/last_steps/…` is the full training minus the longest shorter one, paired, of one
    training each: at a plateau its whole interval is small beside the error.
    """
    result: dict[str, Figure] = {}
    for arm, shorter_ones in places.items():
        for share, place in shorter_ones.items():
            own_place = make_folder(place / arm)
            found = score_arms({arm: [place]}, test, test_cases, attribute, own_place)[arm]
            own = arm_figures(found, attribute.unit)
            result |= {f"curve/{arm}/{share:g}/{name}": figure for name, figure in own.items()}
            if share == max(shorter_ones):
                last = paired_difference(full[arm][:1], found, attribute.unit)
                result |= {f"curve/{arm}/last_steps/{k}": figure for k, figure in last.items()}
        own = arm_figures(full[arm][:1], attribute.unit)
        result |= {f"curve/{arm}/1/{name}": figure for name, figure in own.items()}
    return result
