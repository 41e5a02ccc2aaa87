"""What the experiment of progression asks, and how it will answer."""

from __future__ import annotations

from vesalius.experiments.osteoarthritis.recipe import OsteoarthritisRecipe
from vesalius.experiments.prespecified import FRESH_SEED, Prespecified, Primary, UsedCohort

MEANINGS = {
    "extrapolation": "future by extrapolation along neighbours in the latent space",
    "extrapolation_on_own_picture": "the same, shown on the patient's own picture",
    "extrapolation_published": "along the one neighbour that the publication's metric chooses",
    "diffusion": "a diffusion model of the future picture",
    "forecast_only": "networks that predict the change a year from the first picture",
    "baseline_only": "the expected grade of the first picture",
    "reconstruction_only": "the grade of the projected first picture",
    "neighbour_labels": "what became of the neighbours, without any picture",
    "no_change": "the first picture",
    "mean_difference": "the first picture and the mean change of all",
    "random_neighbour": "the change of somebody else",
    "oracle_neighbours": "neighbours by what truly drives the disease, which nobody can have",
    "true_hazard": "the phantom's own hazard, which nobody can have",
}
RANKING = (
    "forecast_only", "baseline_only", "neighbour_labels", "reconstruction_only", "diffusion",
)  # fmt: skip
"""Rivals that rank patients with what a user could have."""


def prespecified(recipe: OsteoarthritisRecipe) -> Prespecified:
    """By the recipe alone."""
    test = f"{recipe.test} unseen patients"
    taught = {
        f"end_to_end_{count}": f"a classifier of {count} outcomes that goes on from that of grades"
        for count in recipe.outcomes
    }
    rivals = (*taught, *RANKING)
    return Prespecified(
        question=(
            "Does the extrapolated picture add to ranking patients by their risk of fast "
            "progression, beyond what does without it, and is it the patient's own?"
        ),
        arms=[*MEANINGS.items(), *taught.items()],
        rivals=rivals,
        primary=[
            *(
                Primary(
                    f"risk/extrapolation_minus_{rival}/auc",
                    f"AUC of fast progression minus that of `{rival}`, by patient", "higher", 0.0,
                     "the rival shows no picture of the patient's future", test, "AUC",
                )
                for rival in rivals
            ),
            Primary(
                "future/extrapolation_minus_no_change/joint_space_mae_mm",
                f"error of the joint spaces {recipe.horizon:g} years later, paired by patient",
                "lower", 0.0, "no change costs nothing", test, "mm",
            ),
            Primary(
                "knee/identity/share_of_true",
                "patients who are recognised by the picture of their future, over those who are "
                "recognised by their own first picture", "higher", 0.9,
                "the unchanged picture has 1", test,
            ),
        ],
        cohorts=[
            UsedCohort("followed", "fitting", f"{recipe.followed} patients, less those held out",
                       recipe.seed),
            UsedCohort("followed, held out", "early stopping and calibration",
                       f"a share of {recipe.progression.held_out:g} of them", recipe.seed),
            UsedCohort("graded", "fitting", f"{recipe.graded} patients, of the classifier of "
                       "grades", recipe.seed + 1000),
            UsedCohort("test", "final test", f"{recipe.test} patients", recipe.seed + 2000,
                       "end to end"),
        ],
        seeds=(
            f"One fit of each network, of seed {recipe.seed}. Intervals are over patients and "
            "leave out what another fit would change."
        ),
        chosen=(
            "Sizes, steps, learning rates and the number of neighbours: on phantoms of other "
            "seeds, by held-out patients and by looking at pictures.",
            f"The fine stage: on the phantoms of seed {FRESH_SEED}. Displacements on the own "
            "picture whose length a reader chose were tried on this seed, too, and given up there.",
            "The point of decision of each method: by held-out patients of the same fit.",
            "Extrapolation learns no outcome, but the change of joint spaces between pictures of "
            f"all followed patients; so a classifier of {max(recipe.outcomes)} outcomes stands "
            "beside that of few.",
        ),
    )  # fmt: skip
