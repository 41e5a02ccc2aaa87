"""What is a synthetic cohort worth beside a real one? Utility, fidelity, diversity, copies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.evidence.audit import compare
from vesalius.evidence.copies import CopySearch, training_cases
from vesalius.evidence.diversity import pair_similarity
from vesalius.evidence.fidelity import (
    fidelity_figures,
    radiomics_available,
    radiomics_features,
)
from vesalius.evidence.figure import Figure, Results
from vesalius.evidence.utility import arm_figures, paired_difference, strata_figures
from vesalius.experiments.arms import run_arm, score_arms, training_arms
from vesalius.experiments.stages import Stages
from vesalius.methods.segmentation.nnunet import NnunetRecipe
from vesalius.methods.segmentation.training import PRESETS, SegmenterRecipe
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.formats.content import read_text
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.output import require_apart
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.scans.split import require_disjoint
from vesalius.training.recipe import Settings

STRATA_ML = (0.0, 30.0, 60.0, 90.0, 120.0, 400.0)
COMPARED_CASES = 80
"""Cases of each cohort that enter fidelity and diversity."""


class ProveRecipe(Settings):
    """Settings of a proof: the segmenter of all arms, the attribute, the seed."""

    preset: str = "demo"
    attribute: str = "ventricle_volume_ml"
    seed: int = 0
    segmenter: SegmenterRecipe | NnunetRecipe = PRESETS["demo"]


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
        progress: told after each step and case.
        finished: called after each stage.

    Raises:
        InputError: if a subject stands on both sides, a test case is synthetic, or labels differ.
    """
    tested = test or real
    test_cases = tested.cases if test else real.of_split("test")
    if not test_cases:
        raise InputError(real.folder, "has no case of split test", "name a cohort with --test")
    training, generated, faults = _sides(real, synthetic, tested, test_cases, progress)
    attribute = real.description.attribute(recipe.attribute)
    folders = [one.folder for one in (real, synthetic, tested)]
    require_apart(out, *folders)
    settings = "-".join((recipe.digest, *map(_identity, folders)))
    stages = Stages(Path(out), settings, finished)
    figures: dict[str, Figure] = {}
    notes: dict[str, Any] = {}
    arms = training_arms(real, training, synthetic, generated, attribute.name, recipe.seed)
    for arm in arms:
        train = partial(
            run_arm, arm, tested, test_cases, recipe.segmenter, recipe.seed, stages.folder, progress
        )
        stages.run(f"arm {arm.name}", train)
    names = [arm.name for arm in arms]
    figures |= utility_figures(names, tested, test_cases, attribute, stages.folder)
    notes["left_out"] = [str(fault) for fault in faults]
    notes["training_cases"] = {arm.name: len(arm.cases) for arm in arms}
    compared: list[tuple[dict[str, Figure], dict[str, Any]]] = []

    def comparison() -> None:
        watched = [(real, case) for case in real.of_split("val", "test")]
        watched += [(tested, case) for case in test_cases if test is not None]
        compared.append(
            comparison_figures(real, synthetic, training, generated, watched, recipe.seed, progress)
        )

    stages.run("comparison", comparison)
    if not compared:
        comparison()
    figures |= compared[0][0]
    notes |= compared[0][1]
    for name, seconds in stages.seconds.items():
        figures[f"seconds/{name.replace(' ', '_')}"] = Figure(seconds, "s", 1)
    results = Results(
        "prove", recipe.preset, recipe.seed, real.description.origin == "phantom", figures,
        notes | {"attribute": attribute.name, "segmenter": recipe.segmenter.model_dump()},
    )  # fmt: skip
    results.write(stages.folder)
    return results


def utility_figures(
    arms: Sequence[str], test: Cohort, test_cases: Sequence[Case], attribute: Attribute, out: Path
) -> dict[str, Figure]:
    """Dice and error of each arm, by strata, and each arm against `real`."""
    scores = score_arms(arms, test, test_cases, attribute, out)
    unit = attribute.unit
    found: dict[str, Figure] = {}
    for arm, own in scores.items():
        found |= {f"utility/{arm}/{k}": v for k, v in arm_figures(own, unit).items()}
        strata = strata_figures(own, STRATA_ML, unit)
        key = f"volume_mae_{unit.lower()}"
        found |= {f"utility/{arm}/{key}/{k}": v for k, v in strata.items()}
        if arm != "real":
            gained = paired_difference(own, scores["real"], unit)
            found |= {f"utility/{arm}_minus_real/{k}": v for k, v in gained.items()}
        if arm not in ("real", "augmented"):
            lost = paired_difference(scores["augmented"], own, unit)
            found |= {f"utility/augmented_minus_{arm}/{k}": v for k, v in lost.items()}
    return found


def comparison_figures(
    real: Cohort, synthetic: Cohort, training: Sequence[Case], generated: Sequence[Case],
    held_out: Sequence[tuple[Cohort, Case]], seed: int, progress: Progress,
) -> tuple[dict[str, Figure], dict[str, Any]]:  # fmt: skip
    """Copies, diversity and fidelity of synthetic cases, each beside its real counterpart."""
    search = CopySearch(real, training, held_out, True, progress=progress)
    compared = compare(search, [(synthetic, case) for case in generated], progress)
    figures, notes = compared.figures, compared.notes | {"copies": compared.notes["withhold"]}
    reason = radiomics_available()
    features = {}
    for name, cohort, cases in (("real", real, training), ("synthetic", synthetic, generated)):
        listed = cases[:COMPARED_CASES]
        scans = [
            cohort.read(case) for case in track(listed, "comparing fidelity", len(listed), progress)
        ]
        images = np.stack([search.grid.place(scan).channels[0].voxels for scan in scans])
        low, high = np.percentile(images, [0.5, 99.5])
        scaled = np.clip((images - low) / max(high - low, 1e-6), 0, 1)
        figures[f"diversity/{name}"] = pair_similarity(scaled, seed=seed)
        if not reason:
            pairs = [(scan.channels[0], scan.label_map) for scan in scans]
            features[name] = radiomics_features(pairs)
    if reason:
        notes["fidelity_left_out"] = reason
    else:
        found = fidelity_figures(features["real"], features["synthetic"], seed)
        figures |= {f"fidelity/{k}": v for k, v in found.items()}
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
        sound, found = cohort.read_sound(cases, progress)
        faults += found
        sides.append([case for case, _ in sound])
        if not sound:
            raise InputError(cohort.folder, f"has no sound case ({found[0]})", "mend the cases")
    return sides[0], sides[1], faults
