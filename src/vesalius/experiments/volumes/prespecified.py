"""What the experiment of whole volumes asks of an organ, and how it will answer."""

from __future__ import annotations

from vesalius.experiments.prespecified import Prespecified, Primary, UsedCohort
from vesalius.experiments.volumes.recipe import MAIN_ARMS, Organ, VolumesExperimentRecipe

MEANINGS = {
    "scratch": "no pre-training",
    "synthetic": "pre-training on generated volumes",
    "real": "pre-training on as many real volumes without labels, which few would have",
    "scrambled": "pre-training on the generated volumes with their octants exchanged",
    "noise": "pre-training on noise with the histogram of each generated volume",
    "longer": "no pre-training, but fine-tuning on as many voxels more",
}


def prespecified(organ: Organ, recipe: VolumesExperimentRecipe) -> Prespecified:
    """By the recipe alone."""
    arms = (*MAIN_ARMS, *recipe.controls)
    rivals = tuple(arm for arm in arms if arm != "synthetic")
    shape = " × ".join(map(str, recipe.of(organ).shape))
    return Prespecified(
        question=(
            f"Does pre-training on generated volumes of the {organ} raise the Dice of a segmenter "
            "where labels are scarce, and is it the anatomy in them that does?"
        ),
        arms=[(arm, MEANINGS[arm]) for arm in arms],
        rivals=rivals,
        primary=[
            Primary(
                "pretraining/primary/dice_gain",
                f"mean Dice with pre-training minus without at {100 * recipe.primary:g} % of "
                f"{recipe.labelled_cases} labelled cases, paired by training", "higher", 0.0,
                "pre-training costs time, so its gain must be beyond chance",
                f"{min(recipe.pretrainings, recipe.primary_seeds)} pre-trainings", "Dice",
            ),
            *(
                Primary(
                    f"pretraining/primary/synthetic_minus_{arm}",
                    f"the gain over that of `{arm}`, paired by training", "higher", 0.0,
                    "the control has the task without the anatomy, or the time without the volumes",
                    f"{min(recipe.pretrainings, recipe.control_seeds)} pre-trainings", "Dice",
                )
                for arm in recipe.controls
            ),
            Primary(
                "realism/frechet_ratio",
                "Fréchet distance of generated to unseen real volumes over that of real ones",
                "lower", 1.0, "real volumes have 1", f"{recipe.test_cases} volumes of each set",
            ),
        ],
        cohorts=[
            UsedCohort("real", "fitting", f"{recipe.cases} volumes of {shape}, less those held out",
                       recipe.seed),
            UsedCohort("real, held out by the fit", "early stopping and calibration",
                       f"a share of {recipe.synthesis.held_out:g} of them", recipe.seed),
            UsedCohort("unseen", "final test", f"{2 * recipe.test_cases} volumes",
                       recipe.seed + 1000, "generate"),
        ],
        seeds=(
            f"{recipe.primary_seeds} trainings of each arm at the primary fraction, "
            f"{recipe.seeds} at the others: labelled cases, first weights and order differ, alike "
            f"in all arms. Each arm is pre-trained {recipe.pretrainings} times, and trainings take "
            "these in turn. The generator is fitted once, so intervals leave out what another fit "
            "of it would change."
        ),
        chosen=(
            "Sizes, steps and weights of the losses: on phantoms of other seeds, by held-out PSNR "
            "and by looking at pictures.",
            "The primary fraction: before any gain was measured.",
            "The segmenter and its number of steps are the same for every arm but `longer`.",
        ),
    )  # fmt: skip
