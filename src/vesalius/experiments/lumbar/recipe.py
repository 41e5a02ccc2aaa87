"""Settings of the lumbar experiment, and its presets."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from vesalius.evidence.two_sample import FIT
from vesalius.experiments.prespecified import FRESH_SEED
from vesalius.methods.classification import crops as classification
from vesalius.methods.inpainting import recipe as synthesis
from vesalius.methods.inpainting.methods import METHODS, Method
from vesalius.training.recipe import FitRecipe, Settings

NETWORKS: tuple[synthesis.Network, ...] = ("voxelwise", "ordinary", "concat")


def _all_networks(preset: str) -> synthesis.InpaintingRecipe:
    return synthesis.PRESETS[preset].changed(networks=NETWORKS)


class LumbarRecipe(Settings):
    """Settings of the whole experiment.

    Attributes:
        cases: phantoms in the cohort that is learnt from.
        prevalence: probability of each pathology at each level in it.
        patients: unseen phantoms; each is edited once for each pathology by each method.
        seeds: of fits and draws, one whole comparison each.
        methods: that are compared, at equal network calls.
        long_repaint_calls: network calls of a second, longer RePaint with the first seed; 0 for
            none, 2500 as published.
        long_repaint_patients: the first so many of `patients`, as it takes long.
        features: file of a ResNet-50 or an Inception v3 in safetensors for the Fréchet distance;
            EfficientNet-Lite0 without it.
        radiomics_cases: of each pathology and method for the radiomics distance, which is slow.
        control_cases: requests of rising severity.
        tolerance_mm, tries: of the closed loop.
        site_cases: other patients, on whom the classifier is trained.
        site_findings: of each pathology among them, so few that the classifier without more has
            something to gain: with two its AUC was 0.78 and 0.92 in two trainings on phantoms of
            another seed, with three 0.95 and 0.97.
        balance_cases: findings set into these patients for the classifier.
        classifier_seeds: trainings of each arm; figures are of their mean.
        judge: how the network is fitted that tells generated from real findings.
        workers: processes that draw phantoms.
    """

    preset: str = "demo"
    seed: int = 0
    cases: int = 240
    prevalence: Mapping[str, float] = Field(
        default_factory=lambda: {"herniation": 0.06, "stenosis": 0.06}
    )
    patients: int = 64
    seeds: tuple[int, ...] = (0,)
    methods: tuple[Method, ...] = METHODS
    long_repaint_calls: int = 0
    long_repaint_patients: int = 16
    spacing_mm: tuple[float, float, float] = (4.4, 1.25, 1.25)
    features: str = ""
    radiomics_cases: int = 16
    control_cases: int = 64
    tolerance_mm: float = 1.0
    tries: int = 8
    site_cases: int = 60
    site_findings: int = 2
    balance_cases: int = 80
    classifier_seeds: tuple[int, ...] = (0, 1, 2)
    judge: FitRecipe = FIT
    workers: int = 2
    inpainting: synthesis.InpaintingRecipe = _all_networks("demo")
    classifier: classification.ClassifierRecipe = classification.PRESETS["demo"]


PRESETS = {
    "smallest": LumbarRecipe(
        preset="smallest", cases=10, prevalence={"herniation": 0.15, "stenosis": 0.15},
        patients=4, spacing_mm=(8.0, 2.5, 2.5), radiomics_cases=0, control_cases=8,
        tolerance_mm=30.0, tries=1, site_cases=6, site_findings=2, balance_cases=6,
        classifier_seeds=(0,), judge=FIT.changed(steps=3), workers=1,
        inpainting=_all_networks("smallest"), classifier=classification.PRESETS["smallest"],
    ),
    "demo": LumbarRecipe(seed=FRESH_SEED),
    "study": LumbarRecipe(
        preset="study", seed=FRESH_SEED, patients=128, seeds=(0, 1, 2), long_repaint_calls=2500,
        long_repaint_patients=12,
        radiomics_cases=48,
    ),
    "workstation": LumbarRecipe(
        preset="workstation", cases=1000, patients=256, seeds=(0, 1, 2), long_repaint_calls=2500,
        long_repaint_patients=64,
        spacing_mm=(4.0, 1.0, 1.0), radiomics_cases=256, site_cases=200,
        site_findings=20, balance_cases=400, workers=16,
        inpainting=_all_networks("workstation"),
        classifier=classification.PRESETS["workstation"],
    ),
    "published": LumbarRecipe(
        preset="published", cases=2800, patients=512, seeds=(0, 1, 2), long_repaint_calls=2500,
        long_repaint_patients=256,
        spacing_mm=(4.0, 0.8, 0.8), radiomics_cases=512, site_cases=400,
        site_findings=40, balance_cases=1000, workers=16,
        inpainting=_all_networks("published"), classifier=classification.PRESETS["published"],
    ),
}  # fmt: skip
"""`smallest` for tests, `demo` for CPU minutes, `study` for hours on a CPU: three seeds."""
