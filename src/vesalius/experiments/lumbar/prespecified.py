"""What the experiment of pathology inpainting asks, and how it will answer."""

from __future__ import annotations

from vesalius.experiments.lumbar.recipe import LumbarRecipe
from vesalius.experiments.lumbar.utility import ARMS
from vesalius.experiments.prespecified import Prespecified, Primary, UsedCohort
from vesalius.phantoms.spine.findings import PATHOLOGIES

OURS = "voxelwise_trained"
MEANINGS = {
    "real": "the real cases of a site with few findings",
    "augmented": "the same with findings set into its healthy patients",
    "pooled": "the same with the scans that the run was fitted on, if the site could have them",
    "upper_bound": "the same with phantoms that truly have these findings, as no method can",
}


def prespecified(recipe: LumbarRecipe) -> Prespecified:
    """By the recipe alone."""
    rivals = [name for name in recipe.methods if not name.startswith("voxelwise")]
    edited = f"{recipe.patients} unseen patients"
    asked = 3 * recipe.patients  # unseen ones, and twice as many of the reference
    return Prespecified(
        question=(
            "Does a noise level that varies by voxel set findings into healthy scans that are "
            "nearer to real findings than those of other inpainting at equal network calls, and do "
            "they help a classifier at a site that lacks them?"
        ),
        arms=[*((name, "inpainting") for name in recipe.methods),
              *((name, MEANINGS[name]) for name in ARMS)],
        rivals=[*rivals, "pooled", "real"],
        primary=[
            *(
                Primary(
                    f"fidelity/{pathology}/{OURS}_minus_{rival}/fid",
                    f"Fréchet distance to real {pathology} of `{OURS}` minus that of `{rival}`",
                    "lower", 0.0, "at equal cost any difference beyond chance decides", edited,
                    "FID",
                )
                for pathology in PATHOLOGIES for rival in rivals
            ),
            *(
                Primary(
                    f"utility/augmented_minus_{rival}/auc",
                    f"AUC of the classifier with inpainted findings minus that of `{rival}`",
                    "higher", 0.0, reason, f"{asked} unseen patients", "AUC",
                )
                for rival, reason in (
                    ("real", "without a gain the findings are of no use to it"),
                    ("pooled", "a site that could have the scans would need no run"),
                )
            ),
            *(
                Primary(
                    f"request/{pathology}/first_draw/mae_mm",
                    f"size asked for against size measured, first draws of {pathology}", "lower",
                    recipe.tolerance_mm, "the tolerance of the closed loop",
                    f"{recipe.control_cases // len(PATHOLOGIES)} requests", "mm",
                )
                for pathology in PATHOLOGIES
            ),
        ],
        cohorts=[
            UsedCohort("real", "fitting", f"{recipe.cases} patients, less those held out",
                       recipe.seed),
            UsedCohort("real, held out by the fit", "early stopping and calibration",
                       "crops of a tenth of them", recipe.seed),
            UsedCohort("site", "fitting", f"{recipe.site_cases} patients, of the classifier",
                       recipe.seed + 3, "control"),
            UsedCohort("unseen", "final test", f"{recipe.patients} patients, each healthy and with "
                       "each finding", recipe.seed + 1, f"fit {recipe.seeds[-1]}"),
            UsedCohort("reference", "reference", f"{2 * recipe.patients} patients",
                       recipe.seed + 2, f"fit {recipe.seeds[-1]}"),
        ],
        seeds=(
            f"{len(recipe.seeds)} fits and draws of all methods ({_listed(recipe.seeds)}); "
            f"{len(recipe.classifier_seeds)} trainings of each arm of the classifier "
            f"({_listed(recipe.classifier_seeds)}), whose mean AUC is reported. Intervals are over "
            "patients."
        ),
        chosen=(
            "Width and ramp of the noise map, steps and learning rates: on phantoms of other "
            "seeds, by held-out loss and by looking at pictures. The map's width was at first "
            "chosen by the Fréchet distance on such phantoms, which are not those reported on.",
            "Every method runs on the network that suits it, fitted with the same recipe, and "
            "draws with as many network calls.",
            "The classifier and its number of steps are the same for every arm.",
            f"Findings at the site, {recipe.site_findings} of each: by the arm `real` alone on "
            "phantoms of another seed, so that it is neither at its upper bound nor at chance.",
        ),
    )  # fmt: skip


def _listed(seeds: tuple[int, ...]) -> str:
    return ", ".join(map(str, seeds))
