"""Settings of the experiment of guided synthesis, and their presets."""

from __future__ import annotations

from typing import ClassVar

from vesalius.evidence.two_sample import FEWEST, FIT
from vesalius.experiments.arms import EVERY, FIVE, ArmName
from vesalius.experiments.prespecified import FRESH_SEED
from vesalius.methods.guided import recipe as guided
from vesalius.methods.segmentation import training as segmentation
from vesalius.methods.segmentation.nnunet import NnunetRecipe
from vesalius.training.recipe import FitRecipe, Settings

AS_PUBLISHED = guided.PRESETS["demo"].changed(
    label_autoencoder="vae", image_autoencoder="blocks",
    fit_label_autoencoder=FitRecipe(steps=4000, batch_size=4),
    fit_label_denoiser=FitRecipe(steps=4000, batch_size=16, learning_rate=5e-4, validate_every=200),
    fit_image_denoiser=FitRecipe(steps=1, batch_size=1),
)  # fmt: skip
"""Label maps by a convolutional VAE and a denoiser of its codes; no image is asked of it."""


class VentriclesRecipe(Settings):
    """Settings of the whole experiment.

    Attributes:
        cases: phantoms in the skewed cohort, a tenth of them held out of every fit.
        test_cases: unseen phantoms with ventricles of `test_range_ml`.
        wanted_ml: range over which the cohort is balanced.
        control_cases: requests, evenly over the range, for requested against measured.
        synthetic_cases: generated to balance the cohort.
        guidance_scales: compared by control without rejection.
        judging_cases: other phantoms that a segmenter learns from which measures the ventricles on
            images of first draws; 0 for no such measurement.
        realism_cases: generated cases that are held against as many unseen real ones, twice: with
            generated label maps and with real ones. 0 for none.
        judge: how the network is fitted that tells them.
        arms, arm_seeds, synthseg_longer, curve: of the proof, see `ProveRecipe`.
        published_cases: label maps that guidance as published is fitted on, by `published`; 0
            leaves it out.
        nnunet: settings of nnU-Net v2, which is trained once on each of `nnunet_arms`; `None`
            leaves it out.
        workers: processes that draw phantoms.
    """

    later: ClassVar[frozenset[str]] = frozenset(
        {"curve", "nnunet", "nnunet_arms", "published_cases", "published"}
    )

    preset: str = "demo"
    seed: int = 0
    cases: int = 180
    test_cases: int = 40
    test_range_ml: tuple[float, float] = (60.0, 160.0)
    wanted_ml: tuple[float, float] = (20.0, 160.0)
    spacing_mm: float = 3.0
    control_cases: int = 64
    synthetic_cases: int = 160
    guidance_scales: tuple[float, ...] = (1.0, 1.5, 2.0, 3.0, 5.0)
    judging_cases: int = 0
    realism_cases: int = 64
    judge: FitRecipe = FIT
    workers: int = 2
    synthesis: guided.GuidedRecipe = guided.PRESETS["demo"]
    segmenter: segmentation.SegmenterRecipe = segmentation.PRESETS["demo"]
    arms: tuple[ArmName, ...] = FIVE
    arm_seeds: int = 1
    synthseg_longer: int = 1
    curve: tuple[float, ...] = ()
    published_cases: int = 0
    published: guided.GuidedRecipe = AS_PUBLISHED
    nnunet: NnunetRecipe | None = None
    nnunet_arms: tuple[ArmName, ...] = ("real", "resampled", "synthetic", "augmented")


PRESETS = {
    "smallest": VentriclesRecipe(
        preset="smallest", cases=12, test_cases=3, spacing_mm=8.0, control_cases=4,
        synthetic_cases=4, judging_cases=6, guidance_scales=(1.0,), realism_cases=FEWEST + 2,
        judge=FIT.changed(steps=3), workers=1, wanted_ml=(15.0, 40.0), curve=(0.5,),
        published_cases=12, published=guided.PRESETS["smallest"].changed(label_autoencoder="vae"),
        synthesis=guided.PRESETS["smallest"], segmenter=segmentation.PRESETS["smallest"],
    ),
    "demo": VentriclesRecipe(seed=FRESH_SEED + 1),
    "study": VentriclesRecipe(
        preset="study", seed=FRESH_SEED, arms=EVERY, arm_seeds=3, synthseg_longer=5,
        curve=(0.25, 0.5), published_cases=2000,
        nnunet=NnunetRecipe(epochs=40, iterations=50, validation_iterations=10, mirroring=False),
        test_cases=80, judging_cases=80, segmenter=segmentation.PRESETS["demo"].changed(
            fit=segmentation.PRESETS["demo"].fit.changed(steps=2000)
        ),
    ),
    "workstation": VentriclesRecipe(
        preset="workstation", cases=1000, spacing_mm=2.0, synthetic_cases=1000, test_cases=100,
        workers=16, synthesis=guided.PRESETS["workstation"],
        segmenter=segmentation.PRESETS["workstation"],
    ),
    "published": VentriclesRecipe(
        preset="published", cases=10_000, spacing_mm=1.0, synthetic_cases=1000, test_cases=42,
        workers=16, synthesis=guided.PRESETS["published"],
        segmenter=segmentation.PRESETS["published"],
    ),
}  # fmt: skip
