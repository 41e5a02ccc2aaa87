"""The arms of a utility experiment: one segmenter, the same steps, different training sets."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vesalius.anatomy.attributes import case_value
from vesalius.evidence.utility import CaseScore, score
from vesalius.methods.segmentation.nnunet import NnunetRecipe, train_and_predict
from vesalius.methods.segmentation.training import (
    SegmenterRecipe,
    TrainingScans,
    fit_segmenter,
    segment,
)
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import Case
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

ARMS = {
    "real": "real training cases as they come",
    "resampled": "real cases sampled until their values are spread as those of `augmented`",
    "synthseg_style": "real label maps with a random contrast at each step",
    "synthetic": "synthetic cases alone",
    "augmented": "real and synthetic cases",
}
"""What each is trained on."""

RIVALS = ("resampled", "synthseg_style", "real")
"""Arms that do without synthetic images."""


@dataclass(frozen=True)
class Arm:
    """A training set: cases with the cohorts they come from, some perhaps more than once."""

    name: str
    cases: tuple[tuple[Cohort, Case], ...]
    contrast: Literal["acquired", "random"] = "acquired"

    @property
    def scans(self) -> Scans:
        """Of every case, read when they are asked for."""
        return Scans(self.cases)

    def stored(
        self, folder: Path, labels: Sequence[int], progress: Progress = no_progress
    ) -> TrainingScans:
        """All scans as the segmenter sees them, on disk; those of repeated cases once."""
        files = [case.images[0] for _, case in self.cases]
        once = list(dict.fromkeys(files))
        pairs = [self.cases[files.index(file)] for file in once]
        scans = Scans(pairs)
        spacing = scans[0].label_map.oriented("RAS").spacing_mm
        content = content_digest([case.images_digest() for _, case in pairs])
        shape = common_shape([body_sides_mm(scan.channels) for scan in scans], spacing)
        layout = Layout(len(scans[0].channels), shape, len(labels))
        kept = TrainingScans.write(folder, content, layout, scans, labels, spacing, progress)
        return kept.subset([once.index(file) for file in files])


def training_arms(
    real: Cohort, training: Sequence[Case], synthetic: Cohort, generated: Sequence[Case],
    attribute: str, seed: int,
) -> list[Arm]:  # fmt: skip
    """The five arms of `ARMS`.

    `resampled` holds real cases only, sampled with replacement until their histogram of the
    attribute is that of `augmented` as far as real cases reach, and as many cases.
    """
    own = tuple((real, case) for case in training)
    made = tuple((synthetic, case) for case in generated)
    both = own + made
    values = np.array([case_value(cohort, attribute, case) for cohort, case in both])
    picked = resampled_rows(values[: len(own)], values, len(both), seed)
    return [
        Arm("real", own),
        Arm("resampled", tuple(own[row] for row in picked)),
        Arm("synthseg_style", own, contrast="random"),
        Arm("synthetic", made),
        Arm("augmented", both),
    ]


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
    chosen = recipe.changed(contrast=arm.contrast)
    own = make_folder(out / "fits" / arm.name)
    network = fit_segmenter(training, chosen, seed, f"segmenter_{arm.name}", own, progress)
    for case in track(missing, f"predicting with {arm.name}", len(missing), progress):
        result = segment(network, test.read(case), list(labels.values()), training.spacing_mm)
        write_nifti(result, _prediction(out, arm.name, case), np.uint8)
    shutil.rmtree(kept, ignore_errors=True)


_one_fit = threading.Lock()
"""A fit seeds torch for its whole process, so that threads of one worker take turns."""


def run_arm_alone(
    arm: Arm, test: Cohort, test_cases: Sequence[Case], recipe: SegmenterRecipe | NnunetRecipe,
    seed: int, out: Path,
) -> None:  # fmt: skip
    """`run_arm` on a worker of a cluster, which sees the same files."""
    with _one_fit:
        run_arm(arm, test, test_cases, recipe, seed, out, no_progress)


def score_arms(
    arms: Sequence[str], test: Cohort, test_cases: Sequence[Case], attribute: Attribute, out: Path
) -> dict[str, list[CaseScore]]:
    """Hold all predictions against the truth; the scores go to `scores.csv` as well."""
    result: dict[str, list[CaseScore]] = {arm: [] for arm in arms}
    for case in test_cases:
        truth = test.read(case).label_map
        for arm in arms:
            predicted = read_nifti(_prediction(out, arm, case))
            if not predicted.same_geometry(truth):
                fault = "does not lie in the space of its case"
                raise InputError(_prediction(out, arm, case), fault, "remove it and run again")
            volume = Volume(predicted.voxels.round().astype(np.int16), predicted.affine)
            labels = test.description.labels
            result[arm].append(score(case.name, truth, volume, attribute, labels))
    lines = [["arm", "case", "dice", f"true_{attribute.name}", f"predicted_{attribute.name}"]]
    for arm, scores in result.items():
        lines += [
            [arm, s.case, f"{s.dice:.5f}", f"{s.true_value:.4f}", f"{s.predicted_value:.4f}"]
            for s in scores
        ]
    write_text(out / "scores.csv", "\n".join(",".join(line) for line in lines) + "\n")
    return result


def _prediction(out: Path, arm: str, case: Case) -> Path:
    return out / "predictions" / arm / f"{case.name}.nii.gz"
