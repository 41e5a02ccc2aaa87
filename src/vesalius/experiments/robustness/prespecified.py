"""What the experiment of interpretable classifiers asks of a kind of data."""

from __future__ import annotations

from vesalius.evidence.discrimination import INDIFFERENCE
from vesalius.experiments.prespecified import Prespecified, Primary, UsedCohort
from vesalius.experiments.robustness.pointing import RIVAL_MAPS
from vesalius.experiments.robustness.recipe import Data, RobustnessRecipe

MEANINGS = {
    "standard": "ordinary training",
    "adversarial": "adversarial training with one set of batch statistics",
    "dual": "adversarial training with batch statistics of its own for attacked images",
}


def prespecified(data: Data, recipe: RobustnessRecipe) -> Prespecified:
    """By the recipe alone."""
    own = recipe.of(data)
    test = own.test_cases or recipe.test_cases
    by_size = [
        UsedCohort("larger", "fitting", f"{max(recipe.sizes)} images, of which "
                   f"{', '.join(map(str, recipe.sizes))} are taken", recipe.seed + 3000, "saliency")
    ] if recipe.sizes else []  # fmt: skip
    return Prespecified(
        question=(
            f"Does dual training keep the discrimination of ordinary training on {data} phantoms, "
            "and do its maps point at the disease better than every other map that can be had?"
        ),
        arms=list(MEANINGS.items()),
        rivals=RIVAL_MAPS,
        primary=[
            Primary(
                "dual_minus_standard/auc", "mean AUC over labels, paired by image", "higher",
                INDIFFERENCE, "a loss of at most this is no loss to a reader, and trainings of "
                "other seeds differ by about as much", f"{test} patients, {recipe.seeds} trainings",
                "AUC",
            ),
            *(
                Primary(
                    f"dual_minus_{rival}/pixel_precision",
                    f"average precision inside the mask, {' and '.join(own.headline)}, of dual "
                    f"training's gradients minus that of `{rival}`", "higher", 0.0,
                    "any other map could be had as well", f"up to {test} patients",
                )
                for rival in RIVAL_MAPS
            ),
            Primary(
                "dual/robust_auc_clean_path",
                f"AUC under the strongest attack of {recipe.primary:g}, without knowing which "
                "images are attacked", "higher", 0.0, "beside that of the other trainings",
                f"{min(recipe.attacked_cases, test)} patients", "AUC",
            ),
        ],
        cohorts=[
            UsedCohort("real", "fitting", f"{own.cases} images, less those held out", recipe.seed),
            UsedCohort("real, held out by the fit", "early stopping and calibration",
                       "a share of them", recipe.seed),
            UsedCohort("test", "final test", f"{test} images of the same scanner",
                       recipe.seed + 1000, "dual"),
            UsedCohort("external", "final test", f"{recipe.external_cases} images of another "
                       "scanner", recipe.seed + 2000, "dual"),
            *by_size,
        ],
        seeds=(
            f"{recipe.seeds} trainings of each arm; the first stage of a seed is shared by its "
            "arms. Intervals of areas are over patients, crossed with trainings where there are "
            "several."
        ),
        chosen=(
            "Network, steps, learning rates and the change that is trained against: on phantoms of "
            "other seeds, by the AUC of held-out images.",
            "The path through which dual networks are looked at: by held-out images of the fit.",
            "The change at which robustness is reported: before it was measured.",
        ),
    )  # fmt: skip
