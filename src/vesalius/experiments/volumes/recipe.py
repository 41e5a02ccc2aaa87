"""Settings of the experiment of whole volumes, and its presets."""

from __future__ import annotations

from typing import Literal

from vesalius.evidence.two_sample import FIT
from vesalius.experiments.prespecified import FRESH_SEED
from vesalius.methods.pretraining.training import PRESETS as PRETRAININGS
from vesalius.methods.pretraining.training import PretrainingRecipe
from vesalius.methods.segmentation.training import PRESETS as SEGMENTERS
from vesalius.methods.segmentation.training import SegmenterRecipe
from vesalius.methods.volumes.recipe import PRESETS as VOLUMES
from vesalius.methods.volumes.recipe import Kind, Sampler, VolumesRecipe
from vesalius.training.recipe import FitRecipe, Settings

Organ = Literal["breast", "chest"]
Arm = Literal["scratch", "synthetic", "real", "scrambled", "noise", "longer"]

MAIN_ARMS: tuple[Arm, ...] = ("scratch", "synthetic", "real")
CONTROLS: tuple[Arm, ...] = ("scrambled", "noise", "longer")


class OrganRecipe(Settings):
    """What differs between organs.

    Attributes:
        shape: voxels of a volume.
        attribute: that volumes are asked for.
        targets: labels whose mean Dice is told.
        working_mm: spacing at which segmenters work.
        mirror: whether left and right may be exchanged.
        steps: of the denoiser of codes, where larger volumes leave time for fewer; the recipe's own
            if `None`.
        code_channels: of the codes, where organs have more in a block; the recipe's own if `None`.
    """

    shape: tuple[int, int, int]
    attribute: str
    targets: tuple[str, ...]
    working_mm: tuple[float, float, float]
    mirror: bool
    steps: int | None = None
    code_channels: int | None = None


class VolumesExperimentRecipe(Settings):
    """Settings of the whole experiment, for each organ alike.

    Attributes:
        organs: that are gone through, one after the other.
        cases: phantoms that the method is fitted on, a tenth of them held out by it.
        labelled_cases: those of `cases` whose label maps may be used; fractions are of them.
        test_cases: unseen phantoms: for Dice, fidelity and as the baseline of the audit.
        synthetic_cases: generated, and used for pre-training.
        control_cases: requests of an attribute, evenly over the seen range, 0 for none.
        rivals: other kinds of codes, each fitted in about the same time for comparison.
        samplers: further ways to draw, compared by Fréchet distance and time: name and steps.
        sampler_cases: volumes for each of them.
        fractions: of the labelled cases that segmenters are fine-tuned on.
        primary: the fraction at which the gain is told; named beforehand.
        primary_seeds: trainings of each arm at the primary fraction.
        pretrainings: of each arm, taken by trainings in turn; trainings that share one are told as
            their mean, so that intervals hold what another pre-training would change.
        seeds: trainings at the others.
        controls: arms at the primary fraction that tell what carries a gain.
        control_seeds: trainings of each of these, paired with the first of the others.
        radiomics_cases: of each side for the radiomics distance, which is slow; 0 for none.
        judge: how the network is fitted that tells generated from real volumes.
        workers: processes that draw phantoms.
    """

    preset: str = "demo"
    seed: int = 0
    organs: tuple[Organ, ...] = ("breast",)
    breast: OrganRecipe = OrganRecipe(
        shape=(64, 64, 32), attribute="fibroglandular_volume_ml", targets=("fibroglandular",),
        working_mm=(5.5, 5.0, 5.0), mirror=True,
    )  # fmt: skip
    chest: OrganRecipe = OrganRecipe(
        shape=(64, 64, 64), attribute="lung_volume_ml",
        targets=("lung_right", "lung_left", "heart", "great_vessels", "bone"),
        working_mm=(11.25, 9.0, 9.0), mirror=False, steps=3000, code_channels=24,
    )  # fmt: skip
    cases: int = 200
    labelled_cases: int = 20
    test_cases: int = 64
    synthetic_cases: int = 100
    control_cases: int = 0
    rivals: tuple[Kind, ...] = ()
    samplers: tuple[tuple[Sampler, int], ...] = ()
    sampler_cases: int = 40
    fractions: tuple[float, ...] = (0.05, 0.2, 0.8)
    primary: float = 0.05
    primary_seeds: int = 10
    pretrainings: int = 5
    seeds: int = 2
    controls: tuple[Arm, ...] = ()
    control_seeds: int = 2
    radiomics_cases: int = 12
    judge: FitRecipe = FIT
    workers: int = 2
    synthesis: VolumesRecipe = VOLUMES["demo"]
    pretraining: PretrainingRecipe = PRETRAININGS["demo"]
    segmenter: SegmenterRecipe = SegmenterRecipe(
        fit=FitRecipe(steps=200, batch_size=2, learning_rate=6e-3, moving_average=0.98)
    )

    def of(self, organ: Organ) -> OrganRecipe:
        """What holds for one organ."""
        return self.breast if organ == "breast" else self.chest

    def labelled(self, fraction: float) -> int:
        """Labelled cases at a fraction.

        >>> VolumesExperimentRecipe().labelled(0.05)
        1
        """
        return max(1, round(fraction * self.labelled_cases))


_SMALL = {"shape": (32, 32, 32), "working_mm": (12.0, 12.0, 12.0)}

PRESETS = {
    "smallest": VolumesExperimentRecipe(
        preset="smallest", cases=12, labelled_cases=6, test_cases=12, synthetic_cases=8,
        control_cases=4, rivals=("gaussian",), samplers=(("ddpm", 2),), sampler_cases=4,
        fractions=(0.2, 0.8), primary=0.2, primary_seeds=2, pretrainings=2, seeds=1,
        controls=CONTROLS, radiomics_cases=0, judge=FIT.changed(steps=3), workers=1,
        breast=VolumesExperimentRecipe().breast.changed(**_SMALL),
        chest=VolumesExperimentRecipe().chest.changed(**_SMALL, steps=None, code_channels=None),
        synthesis=VOLUMES["smallest"],
        pretraining=PRETRAININGS["smallest"], segmenter=SEGMENTERS["smallest"],
    ),
    "demo": VolumesExperimentRecipe(seed=FRESH_SEED),
    "study": VolumesExperimentRecipe(
        preset="study", seed=FRESH_SEED, organs=("breast", "chest"), control_cases=32,
        rivals=("codebook", "gaussian"), samplers=(("ddpm", 300), ("dpm_solver_2m", 10)),
        fractions=(0.05, 0.1, 0.2, 0.4, 0.8), primary_seeds=16, pretrainings=16, seeds=3,
        controls=CONTROLS, control_seeds=10, radiomics_cases=40,
    ),
    "workstation": VolumesExperimentRecipe(
        preset="workstation", organs=("breast", "chest"), cases=1000, labelled_cases=100,
        test_cases=200, synthetic_cases=1000, control_cases=64,
        rivals=("components", "gaussian"),
        samplers=(("ddpm", 300), ("dpm_solver_2m", 10)), sampler_cases=200,
        fractions=(0.05, 0.1, 0.2, 0.4, 0.8), primary_seeds=16, pretrainings=16, seeds=3,
        controls=CONTROLS, control_seeds=10, radiomics_cases=200, workers=16,
        breast=OrganRecipe(
            shape=(256, 256, 32), attribute="fibroglandular_volume_ml",
            targets=("fibroglandular",), working_mm=(1.4, 1.25, 5.0), mirror=True,
        ),
        chest=OrganRecipe(
            shape=(128, 128, 128), attribute="lung_volume_ml",
            targets=("lung_right", "lung_left", "heart", "great_vessels", "bone"),
            working_mm=(2.8, 2.3, 2.25), mirror=False,
        ),
        synthesis=VOLUMES["workstation"],
        pretraining=PRETRAININGS["workstation"],
        segmenter=SEGMENTERS["workstation"],
    ),
}  # fmt: skip
"""`smallest` for tests, `demo` for CPU minutes and one organ, `study` for CPU hours and both."""
