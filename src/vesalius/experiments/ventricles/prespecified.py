"""What the experiment of guided synthesis asks, and how it will answer."""

from __future__ import annotations

from vesalius.experiments.arms import ARMS, REPEATED, RIVALS
from vesalius.experiments.prespecified import FRESH_SEED, Prespecified, Primary, UsedCohort
from vesalius.experiments.ventricles.recipe import VentriclesRecipe


def prespecified(recipe: VentriclesRecipe) -> Prespecified:
    """By the recipe alone."""
    low, high = recipe.test_range_ml
    test = f"{recipe.test_cases} unseen patients with ventricles of {low:g} to {high:g} mL"
    judging = [
        UsedCohort("judging", "reference", f"{recipe.judging_cases} patients, of the segmenter "
                   "that measures images", recipe.seed + 4, "unseen phantoms")
    ] if recipe.judging_cases else []  # fmt: skip
    rivals = [name for name in RIVALS if name in recipe.arms]
    repeated = ", ".join(name for name in recipe.arms if name in REPEATED)
    controls = f"{recipe.control_cases} requests"
    return Prespecified(
        question=(
            "Does adding synthetic scans to a cohort that lacks large ventricles lower the volume "
            "error of a segmenter on unseen patients with large ventricles, below that of the best "
            "training without synthetic scans?"
        ),
        arms=[(name, ARMS[name]) for name in recipe.arms],
        rivals=rivals,
        primary=[
            *(
                Primary(
                    f"utility/augmented_minus_{rival}/volume_mae_ml",
                    f"mean absolute volume error of `augmented` minus that of `{rival}`, paired",
                    "lower", 0.0, "the rival costs no generator, so any gain must be beyond chance",
                    test, "mL",
                )
                for rival in rivals
            ),
            Primary(
                "control/once/slope", "measured against requested volume of first draws, slope",
                "near 1", 0.1, "a request of 100 mL that comes out as 90 to 110 mL is of use",
                controls,
            ),
            *(
                [Primary(
                    "control/images/slope",
                    "the same on images of first draws, measured by a segmenter of other cases",
                    "near 1", 0.15, "the segmenter adds an error of its own, reported beside it",
                    controls,
                )] if recipe.judging_cases else []
            ),
        ],
        cohorts=[
            *judging,
            *(
                [UsedCohort("published", "fitting", f"{recipe.published_cases} patients, of "
                            "guidance as published", recipe.seed + 5, "published guidance")]
                if recipe.published_cases else []
            ),
            UsedCohort("real, train", "fitting", f"{round(0.9 * recipe.cases)} patients",
                       recipe.seed),
            UsedCohort("real, val", "early stopping and calibration",
                       f"{recipe.cases - round(0.9 * recipe.cases)} patients", recipe.seed),
            UsedCohort("unseen", "final test", f"{recipe.test_cases} patients", recipe.seed + 1,
                       "strip"),
            UsedCohort("reference", "reference", f"{2 * recipe.realism_cases} patients",
                       recipe.seed + 2, "unseen phantoms"),
        ],
        seeds=(
            f"One fit of the generator; {recipe.arm_seeds} trainings of "
            f"{repeated}, one of the other arms. Intervals are over patients, crossed with "
            "trainings where there are several, and leave out what another generator would change."
        ),
        chosen=(
            "Sizes, steps and learning rates of the generator and of the segmenter: on phantoms of "
            "other seeds, by held-out loss and by looking at pictures.",
            "The degree of bias fields, and which tissue the scale of noise follows: on the "
            f"phantoms of seed {FRESH_SEED}.",
            "The segmenter and its number of steps are the same for every arm; random contrast, "
            f"which learns slowest, has {recipe.synthseg_longer} times as many.",
            *(
                [f"nnU-Net v2 plans itself; {recipe.nnunet.epochs} epochs of "
                 f"{recipe.nnunet.iterations} iterations, one training on each of "
                 f"{', '.join(recipe.nnunet_arms)}."] if recipe.nnunet else []
            ),
            *(
                [f"Guidance as published is fitted on {recipe.published_cases} label maps of its "
                 "own, its steps by its loss."] if recipe.published_cases else []
            ),
            *(
                ["Whether the segmenter is at its plateau is measured with "
                 f"{' and '.join(f'{share:g}' for share in recipe.curve)} of its steps."]
                if recipe.curve else []
            ),
            "Calibration of requests: on label maps that the fit generates, never on unseen "
            "patients.",
        ),
    )  # fmt: skip
