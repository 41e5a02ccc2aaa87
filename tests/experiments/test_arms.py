"""Arms of a utility experiment that workers of a cluster train give the same predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from vesalius.evidence.figure import Figure
from vesalius.experiments.arms import ARMS, EVERY, run_arm, run_arm_alone, training_arms
from vesalius.experiments.prove import ProveRecipe, prove
from vesalius.experiments.ventricles.experiment import _Ventricles
from vesalius.experiments.ventricles.recipe import PRESETS as VENTRICLES
from vesalius.methods.segmentation.nnunet import NnunetRecipe
from vesalius.methods.segmentation.training import PRESETS
from vesalius.report.training_sections import nnunet_section
from vesalius.scans.cohort import Cohort
from vesalius.scans.executor import each
from vesalius.scans.formats.nifti import write_nifti
from vesalius.scans.progress import no_progress
from vesalius.scans.volume import Volume


def test_arms_that_a_cluster_trains_predict_the_same(
    brains: Cohort, small_cohort: Cohort, unseen: Cohort, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    distributed = pytest.importorskip("distributed")
    arms = training_arms(
        brains, brains.cases, small_cohort, small_cohort.cases, "ventricle_volume_ml", 0
    )[:2]
    given = (unseen, unseen.cases, PRESETS["smallest"], 0)
    for arm in arms:
        run_arm(arm, *given, tmp_path / "here", no_progress)
    named = dict(zip(("test", "test_cases", "recipe"), given[:3], strict=True))
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=None, processes=True
    ) as cluster:  # fmt: skip
        monkeypatch.setenv("VESALIUS_CLUSTER", cluster.scheduler_address)
        jobs = [(arm, 0, tmp_path / "there") for arm in arms]
        work = partial(run_arm_alone, **named)
        assert list(each(work, jobs, "training arms", no_progress)) == [None, None]
    for arm in arms:
        for case in unseen.cases:
            place = f"predictions/{arm.name}"
            files = [next((tmp_path / side / place).glob(f"{case.name}*")) for side in
                     ("here", "there")]  # fmt: skip
            assert files[0].read_bytes() == files[1].read_bytes()


def test_every_arm_trains_on_what_it_says(
    brains: Cohort, small_cohort: Cohort, unseen: Cohort, tmp_path: Path
) -> None:
    arms = training_arms(
        brains, brains.cases, small_cohort, small_cohort.cases, "ventricle_volume_ml", 0, EVERY, 2
    )
    assert tuple(arm.name for arm in arms) == EVERY == tuple(ARMS)
    known, recipe = {arm.name: arm for arm in arms}, PRESETS["smallest"]
    changed = {name: arm.changed(recipe) for name, arm in known.items()}
    assert changed["synthseg_style"].fit.steps == 2 * recipe.fit.steps
    assert changed["deformed"].deform and changed["real"] == recipe
    made, noisy = known["synthetic"].scans[0], known["label_noise"].scans[0]
    inside = made.label_map.voxels == made.label_map.voxels.max()
    assert np.array_equal(made.label_map.voxels, noisy.label_map.voxels)
    one, other = (scan.channels[0].voxels for scan in (made, noisy))
    assert abs(one[inside].mean() - other[inside].mean()) < 0.2 * one[inside].std()
    assert abs(np.corrcoef(one[inside], other[inside])[0, 1]) < 0.2
    both = known["augmented_resampled"]
    assert len(both.cases) == len(known["resampled"].cases) + len(small_cohort.cases)
    for name in ("deformed", "label_noise"):
        run_arm(known[name], unseen, unseen.cases[:1], recipe, 0, tmp_path, no_progress)
        assert len(list((tmp_path / "predictions" / name).iterdir())) == 1


def test_a_proof_crosses_cases_with_trainings(
    brains: Cohort, small_cohort: Cohort, unseen: Cohort, tmp_path: Path,
    accounted: Callable[[Mapping[str, Figure]], None],
) -> None:  # fmt: skip
    recipe = ProveRecipe(
        segmenter=PRESETS["smallest"], attribute="ventricle_volume_ml", seeds=2,
        arms=("real", "synthseg_style", "synthetic", "augmented"), curve=(0.5,),
    )  # fmt: skip
    results = prove(brains, small_cohort, unseen, tmp_path / "out", recipe)
    accounted(results.figures)
    gap = results.figures["utility/augmented_minus_real/volume_mae_ml"]
    assert "crossed with 2 trainings" in gap.interval and gap.size == "n = 3 cases"
    once = results.figures["utility/augmented_minus_synthseg_style/volume_mae_ml"]
    assert "crossed" not in once.interval
    rows = (tmp_path / "out/scores.csv").read_text().splitlines()
    assert len(rows) == 1 + 3 * (2 + 1 + 2 + 2)
    curve = {name: one for name, one in results.figures.items() if name.startswith("curve/")}
    assert {name.split("/")[1] for name in curve} == {"real", "augmented"}
    full, half = (curve[f"curve/real/{share}/volume_mae_ml"] for share in ("1", "0.5"))
    last = curve["curve/real/last_steps/volume_mae_ml"]
    assert last.value == pytest.approx(full.value - half.value, abs=1e-6)


def test_curves_of_other_lengths_are_another_proof_and_none_is_the_same_as_before() -> None:
    recipe = ProveRecipe(attribute="ventricle_volume_ml")
    assert recipe.digest != recipe.changed(curve=(0.5,)).digest
    assert "curve" in recipe.later


def test_nnunet_is_asked_the_same_once_on_each_arm(
    brains: Cohort, small_cohort: Cohort, unseen: Cohort, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """With a stand-in for nnU-Net that predicts the truth, but for the arm of real cases."""
    trained: list[int] = []

    def stand_in(training, test, description, recipe, random, work, predictions, seed, progress):  # type: ignore[no-untyped-def]
        trained.append(len(training[0]))
        for name, scan in zip(*test, strict=True):
            voxels = scan.label_map.voxels
            shown = np.zeros_like(voxels) if predictions.name == "real" else voxels
            target = predictions / f"{name}.nii.gz"
            write_nifti(Volume(shown, scan.label_map.affine), target, np.uint8)

    monkeypatch.setattr("vesalius.experiments.arms.train_and_predict", stand_in)
    monkeypatch.setattr(
        "vesalius.experiments.proof_figures.radiomics_available", lambda: "not wanted"
    )
    for name, cohort in (("real", brains), ("balanced", small_cohort), ("unseen", unseen)):
        (tmp_path / name).symlink_to(cohort.folder)
    recipe = VENTRICLES["smallest"].changed(nnunet=NnunetRecipe(epochs=1, iterations=1))
    experiment = _Ventricles(tmp_path, recipe, no_progress, lambda _: None)
    assert list(experiment.stages())[-1] == "nnU-Net"
    figures = experiment.stages()["nnU-Net"]()
    assert len(trained) == len(recipe.nnunet_arms)
    assert figures["nnunet/utility/augmented/dice"].value == 1
    assert figures["nnunet/utility/real/dice"].value == 0
    assert figures["nnunet/utility/augmented_minus_real/dice"].value == 1
    assert not any(not name.startswith("nnunet/utility/") for name in figures)
    said = " ".join(nnunet_section(figures | {
        "utility/real/volume_mae_ml": figures["nnunet/utility/real/volume_mae_ml"]
    }).parts[0].markdown)  # fmt: skip
    assert "augmented" in said and "resampled" in said
