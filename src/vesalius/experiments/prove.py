"""What is a synthetic cohort worth beside a real one? Utility, fidelity, diversity, copies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from vesalius.anatomy.attributes import attribute_of
from vesalius.evidence.copies import training_cases
from vesalius.evidence.figure import Figure
from vesalius.evidence.results import Results
from vesalius.evidence.utility import (
    CaseScore,
    quarters,
)
from vesalius.experiments.arms import (
    ARMS,
    FIVE,
    REPEATED,
    RIVALS,
    Arm,
    ArmName,
    run_arm,
    run_arm_alone,
    score_arms,
    training_arms,
)
from vesalius.experiments.learning_curve import curve_figures, train_shorter
from vesalius.experiments.prespecified import Prespecified, Primary, UsedCohort
from vesalius.experiments.proof_figures import comparison_figures, utility_figures
from vesalius.experiments.runner import Experiment, Stage, run_experiment
from vesalius.methods.segmentation.nnunet import NnunetRecipe
from vesalius.methods.segmentation.training import PRESETS, SegmenterRecipe
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.computing import chosen_cluster
from vesalius.scans.executor import each
from vesalius.scans.formats.content import read_text
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.output import require_apart
from vesalius.scans.progress import Progress, no_progress
from vesalius.scans.split import require_disjoint
from vesalius.training.recipe import Settings


class ProveRecipe(Settings):
    """Settings of a proof.

    Attributes:
        attribute: that is measured on predictions.
        segmenter: of all arms.
        arms: that are trained, of `ARMS`.
        seeds: trainings of those arms of them that are `REPEATED`.
        synthseg_longer: how many times as many steps the arm of random contrast is trained.
        strata: ends of ranges of the true value, reported apart; its quarters if there are none.
        curve: shares of the steps with which some arms are trained once more, to see whether the
            full training has reached its plateau; not of nnU-Net.
    """

    later: ClassVar[frozenset[str]] = frozenset({"curve"})

    preset: str = "demo"
    attribute: str
    seed: int = 0
    strata: tuple[float, ...] = ()
    segmenter: SegmenterRecipe | NnunetRecipe = PRESETS["demo"]
    arms: tuple[ArmName, ...] = FIVE
    seeds: int = 1
    synthseg_longer: int = 1
    curve: tuple[float, ...] = ()

    def trainings(self, arm: str) -> range:
        """Numbers of the trainings of an arm."""
        return range(self.seeds if arm in REPEATED else 1)


def _identity(cohort: Path) -> str:
    """A few digits that change with the cases of a cohort, their subjects, splits and values."""
    tables = [cohort / name for name in ("dataset.json", "cases.csv")]
    names = sorted(path.name for path in (cohort / "imagesTr").iterdir())
    reported = [*names, *(read_text(path) for path in tables if path.exists())]
    return hashlib.sha256("\n".join(reported).encode()).hexdigest()[:8]


def prove(
    real: Cohort,
    synthetic: Cohort,
    test: Cohort | None,
    out: str | Path,
    recipe: ProveRecipe,
    progress: Progress = no_progress,
    finished: Callable[[str], None] = lambda name: None,
) -> Results:
    """Run the whole proof and write `results.json`.

    Args:
        real: cases of split `train` or of none are trained on; `val` ones only serve the audit.
        synthetic: of a run, or of anybody else's generator.
        test: unseen patients; the cases of split `test` in `real` if `None`.
        out: folder of the proof.
        recipe: settings.
        progress: called after each step and case.
        finished: called after each stage.

    Raises:
        InputError: if a subject stands on both sides, a test case is synthetic, or labels differ.
    """
    tested = test or real
    test_cases = tested.cases if test else real.of_split("test")
    if not test_cases:
        raise InputError(real.folder, "has no case of split test", "name a cohort with --test")
    training, generated, faults = _sides(real, synthetic, tested, test_cases, progress)
    attribute_of(real.description, recipe.attribute)  # refused before any work
    folders = [one.folder for one in (real, synthetic, tested)]
    require_apart(out, *folders)
    settings = "-".join((recipe.digest, *map(_identity, folders)))
    sides = _Sides(real, training, synthetic, generated, tested, tuple(test_cases))
    phantom = real.description.origin == "phantom"
    notes = {
        "left_out": [str(fault) for fault in faults], "attribute": recipe.attribute,
        "segmenter": recipe.segmenter.model_dump(),
    }  # fmt: skip
    results = Results("prove", recipe.preset, recipe.seed, phantom, {}, notes)
    subjects = {"": partial(_Proof, recipe=recipe, progress=progress, sides=sides)}
    return run_experiment(results, out, settings, subjects, finished)


@dataclass(frozen=True)
class _Sides:
    """Sound cases of a proof, with their cohorts."""

    real: Cohort
    training: list[Case]
    synthetic: Cohort
    generated: list[Case]
    test: Cohort
    test_cases: tuple[Case, ...]


class _Proof(Experiment[ProveRecipe]):
    """The same segmenter on five training sets, and the synthetic cases beside the real ones."""

    def __init__(
        self, folder: Path, recipe: ProveRecipe, progress: Progress, sides: _Sides
    ) -> None:  # fmt: skip
        super().__init__(folder, recipe, progress)
        self.sides = sides
        self.arms = training_arms(
            sides.real, sides.training, sides.synthetic, sides.generated, recipe.attribute,
            recipe.seed, recipe.arms, recipe.synthseg_longer,
        )  # fmt: skip
        self.notes["training_cases"] = {arm.name: len(arm.cases) for arm in self.arms}
        self.notes["synthseg_longer"] = recipe.synthseg_longer
        self.notes["trainings"] = {name: len(recipe.trainings(name)) for name in recipe.arms}

    @property
    def prespecified(self) -> Prespecified:
        """By the recipe and the cohorts that were given."""
        sides, recipe = self.sides, self.recipe
        unit = attribute_of(sides.real.description, recipe.attribute).unit
        rivals = [name for name in RIVALS if name in recipe.arms]
        repeated = ", ".join(name for name in recipe.arms if name in REPEATED)
        tested = f"{len(sides.test_cases)} unseen cases"
        known = "as its cohort has them; whoever gives a cohort answers for what was chosen on it"
        return Prespecified(
            question=(
                "Does adding the synthetic cases lower the error of a segmenter in "
                f"{recipe.attribute} on unseen cases, below that of the best training without them?"
            ),
            arms=[(name, ARMS[name]) for name in recipe.arms], rivals=rivals,
            primary=[
                Primary(
                    f"utility/augmented_minus_{rival}/volume_mae_{unit.lower()}",
                    f"mean absolute error of `augmented` minus that of `{rival}`, paired", "lower",
                    0.0, "the rival needs no synthetic case, so any gain must be beyond chance",
                    tested, unit,
                )
                for rival in rivals
            ],
            cohorts=[
                UsedCohort("real", "fitting", f"{len(sides.training)} cases", recipe.seed),
                UsedCohort("synthetic", "fitting", f"{len(sides.generated)} cases", recipe.seed),
                UsedCohort("test", "final test", f"{len(sides.test_cases)} cases", recipe.seed),
            ],
            seeds=(
                f"{recipe.seeds} trainings of {repeated}, one of the others, from seed "
                f"{recipe.seed} on. Intervals are over cases, crossed with trainings where there "
                "are several."
            ),
            chosen=(f"Cohorts: {known}.", "The segmenter is the same for every arm."),
        )  # fmt: skip

    def stages(self) -> dict[str, Stage]:
        """One an arm, then scores and comparison."""
        arms = {f"arm {arm.name}": partial(self._train, arm) for arm in self.arms}
        curve: dict[str, Stage] = {"learning curve": self._curve} if self._has_curve else {}
        return {**arms, "utility": self._utility, **curve, "comparison": self._comparison}

    @property
    def _has_curve(self) -> bool:
        return bool(self.recipe.curve) and isinstance(self.recipe.segmenter, SegmenterRecipe)

    def _train(self, arm: Arm) -> None:
        sides, recipe = self.sides, self.recipe
        if not chosen_cluster():
            for number in recipe.trainings(arm.name):
                run_arm(
                    arm, sides.test, sides.test_cases, recipe.segmenter, recipe.seed + number,
                    self._place(number), self.progress,
                )  # fmt: skip
            return
        # The first stage trains all arms at once; the others find their predictions there.
        jobs = [
            (one, recipe.seed + number, self._place(number))
            for one in self.arms for number in recipe.trainings(one.name)
        ]  # fmt: skip
        work = partial(
            run_arm_alone, test=sides.test, test_cases=sides.test_cases, recipe=recipe.segmenter
        )
        for _ in each(work, jobs, "training arms", self.progress):
            pass

    def _place(self, number: int) -> Path:
        """Folder of the trainings of one seed."""
        return self.folder / f"training-{number}" if number else self.folder

    @property
    def _attribute(self) -> Attribute:
        return attribute_of(self.sides.real.description, self.recipe.attribute)

    def _scores(self) -> dict[str, list[list[CaseScore]]]:
        sides = self.sides
        places = {
            arm.name: [self._place(number) for number in self.recipe.trainings(arm.name)]
            for arm in self.arms
        }
        return score_arms(places, sides.test, sides.test_cases, self._attribute, self.folder)

    def _utility(self) -> dict[str, Figure]:
        scores = self._scores()
        strata = self.recipe.strata or quarters(scores["real"][0])
        return utility_figures(scores, self._attribute, strata)

    def _curve(self) -> dict[str, Figure]:
        sides, recipe = self.sides, self.recipe
        assert isinstance(recipe.segmenter, SegmenterRecipe)
        places = train_shorter(
            self.arms, sides.test, sides.test_cases, recipe.segmenter, recipe.curve, recipe.seed,
            self.folder, self.progress,
        )  # fmt: skip
        return curve_figures(
            places, self._scores(), sides.test, sides.test_cases, self._attribute, self.folder
        )

    def _comparison(self) -> dict[str, Figure]:
        sides = self.sides
        held_out = [(sides.real, case) for case in sides.real.of_split("val", "test")]
        if sides.test is not sides.real:
            held_out += [(sides.test, case) for case in sides.test_cases]
        figures, notes = comparison_figures(
            sides.real, sides.synthetic, sides.training, sides.generated, held_out,
            self.recipe.seed, self.progress,
        )  # fmt: skip
        self.notes |= notes
        return figures


def _sides(
    real: Cohort, synthetic: Cohort, test: Cohort, test_cases: Sequence[Case], progress: Progress
) -> tuple[list[Case], list[Case], list[InputProblem]]:
    """Sound real and synthetic training cases, none of them derived from a held-out subject."""
    for cohort in (synthetic, test):
        if cohort.description.labels != real.description.labels:
            fault = f"has other labels than {real.folder}"
            raise InputError(
                cohort.folder / "dataset.json", fault, "use cohorts of the same labels"
            )
    training = training_cases(real)
    require_disjoint(training, test_cases)
    held_out = {c.subject for c in real.cases if c.split in ("val", "test")}
    held_out |= {case.subject for case in test_cases}
    generated = [
        c for c in synthetic.cases
        if c.subject not in held_out and (c.provenance().get("parent") or "") not in held_out
    ]  # fmt: skip
    if not training or not generated:
        empty = real if not training else synthetic
        raise InputError(
            empty.folder, "leaves nothing to train on", "check its splits and subjects"
        )
    faults: list[InputProblem] = []
    sides = []
    for cohort, cases in ((real, training), (synthetic, generated)):
        sound, result = cohort.sound(cases, progress)
        faults += result
        sides.append(sound)
        if not sound:
            raise InputError(cohort.folder, f"has no sound case ({result[0]})", "mend the cases")
    return sides[0], sides[1], faults
