"""Arms of a utility experiment that workers of a cluster train give the same predictions."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from vesalius.experiments.arms import run_arm, run_arm_alone, training_arms
from vesalius.methods.segmentation.training import PRESETS
from vesalius.scans.cohort import Cohort
from vesalius.scans.executor import each
from vesalius.scans.progress import no_progress


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
    named = dict(zip(("test", "test_cases", "recipe", "seed"), given, strict=True))
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=None, processes=True
    ) as cluster:  # fmt: skip
        monkeypatch.setenv("VESALIUS_CLUSTER", cluster.scheduler_address)
        work = partial(run_arm_alone, **named, out=tmp_path / "there")
        assert list(each(work, arms, "training arms", no_progress)) == [None, None]
    for arm in arms:
        for case in unseen.cases:
            place = f"predictions/{arm.name}"
            files = [next((tmp_path / side / place).glob(f"{case.name}*")) for side in
                     ("here", "there")]  # fmt: skip
            assert files[0].read_bytes() == files[1].read_bytes()
