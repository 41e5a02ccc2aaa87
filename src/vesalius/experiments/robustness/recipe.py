"""Settings of the experiment of interpretable classifiers, and its presets."""

from __future__ import annotations

from typing import Literal

from vesalius.experiments.prespecified import FRESH_SEED
from vesalius.methods.classification.training import PRESETS as TRAININGS
from vesalius.methods.classification.training import ClassifierTraining, Training
from vesalius.training.recipe import Settings

Data = Literal["radiograph", "mri", "ct"]
ARMS: tuple[Training, ...] = ("standard", "adversarial", "dual")


class DataRecipe(Settings):
    """What differs between kinds of data.

    Attributes:
        kind: of phantom.
        side: pixels or voxels along each axis.
        cases: to learn from and to choose weights by.
        headline: labels whose maps are told together.
        mirror: axes of an image along which it may be mirrored.
        shift: largest shift as augmentation.
        width: of the network, the classifier's own without it.
        epsilon: of the attack that is trained against, the classifier's own without it.
        test_cases: unseen phantoms of the same scanner, the experiment's own number without it.
    """

    kind: Literal["radiograph", "spine_slice", "nodule"]
    side: int
    cases: int
    headline: tuple[str, ...]
    mirror: tuple[int, ...] = ()
    shift: int = 4
    width: int | None = None
    epsilon: float | None = None
    test_cases: int | None = None


class RobustnessRecipe(Settings):
    """Settings of the whole experiment, for each kind of data alike.

    Attributes:
        data: kinds that are gone through, one after the other.
        test_cases: unseen phantoms of the same scanner.
        external_cases: of the other scanner.
        seeds: trainings of each arm.
        sizes: numbers of images that standard and dual training are compared at as well, on
            images of their own; none for no such comparison.
        classifier: network, steps, and the attack that is trained against.
        epsilons: looks at the robustness curve, evenly from 0 to `largest`.
        largest: change of the last of them.
        curve_seeds: trainings of each arm that the curve is taken of.
        primary: change at which robustness is told.
        attacked_cases: test images that are attacked.
        attack_steps: of every attack when testing.
        strong_steps, strong_restarts: of the strongest one, at the primary change.
        full_cases: the first so many of them are attacked with all that AutoAttack spends as well,
            and with `strong_steps` for comparison; 0 for none.
        full_steps, full_restarts, full_queries: what it spends (Croce and Hein 2020): steps and
            restarts of APGD, and queries of Square Attack.
        resamples: of every bootstrap of an AUC.
        workers: processes that draw phantoms.
    """

    preset: str = "demo"
    seed: int = 0
    data: tuple[Data, ...] = ("radiograph",)
    radiograph: DataRecipe = DataRecipe(
        kind="radiograph", side=64, cases=1500, headline=("consolidation", "nodule")
    )
    mri: DataRecipe = DataRecipe(
        kind="spine_slice", side=64, cases=800, headline=("herniation", "stenosis")
    )
    ct: DataRecipe = DataRecipe(
        kind="nodule", side=20, cases=2400, headline=("nodule_malignant",), mirror=(0, 1, 2),
        shift=2, width=8, epsilon=0.01, test_cases=800,
    )  # fmt: skip
    test_cases: int = 400
    external_cases: int = 400
    seeds: int = 1
    sizes: tuple[int, ...] = ()
    classifier: ClassifierTraining = TRAININGS["demo"]
    epsilons: int = 21
    largest: float = 0.01
    curve_seeds: int = 1
    primary: float = 0.005
    attacked_cases: int = 100
    attack_steps: int = 5
    strong_steps: int = 20
    strong_restarts: int = 1
    full_cases: int = 0
    full_steps: int = 100
    full_restarts: int = 5
    full_queries: int = 5000
    resamples: int = 10_000
    workers: int = 2

    def of(self, data: Data) -> DataRecipe:
        """What holds for one kind of data."""
        result: DataRecipe = getattr(self, data)
        return result

    def training(self, data: Data, arm: Training) -> ClassifierTraining:
        """Settings of one arm."""
        own = self.of(data)
        attack = self.classifier.attack
        attack = attack.changed(epsilon=own.epsilon or attack.epsilon)
        changed = {"mirror": own.mirror, "shift": own.shift, "attack": attack}
        width = own.width or self.classifier.width
        return self.classifier.changed(training=arm, width=width, **changed)


PRESETS = {
    "smallest": RobustnessRecipe(
        preset="smallest", sizes=(30, 60), test_cases=24, external_cases=16,
        classifier=TRAININGS["smallest"],
        epsilons=3, attacked_cases=8, attack_steps=1, strong_steps=2, full_cases=4, full_steps=3,
        full_restarts=1, full_queries=3, resamples=50, workers=1,
        radiograph=RobustnessRecipe().radiograph.changed(side=32, cases=60),
        mri=RobustnessRecipe().mri.changed(side=32, cases=40),
        ct=RobustnessRecipe().ct.changed(side=16, cases=40, test_cases=None),
    ),
    "demo": RobustnessRecipe(seed=FRESH_SEED),
    "study": RobustnessRecipe(
        preset="study", seed=FRESH_SEED, data=("radiograph", "mri", "ct"), seeds=3, test_cases=800,
        external_cases=800, sizes=(250, 750, 1500, 3000, 6000), full_cases=24,
    ),
    "workstation": RobustnessRecipe(
        preset="workstation", data=("radiograph", "mri", "ct"), seeds=3, test_cases=2000,
        external_cases=2000, classifier=TRAININGS["workstation"], attacked_cases=1000,
        attack_steps=20, strong_steps=100, strong_restarts=5, full_cases=200, workers=16,
        radiograph=RobustnessRecipe().radiograph.changed(side=224, cases=20_000),
        mri=RobustnessRecipe().mri.changed(side=128, cases=5000),
        ct=RobustnessRecipe().ct.changed(side=48, cases=5000, width=None, test_cases=None),
    ),
}  # fmt: skip
"""`smallest` for tests, `demo` for CPU minutes and radiographs, `study` for hours and all data."""
