"""What is a synthetic cohort worth beside a real one? Utility, fidelity, diversity, copies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.anatomy.attributes import attribute_of
from vesalius.evidence.audit import compare
from vesalius.evidence.copies import CopySearch, training_cases
from vesalius.evidence.diversity import pair_similarity
from vesalius.evidence.fidelity import (
    fidelity_figures,
    radiomics_available,
    radiomics_features,
)
from vesalius.evidence.figure import Figure
from vesalius.evidence.results import Results
from vesalius.evidence.utility import (
    Trainings,
    arm_figures,
    paired_difference,
    quarters,
    strata_figures,
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
from vesalius.experiments.prespecified import Prespecified, Primary, UsedCohort
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
from vesalius.scans.intensity import to_unit_range
from vesalius.scans.output import require_apart
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.scans.split import require_disjoint
from vesalius.training.recipe import Settings

COMPARED_CASES = 80
"""Cases of each cohort that enter fidelity and diversity."""


class ProveRecipe(Settings):
    """Settings of a proof.

    Attributes:
        attribute: that is measured on predictions.
        segmenter: of all arms.
        arms: that are trained, of `ARMS`.
        seeds: trainings of those arms of them that are `REPEATED`.
        synthseg_longer: how many times as many steps the arm of random contrast is trained.
        strata: ends of ranges of the true value, reported apart; its quarters if there are none.
    """

    preset: str = "demo"
    attribute: str
    seed: int = 0
    strata: tuple[float, ...] = ()
    segmenter: SegmenterRecipe | NnunetRecipe = PRESETS["demo"]
    arms: tuple[ArmName, ...] = FIVE
    seeds: int = 1
    synthseg_longer: int = 1

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
        return {**arms, "utility": self._utility, "comparison": self._comparison}

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

    def _utility(self) -> dict[str, Figure]:
        sides = self.sides
        attribute = attribute_of(sides.real.description, self.recipe.attribute)
        places = {
            arm.name: [self._place(number) for number in self.recipe.trainings(arm.name)]
            for arm in self.arms
        }
        scores = score_arms(places, sides.test, sides.test_cases, attribute, self.folder)
        strata = self.recipe.strata or quarters(scores["real"][0])
        return utility_figures(scores, attribute, strata)

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


def utility_figures(
    scores: Mapping[str, Trainings], attribute: Attribute, strata: Sequence[float]
) -> dict[str, Figure]:
    """Dice and error of each arm, by strata, each against `real`, and `augmented` against each."""
    unit = attribute.unit
    result: dict[str, Figure] = {}
    for arm, own in scores.items():
        result |= {f"utility/{arm}/{k}": v for k, v in arm_figures(own, unit).items()}
        each = strata_figures(own, strata, unit)
        key = f"volume_mae_{unit.lower()}"
        result |= {f"utility/{arm}/{key}/{k}": v for k, v in each.items()}
        if arm != "real":
            gained = paired_difference(own, scores["real"], unit)
            result |= {f"utility/{arm}_minus_real/{k}": v for k, v in gained.items()}
        if arm not in ("real", "augmented"):
            lost = paired_difference(scores["augmented"], own, unit)
            result |= {f"utility/augmented_minus_{arm}/{k}": v for k, v in lost.items()}
        if arm != "augmented":
            each = strata_figures(scores["augmented"], strata, unit, own)
            head = f"utility/augmented_minus_{arm}/{key}"
            result |= {f"{head}/{k}": v for k, v in each.items()}
    return result


def comparison_figures(
    real: Cohort, synthetic: Cohort, training: Sequence[Case], generated: Sequence[Case],
    held_out: Sequence[tuple[Cohort, Case]], seed: int, progress: Progress,
) -> tuple[dict[str, Figure], dict[str, Any]]:  # fmt: skip
    """Copies, diversity and fidelity of synthetic cases, each beside its real counterpart."""
    search = CopySearch(real, training, held_out, True, progress=progress)
    compared = compare(search, [(synthetic, case) for case in generated], progress)
    figures, notes = compared.figures, compared.notes
    reason = radiomics_available()
    features = {}
    for name, cohort, cases in (("real", real, training), ("synthetic", synthetic, generated)):
        listed = cases[:COMPARED_CASES]
        scans = [
            cohort.read(case) for case in track(listed, "comparing fidelity", len(listed), progress)
        ]
        images = np.stack([search.grid.place(scan).channels[0].voxels for scan in scans])
        figures[f"diversity/{name}"] = pair_similarity(to_unit_range(images), seed=seed)
        if not reason:
            pairs = [(scan.channels[0], scan.label_map) for scan in scans]
            features[name] = radiomics_features(pairs, progress)
    if reason:
        notes["fidelity_left_out"] = reason
    else:
        result = fidelity_figures(features["real"], features["synthetic"], seed)
        figures |= {f"fidelity/{k}": v for k, v in result.items()}
    return figures, notes


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
