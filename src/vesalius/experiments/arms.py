"""The arms of a utility experiment: one segmenter, the same steps, different training sets."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from vesalius.anatomy.attributes import case_value
from vesalius.evidence.utility import CaseScore, score
from vesalius.experiments.label_noise import LabelNoise
from vesalius.methods.segmentation.nnunet import NnunetRecipe, train_and_predict
from vesalius.methods.segmentation.training import (
    SegmenterRecipe,
    TrainingScans,
    fit_segmenter,
    segment,
)
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import Case, LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.formats.nifti import read_nifti, write_nifti
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.scans.reading import Scans
from vesalius.scans.volume import Volume
from vesalius.scans.writing import make_folder, write_text
from vesalius.training.content import content_digest
from vesalius.training.preparation import body_sides_mm, common_shape
from vesalius.training.store import Layout

ArmName = Literal[
    "real", "resampled", "deformed", "synthseg_style", "synthetic", "label_noise", "augmented",
    "augmented_resampled",
]  # fmt: skip
EVERY: tuple[ArmName, ...] = get_args(ArmName)
ARMS: dict[ArmName, str] = {
    "real": "real training cases as they come",
    "resampled": "real cases sampled until their values are spread as those of `augmented`",
    "deformed": "real cases, turned, scaled and bent anew at each step",
    "synthseg_style": "real label maps with a random contrast at each step",
    "synthetic": "synthetic cases alone",
    "label_noise": "synthetic label maps with noise of the mean and SD of each label as image",
    "augmented": "real and synthetic cases",
    "augmented_resampled": "synthetic cases, and real ones resampled as in `resampled`",
}
"""What each is trained on."""

FIVE: tuple[ArmName, ...] = ("real", "resampled", "synthseg_style", "synthetic", "augmented")
"""Those of a proof that is done quickly."""

RIVALS: tuple[ArmName, ...] = ("resampled", "deformed", "synthseg_style", "real")
"""Arms that do without synthetic images."""

REPEATED: tuple[ArmName, ...] = (
    "real", "resampled", "synthetic", "augmented", "augmented_resampled",
)  # fmt: skip
"""Arms that are trained with several seeds where there are several."""


@dataclass(frozen=True)
class Arm:
    """A training set: cases with the cohorts they come from, some perhaps more than once."""

    name: str
    cases: tuple[tuple[Cohort, Case], ...]
    contrast: Literal["acquired", "random"] = "acquired"
    deform: bool = False
    label_noise: bool = False
    longer: int = 1

    @property
    def scans(self) -> Sequence[LabelledScan]:
        """Of every case, read when they are asked for."""
        return self._shown(self.cases)

    def _shown(self, pairs: Sequence[tuple[Cohort, Case]]) -> Sequence[LabelledScan]:
        scans = Scans(pairs)
        return LabelNoise(scans, [case.name for _, case in pairs]) if self.label_noise else scans

    def changed(self, recipe: SegmenterRecipe) -> SegmenterRecipe:
        """A recipe as this arm trains by it."""
        fit = recipe.fit.changed(steps=recipe.fit.steps * self.longer)
        return recipe.changed(contrast=self.contrast, deform=self.deform, fit=fit)

    def stored(
        self, folder: Path, labels: Sequence[int], progress: Progress = no_progress
    ) -> TrainingScans:
        """All scans as the segmenter sees them, on disk; those of repeated cases once."""
        files = [case.images[0] for _, case in self.cases]
        once = list(dict.fromkeys(files))
        pairs = [self.cases[files.index(file)] for file in once]
        scans = self._shown(pairs)
        spacing = scans[0].label_map.oriented("RAS").spacing_mm
        digests = [case.images_digest() for _, case in pairs]
        content = content_digest([*digests, *(["label noise"] if self.label_noise else [])])
        shape = common_shape([body_sides_mm(scan.channels) for scan in scans], spacing)
        layout = Layout(len(scans[0].channels), shape, len(labels))
        kept = TrainingScans.write(folder, content, layout, scans, labels, spacing, progress)
        return kept.subset([once.index(file) for file in files])


def training_arms(
    real: Cohort, training: Sequence[Case], synthetic: Cohort, generated: Sequence[Case],
    attribute: str, seed: int, names: Sequence[str] = FIVE, synthseg_longer: int = 1,
) -> list[Arm]:  # fmt: skip
    """Arms of `ARMS` by their names.

    `resampled` holds real cases only, sampled with replacement until their histogram of the
    attribute is that of `augmented` as far as real cases reach, and as many cases.

    Args:
        real: cohort of the training cases.
        training: real cases to train on.
        synthetic: cohort of the generated cases.
        generated: synthetic cases to train on.
        attribute: that `resampled` goes by.
        seed: of resampling.
        names: of arms, in their order.
        synthseg_longer: how many times as many steps the arm of random contrast is trained.
    """
    own = tuple((real, case) for case in training)
    made = tuple((synthetic, case) for case in generated)
    both = own + made
    values = np.array([case_value(cohort, attribute, case) for cohort, case in both])
    picked = resampled_rows(values[: len(own)], values, len(both), seed)
    resampled = tuple(own[row] for row in picked)
    every = (
        Arm("real", own),
        Arm("resampled", resampled),
        Arm("deformed", own, deform=True),
        Arm("synthseg_style", own, contrast="random", longer=synthseg_longer),
        Arm("synthetic", made),
        Arm("label_noise", made, label_noise=True),
        Arm("augmented", both),
        Arm("augmented_resampled", (*resampled, *made)),
    )
    known = {arm.name: arm for arm in every}
    return [known[name] for name in names]


def resampled_rows(
    own: np.ndarray, wanted: np.ndarray, count: int, seed: int, bins: int = 7
) -> list[int]:
    """`count` row numbers of `own` whose histogram follows that of `wanted`.

    >>> own = np.array([20.0] * 9 + [100.0])
    >>> rows = resampled_rows(own, np.array([20.0] * 5 + [100.0] * 5), 100, seed=0)
    >>> 40 < sum(row == 9 for row in rows) < 60
    True
    """
    edges = np.histogram_bin_edges(wanted, bins)
    place = np.clip(np.digitize(own, edges) - 1, 0, bins - 1)
    goal, _ = np.histogram(wanted, edges)
    here = np.bincount(place, minlength=bins)
    weight = (goal / np.maximum(here, 1))[place]
    rng = np.random.default_rng(seed)
    return [int(row) for row in rng.choice(len(own), count, p=weight / weight.sum())]


def run_arm(
    arm: Arm, test: Cohort, test_cases: Sequence[Case], recipe: SegmenterRecipe | NnunetRecipe,
    seed: int, out: Path, progress: Progress,
) -> None:  # fmt: skip
    """Train on one arm and write a prediction for each test case into `out/predictions/<arm>`."""
    folder = make_folder(out / "predictions" / arm.name)
    missing = [case for case in test_cases if not _prediction(out, arm.name, case).is_file()]
    if not missing:
        return
    labels = test.description.labels
    if isinstance(recipe, NnunetRecipe):
        train_and_predict(
            ([f"{i:04d}-{case.name}" for i, (_, case) in enumerate(arm.cases)], arm.scans),
            ([case.name for case in missing], Scans([(test, case) for case in missing])),
            test.description, recipe, arm.contrast == "random", out / "nnunet" / arm.name, folder,
            seed, progress,
        )  # fmt: skip
        return
    kept = out / "stores" / arm.name
    training = arm.stored(kept, list(labels.values()), progress)
    own = make_folder(out / "fits" / arm.name)
    network = fit_segmenter(
        training, arm.changed(recipe), seed, f"segmenter_{arm.name}", own, progress
    )
    for case in track(missing, f"predicting with {arm.name}", len(missing), progress):
        result = segment(
            network, test.read(case), list(labels.values()), training.spacing_mm,
            training.store.layout.shape,
        )  # fmt: skip
        write_nifti(result, _prediction(out, arm.name, case), np.uint8)
    shutil.rmtree(kept, ignore_errors=True)


_one_fit = threading.Lock()
"""A fit seeds torch for its whole process, so that threads of one worker take turns."""


def run_arm_alone(
    job: tuple[Arm, int, Path], test: Cohort, test_cases: Sequence[Case],
    recipe: SegmenterRecipe | NnunetRecipe,
) -> None:  # fmt: skip
    """`run_arm` of an arm, a seed and a folder on a worker of a cluster, which sees the files."""
    arm, seed, out = job
    with _one_fit:
        run_arm(arm, test, test_cases, recipe, seed, out, no_progress)


def score_arms(
    arms: Mapping[str, Sequence[Path]], test: Cohort, test_cases: Sequence[Case],
    attribute: Attribute, out: Path,
) -> dict[str, list[list[CaseScore]]]:  # fmt: skip
    """Hold all predictions against the truth; the scores go to `scores.csv` as well.

    Args:
        arms: folders of the trainings of each arm.
        test: cohort of the test cases.
        test_cases: that were predicted.
        attribute: that is measured.
        out: folder of the table.
    """
    result: dict[str, list[list[CaseScore]]] = {arm: [[] for _ in own] for arm, own in arms.items()}
    for case in test_cases:
        truth = test.read(case).label_map
        for arm, folders in arms.items():
            for number, folder in enumerate(folders):
                predicted = read_nifti(_prediction(folder, arm, case))
                if not predicted.same_geometry(truth):
                    place = _prediction(folder, arm, case)
                    fault = "does not lie in the space of its case"
                    raise InputError(place, fault, "remove it and run again")
                volume = Volume(predicted.voxels.round().astype(np.int16), predicted.affine)
                labels = test.description.labels
                found = score(case.name, truth, volume, attribute, labels)
                result[arm][number].append(found)
    name = attribute.name
    lines = [["arm", "case", "dice", f"true_{name}", f"predicted_{name}", "training"]]
    lines += [
        [arm, s.case, f"{s.dice:.5f}", f"{s.true_value:.4f}", f"{s.predicted_value:.4f}",
         str(number)]
        for arm, trainings in result.items() for number, own in enumerate(trainings) for s in own
    ]  # fmt: skip
    write_text(out / "scores.csv", "\n".join(",".join(line) for line in lines) + "\n")
    return result


def _prediction(out: Path, arm: str, case: Case) -> Path:
    return out / "predictions" / arm / f"{case.name}.nii.gz"
